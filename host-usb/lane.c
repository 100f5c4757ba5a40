/* SPDX-License-Identifier: Apache-2.0 */
/* Claims a lane with libusb and keeps its transfers in flight. */
#include "host-usb/lane.h"

#include "core/link/link.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "host-usb/device.h"
#include "host-usb/trace.h"
#include "host-usb/usb_errno.h"

#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAP_MS 2000 /* a cancelled transfer completes at once, unless the controller hangs */

enum transfer_state { TRANSFER_IDLE, TRANSFER_FLYING, TRANSFER_DONE };

struct transfer_slot {
	struct usb_lane *lane;
	struct libusb_transfer *usb;
	enum transfer_state state;
	int err; /* the result, if done: 0 or a negative errno */
};

struct usb_lane {
	libusb_context *usb;
	libusb_device_handle *handle;
	int fd;
	struct lane_place place;
	size_t transfer;
	struct transfer_slot in[LANE_DEPTH], out[LANE_DEPTH];
	unsigned int in_head, out_next;
	unsigned int in_flying, out_flying;
	int in_err, out_err; /* the first failure; after it no transfer is started */
	struct usb_lane_counts counts;
	struct trace *trace;
	bool closing; /* we cancel the transfers, so their failure is no event */
};

const char *usb_lane_error_text(int err)
{
	switch (-err) {
	case ENODEV:
		return "the board was unplugged or reset, or its gadget was taken away";
	case EPIPE:
		return "the board stalled the endpoint";
	case EOVERFLOW:
		return "the board sent more than one transfer can hold";
	case EIO:
		return "the transfer failed on the bus (cable, hub, or a board that went away)";
	case ECANCELED:
		return "another program or the kernel took the lane away";
	case ENOMEM:
		return "no memory for a transfer; other devices may use up the limit in "
		       "/sys/module/usbcore/parameters/usbfs_memory_mb (MB, 0: none)";
	case EEXIST:
		return "two lanes share an endpoint address, so data would cross lanes; start "
		       "bpfd-gadget with fewer --lanes";
	default:
		return strerror(-err);
	}
}

/* True if an interface other than `number` uses the same endpoint address. */
static bool address_elsewhere(
	const struct libusb_config_descriptor *config, unsigned int number, uint8_t address)
{
	for (unsigned int i = 0; i < config->bNumInterfaces; i++) {
		const struct libusb_interface *interface = &config->interface[i];

		for (int a = 0; a < interface->num_altsetting; a++) {
			const struct libusb_interface_descriptor *alt = &interface->altsetting[a];

			for (unsigned int e = 0; e < alt->bNumEndpoints; e++)
				if (alt->endpoint[e].bEndpointAddress == address &&
					alt->bInterfaceNumber != number)
					return true;
		}
	}
	return false;
}

/* Fills in *place if the interface is a lane with a bulk pair; otherwise returns false. */
static bool lane_place(const struct libusb_interface_descriptor *alt, struct lane_place *place)
{
	if (alt->bInterfaceClass != LANE_CLASS || alt->bInterfaceSubClass != LANE_SUBCLASS ||
		alt->bInterfaceProtocol != LANE_PROTOCOL || alt->bAlternateSetting != 0)
		return false;
	*place = (struct lane_place){alt->bInterfaceNumber, 0, 0};
	for (unsigned int e = 0; e < alt->bNumEndpoints; e++) {
		const struct libusb_endpoint_descriptor *ep = &alt->endpoint[e];

		if ((ep->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) != LIBUSB_TRANSFER_TYPE_BULK)
			continue;
		if (ep->bEndpointAddress & LIBUSB_ENDPOINT_IN)
			place->in = ep->bEndpointAddress;
		else
			place->out = ep->bEndpointAddress;
	}
	return place->in && place->out;
}

int usb_lane_places(
	const struct libusb_config_descriptor *config, struct lane_place places[static LANES_MAX])
{
	int count = 0;

	for (unsigned int i = 0; i < config->bNumInterfaces && count < LANES_MAX; i++) {
		const struct libusb_interface *interface = &config->interface[i];
		struct lane_place *place = &places[count];

		if (interface->num_altsetting < 1 || !lane_place(interface->altsetting, place))
			continue;
		if (address_elsewhere(config, place->interface, place->in) ||
			address_elsewhere(config, place->interface, place->out))
			return -EEXIST;
		count++;
	}
	return count;
}

static const char *result_text(int err)
{
	return err == 0 ? "done" : usb_lane_error_text(err);
}

/* Claims the first free lane. If two programs start at once, the kernel gives a lane to one of
 * them, and the other tries the next lane. */
