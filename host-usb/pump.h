/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a session from HELLO to its end.
 *
 * It moves bytes between a lane and a near end, and the board's messages to stderr. */
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
	size_t transfer;   /* size of the lane's buffers in bytes */
	uint32_t lease_ms; /* 0: the default */
	const struct near_end *near;
	struct trace *trace; /* NULL: no trace */
	struct identity *identity;
	int signal_fd;
	struct tty *tty; /* restored while the program is stopped */
};

struct pump_counts {
	uint64_t sent, consumed, received; /* bytes, see host_counts */
	uint64_t written;		   /* bytes that the near end accepted */
	uint64_t notes;			   /* bytes of the board's stderr */
	uint64_t open_ms;		   /* from HELLO_REPLY to the end of the session */
};

/* Runs until the session is over. Logs the cause if it does not end cleanly. Returns the exit
 * status, or minus the number of the signal to die of. */
int pump_run(const struct pump_options *options, struct pump_counts *counts);

#endif
