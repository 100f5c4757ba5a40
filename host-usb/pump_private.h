/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the pump share. */
#ifndef HOST_USB_PUMP_PRIVATE_H
#define HOST_USB_PUMP_PRIVATE_H

#include "core/link/host_session.h"
#include "host-usb/near.h"
#include "host-usb/pump.h"

enum pump_state {
	PUMP_RUNNING,
	PUMP_CLOSING, /* a RESET is on its way to the board */
	PUMP_OVER,
};

struct pump {
	const struct pump_options *options;
	struct usb_lane *lane;
	struct host_session *session;
	const struct near_end *near;
	struct notes *notes;
	enum pump_state state;
	int status; /* what pump_run will return */
	unsigned int tries;
	uint64_t now_ms, close_ms, opened_ms;
	uint64_t near_ms; /* when the near end's tick is due */
	uint64_t pongs;	  /* that it was told of */
	bool input_ready, input_ended;

	/* The transfer that events are taken from, and what is left to write of the last event. */
	const uint8_t *transfer;
	size_t transfer_len, offset;
	struct host_event event;
	uint64_t written, noted;
};

/* Takes the signals that wait. */
void pump_signals(struct pump *p);

/* The board wants a key: shows the next one, or closes. */
void pump_answer(struct pump *p);

#endif