static int lane_claim(struct usb_lane *lane)
{
	struct lane_place places[LANES_MAX];
	struct libusb_config_descriptor *config;
	int count, err;

	err = libusb_get_active_config_descriptor(libusb_get_device(lane->handle), &config);
	if (err == LIBUSB_ERROR_NOT_FOUND)
		return -ENXIO; /* not configured */
	if (err < 0)
		return usb_errno(err);
	count = usb_lane_places(config, places);
	libusb_free_config_descriptor(config);
	if (count <= 0)
		return count < 0 ? count : -ENXIO;
	for (int i = 0; i < count; i++) {
		err = usb_errno(libusb_claim_interface(lane->handle, places[i].interface));
		trace_event(lane->trace, TRACE_HERE, "claim interface %u: %s", places[i].interface,
			result_text(err));
		if (err == 0) {
			lane->place = places[i];
			return 0;
		}
		if (err != -EBUSY)
			return err;
		log_debug("lane %u: in use", places[i].interface);
	}
	return -EBUSY;
}

static void trace_failure(const struct usb_lane *lane, bool in, int err)
{
	if (err < 0 && !lane->closing)
		trace_event(lane->trace, TRACE_HERE, "transfer %s the board: %s",
			in ? "from" : "to", usb_lane_error_text(err));
}

static void LIBUSB_CALL slot_done(struct libusb_transfer *usb)
{
	struct transfer_slot *slot = usb->user_data;
	struct usb_lane *lane = slot->lane;
	bool in = (usb->endpoint & LIBUSB_ENDPOINT_IN) != 0;

	slot->err = usb_transfer_errno(usb->status);
	if (!in && slot->err == 0 && usb->actual_length != usb->length)
		slot->err = -EIO;
	trace_failure(lane, in, slot->err);
	if (in) {
		slot->state = TRANSFER_DONE;
		lane->in_flying--;
		lane->counts.in_transfers += slot->err == 0;
		if (slot->err && !lane->in_err)
			lane->in_err = slot->err;
		return;
	}
	slot->state = TRANSFER_IDLE;
	lane->out_flying--;
	lane->counts.out_transfers += slot->err == 0;
	if (slot->err && !lane->out_err)
		lane->out_err = slot->err;
}

static int slot_submit(struct transfer_slot *slot, size_t len)
{
	int err;

	slot->usb->length = (int)len;
	err = usb_errno(libusb_submit_transfer(slot->usb));
	if (err == 0)
		slot->state = TRANSFER_FLYING;
	else
		trace_failure(slot->lane, slot->usb->endpoint & LIBUSB_ENDPOINT_IN, err);
	return err;
}

/* Starts reading into the slot. A transfer that cannot be started counts as failed, and its error
 * is reported in its turn. After a failure none is started: the cause may be a reset, which took
 * our claim, and usbfs would silently claim the interface again. */
static void slot_read(struct transfer_slot *slot)
{
	struct usb_lane *lane = slot->lane;

	slot->err = lane->in_err ? lane->in_err : slot_submit(slot, lane->transfer);
	if (slot->err == 0)
		lane->in_flying++;
	else
		slot->state = TRANSFER_DONE;
}

static int slot_init(struct transfer_slot *slot, struct usb_lane *lane, uint8_t endpoint)
{
	uint8_t *data;

	slot->lane = lane;
	slot->usb = libusb_alloc_transfer(0);
	data = malloc(lane->transfer);
	if (!slot->usb || !data) {
		free(data);
		return -ENOMEM;
	}
	libusb_fill_bulk_transfer(
		slot->usb, lane->handle, endpoint, data, (int)lane->transfer, slot_done, slot, 0);
	return 0;
}

static void slot_free(struct transfer_slot *slot)
{
	if (!slot->usb)
		return;
	free(slot->usb->buffer);
	libusb_free_transfer(slot->usb);
}

static int lane_start(struct usb_lane *lane)
{
	int err;

	for (unsigned int i = 0; i < LANE_DEPTH; i++) {
		err = slot_init(&lane->in[i], lane, lane->place.in);
		if (err == 0)
			err = slot_init(&lane->out[i], lane, lane->place.out);
		if (err < 0)
			return err;
	}
	for (unsigned int i = 0; i < LANE_DEPTH; i++)
		slot_read(&lane->in[i]);
	return 0;
}

/* Opens the node and hands the descriptor to libusb. libusb then neither scans the bus nor starts a
 * thread that watches for other devices. */
static int lane_open_node(struct usb_lane *lane, const char *node)
{
	int err;

	lane->fd = open(node, O_RDWR | O_CLOEXEC);
	if (lane->fd < 0)
		return errno == EPERM ? -EACCES : errno == ENXIO ? -ENODEV : -errno;
	libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
	err = usb_errno(libusb_init(&lane->usb));
	if (err < 0)
		return err;
	return usb_errno(libusb_wrap_sys_device(lane->usb, lane->fd, &lane->handle));
}

/* Makes the board's kernel drop everything that is queued on the lane, in both directions. */
static int lane_set_interface(struct usb_lane *lane)
{
	uint8_t interface = lane->place.interface;
	int err = usb_errno(libusb_set_interface_alt_setting(lane->handle, interface, 0));

	trace_event(lane->trace, TRACE_TO_BOARD, "SET_INTERFACE %u, alternate setting 0: %s",
		interface, result_text(err));
	return err;
}

