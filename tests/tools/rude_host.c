/* SPDX-License-Identifier: Apache-2.0 */
/* A host that misbehaves on a lane: it writes bad data to OUT and never reads IN.
 *
 * usage: rude_host /dev/bus/usb/BBB/DDD INTERFACE OUT-ADDRESS MODE SECONDS
 * Prints the number of transfers or requests that the board accepted. */
#include "core/link/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 500
#define LEASE	   1000 /* ms */

struct host {
	int fd;
	unsigned int interface, out;
	uint64_t nonce;
	uint32_t seq;
	uint8_t data[20000];
};

static int send_data(struct host *h, size_t len)
{
	struct usbdevfs_bulktransfer bulk = {
		.ep = h->out, .len = (unsigned int)len, .timeout = TIMEOUT_MS, .data = h->data};

	return ioctl(h->fd, USBDEVFS_BULK, &bulk) >= 0;
}

static int send_hello(struct host *h)
{
	const struct hello hello = {.major = LINK_MAJOR,
		.minor = LINK_MINOR,
		.max_transfer = 16384,
		.nonce = h->nonce++,
		.lease_ms = LEASE};
	size_t len = hello_put(h->data + FRAME_HEADER, &hello);

	frame_put_header(h->data, FRAME_HELLO, len, 0);
	h->seq = 1;
	return send_data(h, FRAME_HEADER + len);
}

static int send_garbage(struct host *h)
{
	size_t len = (size_t)rand() % 300;

	for (size_t i = 0; i < len; i++)
		h->data[i] = (uint8_t)rand();
	return send_data(h, len);
}

/* Sends a frame that is larger than the board's buffers and valid within the first of them. */
static int send_long(struct host *h)
{
	frame_put_header(h->data, FRAME_PAD, 16384 - FRAME_HEADER, 0);
	return send_data(h, sizeof(h->data) - (size_t)rand() % 2000);
}

/* Opens a session, sends commands with large replies, and reads no reply. */
static int send_commands(struct host *h)
{
	static const char command[] = "GET_KALLSYMS\n";

	if (h->seq == 0)
		return send_hello(h);
	memcpy(h->data + FRAME_HEADER, command, sizeof(command) - 1);
	frame_put_header(h->data, FRAME_DATA, sizeof(command) - 1, h->seq++);
	return send_data(h, FRAME_HEADER + sizeof(command) - 1);
}

static int reset_lane(struct host *h)
{
	struct usbdevfs_setinterface set = {.interface = h->interface};

	return ioctl(h->fd, USBDEVFS_SETINTERFACE, &set) >= 0;
}

/* Opens a session and shows a key that the board does not know. */
static int show_key(struct host *h)
{
	const size_t size = AUTH_KEY_SIZE + AUTH_SIGNATURE_SIZE;

	if (!reset_lane(h) || !send_hello(h))
		return 0;
	usleep(150000); /* for the board to ask for it */
	memset(h->data + FRAME_HEADER, 0x5a, size);
	frame_put_header(h->data, FRAME_AUTH_RESPONSE, size, 1);
	return send_data(h, FRAME_HEADER + size);
}

/* Sends control requests that FunctionFS passes to the daemon, in both directions, with and without
 * data. */
static int send_request(struct host *h)
{
	struct usbdevfs_ctrltransfer request = {
		.bRequestType = (uint8_t)(rand() & 0x80) | (rand() & 1 ? 0x21 : 0x41),
		.bRequest = (uint8_t)rand(),
		.wIndex = (uint16_t)h->interface,
		.wLength = (uint16_t)(rand() % 3 * 100),
		.timeout = TIMEOUT_MS,
		.data = h->data,
	};

	return ioctl(h->fd, USBDEVFS_CONTROL, &request) >= 0 || errno == EPIPE;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*act)(struct host *h);
	} modes[] = {
		{"hello", send_hello},
		{"garbage", send_garbage},
		{"long", send_long},
		{"commands", send_commands},
		{"reset", reset_lane},
		{"request", send_request},
		{"key", show_key},
	};
	static struct host h;
	unsigned long count = 0;
	time_t end;
	size_t mode = 0;

	if (argc != 6)
		return 2;
	while (mode < sizeof(modes) / sizeof(modes[0]) && strcmp(modes[mode].name, argv[4]) != 0)
		mode++;
	h.interface = (unsigned int)strtoul(argv[2], NULL, 0);
	h.out = (unsigned int)strtoul(argv[3], NULL, 16);
	h.fd = open(argv[1], O_RDWR);
	if (mode == sizeof(modes) / sizeof(modes[0]) || h.fd < 0 ||
		ioctl(h.fd, USBDEVFS_CLAIMINTERFACE, &h.interface) < 0 || !reset_lane(&h)) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (end = time(NULL) + atoi(argv[5]); time(NULL) < end;)
		count += (unsigned long)modes[mode].act(&h);
	printf("%lu\n", count);
	return 0;
}
