/* SPDX-License-Identifier: Apache-2.0 */
/* A lane of a board: a claimed interface with several transfers in flight each way.
 *
 * Only opening and closing wait, for a bounded time. For everything else the caller polls. */
#ifndef HOST_USB_LANE_H
#define HOST_USB_LANE_H

#include "core/link/link.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_DEPTH 4 /* transfers in flight each way; 2.6 times as fast as one */

/* The default size of a buffer in bytes. Boards send up to 32 KiB in one transfer and announce how
 * much they receive in one. The kernel allocates and clears a buffer for each transfer, so larger
 * buffers would cost time and never be full. */
#define LANE_TRANSFER	   (32 * 1024)
#define LANE_TRANSFER_UNIT 1024 /* a packet at super speed; IN buffers are multiples of it */

#define LANE_FDS_MAX 8 /* more than libusb uses for one device */

/* The position of a lane in the configuration of its device. */
struct lane_place {
	uint8_t interface, in, out; /* interface number, endpoint addresses */
};

struct usb_lane_counts {
	uint64_t in_transfers, out_transfers; /* completed without error */
};

struct trace;
struct usb_lane;
struct libusb_config_descriptor;

/* Lists up to LANES_MAX lanes of a configuration. Returns their number, or -EEXIST if another
 * interface uses an endpoint address of a lane: some controllers' drivers assign addresses twice,
 * and data would cross lanes. */
int usb_lane_places(
	const struct libusb_config_descriptor *config, struct lane_place places[static LANES_MAX]);

/* Opens the device node, claims the first free lane, discards data that an earlier session left on
 * it, and starts reading. `transfer` is the size of each buffer in bytes, a multiple of
 * LANE_TRANSFER_UNIT. `trace` may be NULL; otherwise it must outlive the lane. Returns 0 and *lane,
 * or
 *   -EACCES no permission, -ENOENT no such node, -ENODEV no such device, -EBUSY no free lane,
 *   -ENXIO the device has no lanes, or another errno, see usb_lane_error_text. */
int usb_lane_open(const char *node, size_t transfer, struct trace *trace, struct usb_lane **lane);

/* Cancels the transfers in flight, releases the lane and frees it. `lane` may be NULL. */
void usb_lane_close(struct usb_lane *lane);

/* Returns the number of the interface, for messages. */
unsigned int usb_lane_interface(const struct usb_lane *lane);

/* usb_lane_pollfds fills in up to LANE_FDS_MAX descriptors to poll and returns their number.
 * usb_lane_timeout returns how long to poll at most, in ms, or -1 for no limit. After the poll
 * usb_lane_handle takes completed transfers; it returns 0 or a negative errno. */
size_t usb_lane_pollfds(struct usb_lane *lane, struct pollfd fds[static LANE_FDS_MAX]);
int usb_lane_timeout(struct usb_lane *lane);
int usb_lane_handle(struct usb_lane *lane);

/* Returns 1 and the data of the oldest transfer that has arrived, in the order in which the board
 * sent them. It stays the oldest until usb_lane_release. Returns 0 if no transfer has arrived.
 * After the data before a failed transfer was received, returns its negative errno, see
 * usb_lane_error_text; nothing can be received after that. */
int usb_lane_receive(struct usb_lane *lane, const uint8_t **data, size_t *len);
void usb_lane_release(struct usb_lane *lane);

/* Returns a free buffer of the size given to usb_lane_open, to build a transfer in, or NULL if all
 * are in flight. The caller must send it before the next call. usb_lane_receive reports a failed
 * transfer. */
uint8_t *usb_lane_buffer(struct usb_lane *lane);
void usb_lane_send(struct usb_lane *lane, size_t len);

/* True while transfers to the board are in flight. */
bool usb_lane_sending(const struct usb_lane *lane);

/* Describes an error of usb_lane_receive, usb_lane_handle or usb_lane_open to the user. */
const char *usb_lane_error_text(int err);

struct usb_lane_counts usb_lane_counts(const struct usb_lane *lane);

#endif
