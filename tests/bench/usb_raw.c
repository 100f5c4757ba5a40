/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of a plain bulk function: that of ffs_raw, or the kernel's SourceSink.
 *
 * usage: usb_raw MODE DEPTH SIZE COUNT VID:PID
 * MODE: in, out: COUNT transfers of SIZE bytes, DEPTH of them in flight; prints MB/s, from the
 * first that completes to the last. ping: a transfer each way COUNT times; prints the median of the
 * round trips in microseconds; see measure.h for the rest. Takes the first interface's first bulk
 * endpoints. */
#include "tests/bench/measure.h"

#include <libusb.h>

#define DEPTH_MAX 64
#define PING_MAX  10000

struct host {
	libusb_context *usb;
	libusb_device_handle *handle;
	uint8_t in, out;
	size_t size;
	long left, done; /* transfers to start, that have completed */
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
	/* Ends what an earlier program left queued. */
	err = libusb_set_interface_alt_setting(h->handle, 0, 0);
	if (err < 0)
		die("SET_INTERFACE", err);
}

static void start(struct libusb_transfer *transfer)
{
	struct host *h = transfer->user_data;
	int err;

	if (h->left == 0)
		return;
	h->left--;
	err = libusb_submit_transfer(transfer);
	if (err < 0)
		die("submit", err);
}

static void LIBUSB_CALL on_done(struct libusb_transfer *transfer)
{
	struct host *h = transfer->user_data;

	if (transfer->status != LIBUSB_TRANSFER_COMPLETED ||
		(size_t)transfer->actual_length != h->size) {
		fprintf(stderr, "usb_raw: transfer: status %d, %d bytes\n", transfer->status,
			transfer->actual_length);
		exit(1);
	}
	if (h->done++ == 0)
		h->measure.begin_ns = measure_ns();
	start(transfer);
}

static void stream(struct host *h, uint8_t endpoint, int depth)
{
	struct libusb_transfer *transfers[DEPTH_MAX];
	long count = h->left;
	double rate;

	for (int i = 0; i < depth; i++) {
		void *data = calloc(1, h->size);

		transfers[i] = libusb_alloc_transfer(0);
		if (!data || !transfers[i])
			die("transfers", LIBUSB_ERROR_NO_MEM);
		libusb_fill_bulk_transfer(
			transfers[i], h->handle, endpoint, data, (int)h->size, on_done, h, 0);
		transfers[i]->flags = LIBUSB_TRANSFER_FREE_BUFFER;
	}
	measure_begin(&h->measure);
	for (int i = 0; i < depth; i++)
		start(transfers[i]);
	while (h->done < count)
		libusb_handle_events(h->usb);
	measure_end(&h->measure);
	rate = (double)(count - 1) * (double)h->size * 1e3 /
	       (double)(h->measure.end_ns - h->measure.begin_ns);
	measure_print(&h->measure, rate);
	for (int i = 0; i < depth; i++)
		libusb_free_transfer(transfers[i]);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Both transfers are submitted at once, as a program does that always has a read in flight. */
static void ping(struct host *h)
{
	static uint64_t times[PING_MAX];
	struct libusb_transfer *in = libusb_alloc_transfer(0), *out = libusb_alloc_transfer(0);
	uint8_t *data = calloc(2, h->size);
	long count = h->left;

	if (!in || !out || !data)
		die("transfers", LIBUSB_ERROR_NO_MEM);
	libusb_fill_bulk_transfer(in, h->handle, h->in, data, (int)h->size, on_done, h, 0);
	libusb_fill_bulk_transfer(
		out, h->handle, h->out, data + h->size, (int)h->size, on_done, h, 0);
	measure_begin(&h->measure);
	for (long i = 0; i < count; i++) {
		h->left = 2;
		h->done = 0;
		start(in);
		times[i] = measure_ns();
		start(out);
		while (h->done < 2)
			libusb_handle_events(h->usb);
		times[i] = measure_ns() - times[i];
	}
	measure_end(&h->measure);
	qsort(times, (size_t)count, sizeof(times[0]), compare);
	measure_print(&h->measure, (double)times[count / 2] / 1e3);
	libusb_free_transfer(in);
	libusb_free_transfer(out);
	free(data);
}

int main(int argc, char **argv)
{
	static struct host h;
	int depth = argc == 6 ? atoi(argv[2]) : 0;

	if (depth > 0) {
		h.size = strtoul(argv[3], NULL, 10);
		h.left = atol(argv[4]);
	}
	if (depth > DEPTH_MAX || h.size == 0 || h.left < 2 ||
		(strcmp(argv[1], "ping") == 0 && h.left > PING_MAX)) {
		fputs("usage: usb_raw in|out|ping DEPTH SIZE COUNT VID:PID\n", stderr);
		return 2;
	}
	open_device(&h, argv[5]);
	if (strcmp(argv[1], "ping") == 0)
		ping(&h);
	else
		stream(&h, strcmp(argv[1], "in") == 0 ? h.in : h.out, depth);
	libusb_release_interface(h.handle, 0);
	libusb_close(h.handle);
	libusb_exit(h.usb);
	return 0;
}
