/* SPDX-License-Identifier: Apache-2.0 */
/* A session from HELLO to its end: moves bytes between a lane and stdin, stdout and stderr. */
#ifndef HOST_USB_PUMP_H
#define HOST_USB_PUMP_H

#include "host-usb/lane.h"
#include "host-usb/tty.h"

#include <stdbool.h>
#include <stdint.h>

struct pump_options {
	struct usb_lane *lane;
	size_t transfer;   /* bytes of the lane's buffers */
	uint32_t lease_ms; /* 0: the usual one */
	bool trace;	   /* log each frame */
	int signal_fd;
	struct tty *tty; /* given back while the program is stopped */
};

struct pump_counts {
	uint64_t sent, consumed, received; /* bytes of stdin, stdout; see host_counts */
	uint64_t written;		   /* bytes that stdout took */
	uint64_t notes;			   /* bytes of the board's stderr */
	uint64_t open_ms;		   /* from the board's answer to the end */
};

/* Runs until the session is over, having logged the cause of an end that is not clean. Returns the
 * exit status, or minus the number of the signal that the program is to die of. */
int pump_run(const struct pump_options *options, struct pump_counts *counts);

#endif
