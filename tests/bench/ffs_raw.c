/* SPDX-License-Identifier: Apache-2.0 */
/* A bare FunctionFS function to compare the link with: AIO, transfers of one size, no frames.
 *
 * usage: ffs_raw MODE DEPTH SIZE NAME UDC PRODUCT-ID
 * MODE: source (writes), sink (reads), echo (reads, then writes the same data). NAME is the
 * gadget's name and serial number. Prints "ready" and runs until SIGTERM. */
#include "configfs/gadget.h"
#include "core/base/log.h"
#include "gadget/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/usb/functionfs.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 64

struct function {
	int ep0, out, in;
	aio_context_t aio;
	unsigned int depth, flying;
	size_t size;
	struct iocb slots[DEPTH_MAX];
	bool down; /* the host has reset the link, which ended a transfer */
};

static volatile sig_atomic_t ending;

static void on_signal(int number)
{
	(void)number;
	ending = 1;
}

static int open_file(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		log_error("%s: %s", path, strerror(errno));
	return fd;
}

static bool open_files(struct function *f, const char *dir)
{
	uint8_t buffer[DESCRIPTORS_MAX];
	size_t len = descriptors_build(buffer, OS_DESC_NONE);

	f->ep0 = open_file(dir, "ep0");
	if (f->ep0 < 0)
		return false;
	if (write(f->ep0, buffer, len) != (ssize_t)len) {
		log_error("%s/ep0: descriptors: %s", dir, strerror(errno));
		return false;
	}
	len = descriptors_build_strings(buffer);
	if (write(f->ep0, buffer, len) != (ssize_t)len) {
		log_error("%s/ep0: strings: %s", dir, strerror(errno));
		return false;
	}
	f->out = open_file(dir, "ep1");
	f->in = open_file(dir, "ep2");
	if (f->out < 0 || f->in < 0)
		return false;
	for (unsigned int i = 0; i < f->depth; i++) {
		void *data = calloc(1, f->size);

		if (!data || (i == 0 && syscall(SYS_io_setup, f->depth, &f->aio) < 0)) {
			log_error("%u transfers of %zu bytes: %s", f->depth, f->size,
				strerror(errno));
			return false;
		}
		f->slots[i].aio_buf = (uintptr_t)data;
	}
	return true;
}

/* Waits for the host to configure the device or to set the interface. */
static bool wait_enable(struct function *f)
{
	struct usb_functionfs_event event;
	struct pollfd p = {.fd = f->ep0, .events = POLLIN};

	while (!ending) {
		if (poll(&p, 1, -1) == 1 && read(f->ep0, &event, sizeof(event)) > 0 &&
			event.type == FUNCTIONFS_ENABLE)
			return true;
	}
	return false;
}

static void submit(struct function *f, struct iocb *slot, bool to_host, size_t len)
{
	slot->aio_data = (uintptr_t)slot;
	slot->aio_lio_opcode = to_host ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	slot->aio_fildes = (uint32_t)(to_host ? f->in : f->out);
	slot->aio_nbytes = len;
	if (syscall(SYS_io_submit, f->aio, 1L, &slot) == 1)
		f->flying++;
	else
		f->down = true;
}

/* Runs until the link goes down and all transfers in flight have completed. */
static void serve(struct function *f, const char *mode)
{
	struct io_event events[DEPTH_MAX];
	bool echo = strcmp(mode, "echo") == 0, source = strcmp(mode, "source") == 0;

	f->down = false;
	for (unsigned int i = 0; i < f->depth && !f->down; i++)
		submit(f, &f->slots[i], source, f->size);
	while (f->flying && !ending) {
		long n = syscall(SYS_io_getevents, f->aio, 1L, (long)f->depth, events, NULL);

		for (long i = 0; i < n; i++) {
			struct iocb *slot = (struct iocb *)(uintptr_t)events[i].data;
			bool answer = echo && slot->aio_lio_opcode == IOCB_CMD_PREAD;

			f->flying--;
			f->down = f->down || events[i].res < 0;
			if (!f->down)
				submit(f, slot, source || answer,
					answer ? (size_t)events[i].res : f->size);
		}
	}
}

static int run(struct function *f, char **argv)
{
	struct gadget_options options;
	struct gadget *gadget;
	char ffs_dir[64];
	int err = 1;

	snprintf(ffs_dir, sizeof(ffs_dir), "/run/ffs-%s", argv[4]);
	gadget_options_init(&options);
	options.name = options.serial = argv[4];
	options.product_id = (uint16_t)strtoul(argv[6], NULL, 16);
	options.lanes = 1;
	options.ffs_dir = ffs_dir;
	if (gadget_create(&options, &gadget) < 0)
		return 1;
	if (open_files(f, gadget_ffs_path(gadget, 0)) && gadget_bind(gadget, argv[5]) == 0) {
		puts("ready");
		fflush(stdout);
		while (wait_enable(f))
			serve(f, argv[1]);
		err = 0;
	}
	gadget_unbind(gadget);
	syscall(SYS_io_destroy, f->aio);
	close(f->in);
	close(f->out);
	close(f->ep0);
	return gadget_destroy(gadget) < 0 || err;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	static struct function f = {.ep0 = -1, .out = -1, .in = -1};

	log_open("ffs_raw", LOG_INFO);
	if (argc == 7) {
		f.depth = (unsigned int)strtoul(argv[2], NULL, 10);
		f.size = strtoul(argv[3], NULL, 10);
	}
	if (f.depth == 0 || f.depth > DEPTH_MAX || f.size == 0) {
		fputs("usage: ffs_raw source|sink|echo DEPTH SIZE NAME UDC PRODUCT-ID\n", stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	return run(&f, argv);
}
