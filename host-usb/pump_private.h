/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the pump, shared by its files. */
#ifndef HOST_USB_PUMP_PRIVATE_H
#define HOST_USB_PUMP_PRIVATE_H

#include "core/link/host_session.h"
#include "host-usb/near.h"
#include "host-usb/pump.h"

enum pump_state {
	PUMP_RUNNING,
	PUMP_CLOSING, /* RESET is queued for the board */
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
	uint64_t near_ms; /* when the near end's tick is due next */
	uint64_t pongs;	  /* PONGs that the near end knows of */
	bool input_ready, input_ended;

	/* The transfer that is being read (NULL: none), and the last event; its data and len are
	 * what is still to be written. */
	const uint8_t *transfer;
	size_t transfer_len, offset;
	struct host_event event;
	uint64_t written, noted;
};

/* Handles all pending signals. */
void pump_signals(struct pump *p);

/* Answers AUTH_CHALLENGE with the next key, or closes the session if there is none. */
void pump_answer(struct pump *p);

#endif