int usb_lane_open(const char *node, size_t transfer, struct trace *trace, struct usb_lane **result)
{
	struct usb_lane *lane = calloc(1, sizeof(*lane));
	int err;

	if (!lane)
		return -ENOMEM;
	lane->transfer = transfer;
	lane->trace = trace;
	err = lane_open_node(lane, node);
	trace_event(trace, TRACE_HERE, "open %s: %s", node, result_text(err));
	if (err < 0)
		goto err_close;
	err = lane_claim(lane);
	if (err == 0)
		err = lane_set_interface(lane);
	if (err == 0)
		err = lane_start(lane);
	if (err == -ENOENT) /* the interface has vanished; the node is there */
		err = -ENODEV;
	if (err < 0)
		goto err_close;
	*result = lane;
	return 0;

err_close:
	usb_lane_close(lane);
	return err;
}

static void lane_cancel(struct usb_lane *lane)
{
	for (unsigned int i = 0; i < LANE_DEPTH; i++) {
		if (lane->in[i].state == TRANSFER_FLYING)
			libusb_cancel_transfer(lane->in[i].usb);
		if (lane->out[i].state == TRANSFER_FLYING)
			libusb_cancel_transfer(lane->out[i].usb);
	}
}

/* Waits for the transfers in flight. Returns false if some are still in flight after REAP_MS. */
static bool lane_reap(struct usb_lane *lane)
{
	struct timeval wait = {.tv_usec = 50000};
	uint64_t end = clock_monotonic_ms() + REAP_MS;

	while ((lane->in_flying || lane->out_flying) && clock_monotonic_ms() < end)
		libusb_handle_events_timeout_completed(lane->usb, &wait, NULL);
	return !lane->in_flying && !lane->out_flying;
}

void usb_lane_close(struct usb_lane *lane)
{
	int err;

	if (!lane)
		return;
	lane->closing = true;
	lane_cancel(lane);
	if (!lane_reap(lane)) {
		/* The kernel may still write into the buffers: leak them. */
		log_warning("lane %u: cancelled transfers did not complete", lane->place.interface);
		return;
	}
	for (unsigned int i = 0; i < LANE_DEPTH; i++) {
		slot_free(&lane->in[i]);
		slot_free(&lane->out[i]);
	}
	if (lane->place.in) {
		err = usb_errno(libusb_release_interface(lane->handle, lane->place.interface));
		trace_event(lane->trace, TRACE_HERE, "release interface %u: %s",
			lane->place.interface, result_text(err));
	}
	if (lane->handle)
		libusb_close(lane->handle);
	if (lane->usb)
		libusb_exit(lane->usb);
	if (lane->fd >= 0)
		close(lane->fd);
	free(lane);
}

unsigned int usb_lane_interface(const struct usb_lane *lane)
{
	return lane->place.interface;
}

size_t usb_lane_pollfds(struct usb_lane *lane, struct pollfd fds[static LANE_FDS_MAX])
{
	const struct libusb_pollfd **list = libusb_get_pollfds(lane->usb);
	size_t count = 0;

	if (!list)
		return 0; /* out of memory: tried again after the session's next ping */
	for (; list[count] && count < LANE_FDS_MAX; count++)
		fds[count] = (struct pollfd){.fd = list[count]->fd, .events = list[count]->events};
	libusb_free_pollfds(list);
	return count;
}

int usb_lane_timeout(struct usb_lane *lane)
{
	struct timeval next;

	/* Used only without timerfd; otherwise libusb's timers are among its descriptors. */
	if (libusb_get_next_timeout(lane->usb, &next) != 1)
		return -1;
	return (int)(next.tv_sec * 1000 + (next.tv_usec + 999) / 1000);
}

int usb_lane_handle(struct usb_lane *lane)
{
	struct timeval now = {0};
	int err = usb_errno(libusb_handle_events_timeout_completed(lane->usb, &now, NULL));

	return err == -EINTR ? 0 : err;
}

int usb_lane_receive(struct usb_lane *lane, const uint8_t **data, size_t *len)
{
	const struct transfer_slot *slot = &lane->in[lane->in_head];

	if (slot->state != TRANSFER_DONE)
		return lane->out_err;
	if (slot->err < 0)
		return slot->err;
	*data = slot->usb->buffer;
	*len = (size_t)slot->usb->actual_length;
	return 1;
}

void usb_lane_release(struct usb_lane *lane)
{
	slot_read(&lane->in[lane->in_head]);
	lane->in_head = (lane->in_head + 1) % LANE_DEPTH;
}

uint8_t *usb_lane_buffer(struct usb_lane *lane)
{
	for (unsigned int i = 0; i < LANE_DEPTH; i++) {
		if (lane->out[i].state == TRANSFER_IDLE && !lane->out_err && !lane->in_err) {
			lane->out_next = i;
			return lane->out[i].usb->buffer;
		}
	}
	return NULL;
}

void usb_lane_send(struct usb_lane *lane, size_t len)
{
	int err = slot_submit(&lane->out[lane->out_next], len);

	if (err == 0)
		lane->out_flying++;
	else if (!lane->out_err)
		lane->out_err = err;
}

bool usb_lane_sending(const struct usb_lane *lane)
{
	return lane->out_flying > 0;
}

struct usb_lane_counts usb_lane_counts(const struct usb_lane *lane)
{
	return lane->counts;
}
