/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the board that is meant, waits for it if that was asked for, and claims a lane of it. */
#ifndef HOST_USB_BOARD_H
#define HOST_USB_BOARD_H

#include "host-usb/device.h"
#include "host-usb/lane.h"
#include "host-usb/tty.h"

#include <stddef.h>
#include <stdint.h>

#define BOARD_WAIT_FOREVER UINT64_MAX

struct board_choice {
	const char *serial; /* or bus path; NULL: the only one */
	const char *sysfs;
	uint64_t wait_ms; /* 0: do not wait */
	size_t transfer;  /* bytes of the lane's buffers */
	struct trace *trace;
};

/* Finds the board and claims a lane, or says why there is none. Returns 0 with *device and *lane,
 * an exit status, or minus the signal to die of. */
int board_open(const struct board_choice *choice, int signal_fd, struct tty *tty,
	struct device *device, struct usb_lane **lane);

/* Says that there is no such board; returns the exit status. */
int board_none(const struct board_choice *choice);

#endif
