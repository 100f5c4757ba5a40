/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of a plain bulk function: of ffs_raw, or of the kernel's SourceSink.
 *
 * usage: usb_raw MODE DEPTH SIZE COUNT VID:PID
 * MODE in or out: makes COUNT transfers of SIZE bytes, DEPTH of them in flight, and prints MB/s
 * from the first completion to the last. ping: COUNT times makes a transfer in each direction, and
 * prints the median of the round trips in microseconds. See measure.h for the rest. Uses the first
 * bulk endpoints of the first interface. */
#include "tests/bench/measure.h"

#include <libusb.h>
#include <limits.h>
#include <stdbool.h>

#define DEPTH_MAX 64
#define PING_MAX  10000

struct host {
	libusb_context *usb;
	libusb_device_handle *handle;
	uint8_t in, out;
	size_t size;
	uint8_t again;	 /* this endpoint's transfers are submitted again when they complete */
	long left, done; /* transfers to submit again, and transfers that have completed */
	uint64_t first_ns;
	bool ending;
	struct measure measure;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "usb_raw: %s: %s\n", what, libusb_error_name(err));
	exit(1);
}

static void find_endpoints(struct host *h)
{
	struct libusb_config_descriptor *config;
	const struct libusb_interface_descriptor *alt;
	int err = libusb_get_active_config_descriptor(libusb_get_device(h->handle), &config);

	if (err < 0)
		die("configuration", err);
	alt = &config->interface[0].altsetting[0];
	for (unsigned int i = 0; i < alt->bNumEndpoints; i++) {
		const struct libusb_endpoint_descriptor *ep = &alt->endpoint[i];

		if ((ep->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) != LIBUSB_TRANSFER_TYPE_BULK)
			continue;
		if (ep->bEndpointAddress & LIBUSB_ENDPOINT_IN)
			h->in = h->in ? h->in : ep->bEndpointAddress;
		else
			h->out = h->out ? h->out : ep->bEndpointAddress;
	}
	libusb_free_config_descriptor(config);
	if (!h->in || !h->out)
		die("bulk endpoints", LIBUSB_ERROR_NOT_FOUND);
}

static void open_device(struct host *h, const char *id)
{
	unsigned int vendor, product;
	int err = libusb_init(&h->usb);

	if (err < 0)
		die("libusb", err);
	if (sscanf(id, "%x:%x", &vendor, &product) != 2)
		die(id, LIBUSB_ERROR_INVALID_PARAM);
	h->handle = libusb_open_device_with_vid_pid(h->usb, (uint16_t)vendor, (uint16_t)product);
	if (!h->handle)
		die(id, LIBUSB_ERROR_NO_DEVICE);
	find_endpoints(h);
	err = libusb_claim_interface(h->handle, 0);
	if (err < 0)
		die("claim", err);
	/* Cancels transfers that an earlier program has left queued. */
	err = libusb_set_interface_alt_setting(h->handle, 0, 0);
	if (err < 0)
		die("SET_INTERFACE", err);
}

static void start(struct libusb_transfer *transfer)
{
	int err = libusb_submit_transfer(transfer);

	if (err < 0)
		die("submit", err);
}

static void LIBUSB_CALL on_done(struct libusb_transfer *transfer)
{
	struct host *h = transfer->user_data;

	if (h->ending) {
		h->done++;
		return;
	}
	if (transfer->status != LIBUSB_TRANSFER_COMPLETED ||
		(size_t)transfer->actual_length != h->size) {
		fprintf(stderr, "usb_raw: transfer: status %d, %d bytes\n", transfer->status,
			transfer->actual_length);
		exit(1);
	}
	if (h->done++ == 0)
		h->first_ns = measure_ns();
	if (h->left > 0 && transfer->endpoint == h->again) {
		h->left--;
		start(transfer);
	}
}

static struct libusb_transfer *make(struct host *h, uint8_t endpoint)
{
	struct libusb_transfer *transfer = libusb_alloc_transfer(0);
	void *data = calloc(1, h->size);

	if (!data || !transfer)
		die("transfers", LIBUSB_ERROR_NO_MEM);
	libusb_fill_bulk_transfer(transfer, h->handle, endpoint, data, (int)h->size, on_done, h, 0);
	transfer->flags = LIBUSB_TRANSFER_FREE_BUFFER;
	return transfer;
}

static double stream(struct host *h, int depth, long count)
{
	struct libusb_transfer *transfers[DEPTH_MAX];

	if (depth > count)
		depth = (int)count;
	measure_begin(&h->measure);
	h->left = count - depth;
	for (int i = 0; i < depth; i++) {
		transfers[i] = make(h, h->again);
		start(transfers[i]);
	}
	while (h->done < count)
		libusb_handle_events(h->usb);
	measure_end(&h->measure);
	h->measure.begin_ns = h->first_ns;
	for (int i = 0; i < depth; i++)
		libusb_free_transfer(transfers[i]);
	return (double)(count - 1) * (double)h->size * 1e3 /
	       (double)(h->measure.end_ns - h->first_ns);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Reads are always in flight, like in a program that does not know when a reply arrives. */
static double ping(struct host *h, int depth, long count)
{
	static uint64_t times[PING_MAX];
	struct libusb_transfer *reads[DEPTH_MAX], *out = make(h, h->out);

	h->left = LONG_MAX;
	for (int i = 0; i < depth; i++) {
		reads[i] = make(h, h->in);
		start(reads[i]);
	}
	measure_begin(&h->measure);
	for (long i = 0; i < count; i++) {
		h->done = 0;
		measure_pause();
		times[i] = measure_ns();
		start(out);
		while (h->done < 2)
			libusb_handle_events(h->usb);
		times[i] = measure_ns() - times[i];
	}
	measure_end(&h->measure);
	h->ending = true;
	h->done = 0;
	for (int i = 0; i < depth; i++)
		libusb_cancel_transfer(reads[i]);
	while (h->done < depth)
		libusb_handle_events(h->usb);
	for (int i = 0; i < depth; i++)
		libusb_free_transfer(reads[i]);
	libusb_free_transfer(out);
	qsort(times, (size_t)count, sizeof(times[0]), compare);
	return (double)times[count / 2] / 1e3;
}

int main(int argc, char **argv)
{
	static struct host h;
	int depth = argc == 6 ? atoi(argv[2]) : 0;
	long count = argc == 6 ? atol(argv[4]) : 0;
	bool pings = argc > 1 && strcmp(argv[1], "ping") == 0;
	double value;

	h.size = argc == 6 ? strtoul(argv[3], NULL, 10) : 0;
	if (depth < 1 || depth > DEPTH_MAX || h.size == 0 || count < 2 ||
		(pings && count > PING_MAX)) {
		fputs("usage: usb_raw in|out|ping DEPTH SIZE COUNT VID:PID\n", stderr);
		return 2;
	}
	open_device(&h, argv[5]);
	h.again = strcmp(argv[1], "out") == 0 ? h.out : h.in;
	value = pings ? ping(&h, depth, count) : stream(&h, depth, count);
	measure_print(&h.measure, value);
	libusb_release_interface(h.handle, 0);
	libusb_close(h.handle);
	libusb_exit(h.usb);
	return 0;
}
