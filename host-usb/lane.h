/* SPDX-License-Identifier: Apache-2.0 */
/* A lane of a board: its claimed interface, with several transfers in flight each way.
 *
 * Nothing here waits, but opening and closing, for a bounded time. The caller polls. */
#ifndef HOST_USB_LANE_H
#define HOST_USB_LANE_H

#include "core/link/link.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_DEPTH 4 /* transfers in flight each way: 2.6 times the speed of one */

/* Bytes of a buffer, unless the caller asks for others. What is sent is never longer than what the
 * board's buffers take, and boards send up to 32 KiB: larger ones would be allocated and cleared
 * by the kernel for each transfer, and not filled. */
#define LANE_TRANSFER	   (32 * 1024)
#define LANE_TRANSFER_UNIT 1024 /* a packet at super speed: IN buffers are multiples of it */

#define LANE_FDS_MAX 8 /* more than libusb has for one device */

/* Where a lane is in the configuration of its device. */
struct lane_place {
	uint8_t interface, in, out; /* number, endpoint addresses */
};

struct usb_lane_counts {
	uint64_t in_transfers, out_transfers; /* that completed */
};

struct trace;
struct usb_lane;
struct libusb_config_descriptor;

/* Lists up to LANES_MAX lanes of a configuration. Returns their number, or -EEXIST when an endpoint
 * address of a lane is used twice: some controllers' drivers do that, and data would cross. */
int usb_lane_places(
	const struct libusb_config_descriptor *config, struct lane_place places[static LANES_MAX]);

/* Opens the device node and claims the first lane that is free, ends what an earlier host left on
 * it, and starts reading. `transfer` is the size of buffers in bytes, a multiple of
 * LANE_TRANSFER_UNIT. `trace` may be NULL, else it must stay until the lane is closed. Returns 0
 * and *lane, or
 *   -EACCES no permission, -ENODEV no such device (any more), -EBUSY no lane is free,
 *   -ENXIO the device has no lanes, or another errno, see usb_lane_error_text. */
int usb_lane_open(const char *node, size_t transfer, struct trace *trace, struct usb_lane **lane);

/* Takes back what is in flight, releases the lane and frees it; NULL is fine. */
void usb_lane_close(struct usb_lane *lane);

/* The number of its interface, for messages. */
unsigned int usb_lane_interface(const struct usb_lane *lane);

/* What to poll: fills in up to LANE_FDS_MAX entries and returns their number. Then, or after
 * usb_lane_timeout ms (-1: never), usb_lane_handle collects what has completed; it returns 0 or an
 * errno.
 */
size_t usb_lane_pollfds(struct usb_lane *lane, struct pollfd fds[static LANE_FDS_MAX]);
int usb_lane_timeout(struct usb_lane *lane);
int usb_lane_handle(struct usb_lane *lane);

/* The oldest transfer that has arrived, in the order sent; the same one until it is released.
 * Returns 1 with *data and *len; 0 if there is none; and when the data before it has been taken,
 * the errno of a transfer that failed, see usb_lane_error_text. Nothing can be received after that.
 */
int usb_lane_receive(struct usb_lane *lane, const uint8_t **data, size_t *len);
void usb_lane_release(struct usb_lane *lane);

/* A free buffer to build a transfer in, of the size given to usb_lane_open; NULL when all are in
 * flight. Send it before asking for the next one. A failure shows in usb_lane_receive. */
uint8_t *usb_lane_buffer(struct usb_lane *lane);
void usb_lane_send(struct usb_lane *lane, size_t len);

/* True while transfers to the board are in flight. */
bool usb_lane_sending(const struct usb_lane *lane);

/* What an error of usb_lane_receive, usb_lane_handle or usb_lane_open means for the user. */
const char *usb_lane_error_text(int err);

struct usb_lane_counts usb_lane_counts(const struct usb_lane *lane);

#endif
