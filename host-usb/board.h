/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the board that the user chose, waits for it if asked, claims a lane. */
#ifndef HOST_USB_BOARD_H
#define HOST_USB_BOARD_H

#include "host-usb/device.h"
#include "host-usb/lane.h"
#include "host-usb/tty.h"

#include <stddef.h>
#include <stdint.h>

#define BOARD_WAIT_FOREVER UINT64_MAX

struct board_choice {
	const char *serial; /* or bus path; NULL: there must be only one board */
	const char *sysfs;
	uint64_t wait_ms; /* 0: do not wait */
	size_t transfer;  /* bytes of the lane's buffers */
	struct trace *trace;
};

/* Finds the board and claims a lane. While it waits, it handles signals from `signal_fd` and
 * restores the terminal when the program is stopped. Returns 0 with *device and *lane, an exit
 * status after logging the cause, or minus the number of the signal to die of. */
int board_open(const struct board_choice *choice, int signal_fd, struct tty *tty,
	struct device *device, struct usb_lane **lane);

/* Logs that the board was not found. Returns the exit status. */
int board_none(const struct board_choice *choice);

#endif
