/* SPDX-License-Identifier: Apache-2.0 */
/* A session from HELLO to its end: moves bytes between a lane and a near end, and the board's
 * messages to stderr. */
#ifndef HOST_USB_PUMP_H
#define HOST_USB_PUMP_H

#include "host-usb/lane.h"
#include "host-usb/tty.h"

#include <stdint.h>

struct identity;
struct near_end;
struct trace;

struct pump_options {
	struct usb_lane *lane;
	size_t transfer;   /* bytes of the lane's buffers */
	uint32_t lease_ms; /* 0: the usual one */
	const struct near_end *near;
	struct trace *trace; /* NULL: none */
	struct identity *identity;
	int signal_fd;
	struct tty *tty; /* given back while the program is stopped */
};

struct pump_counts {
	uint64_t sent, consumed, received; /* bytes of input, output; see host_counts */
	uint64_t written;		   /* bytes that the near end took */
	uint64_t notes;			   /* bytes of the board's stderr */
	uint64_t open_ms;		   /* from the board's answer to the end */
};

/* Runs until the session is over, having logged the cause of an end that is not clean. Returns the
 * exit status, or minus the number of the signal that the program is to die of. */
int pump_run(const struct pump_options *options, struct pump_counts *counts);

#endif
