/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a board's session, for board_session.c and board_input.c. */
#ifndef CORE_LINK_BOARD_SESSION_PRIVATE_H
#define CORE_LINK_BOARD_SESSION_PRIVATE_H

#include "core/link/board_session.h"

enum board_state {
	BOARD_FRESH, /* no session since start or link reset: a stray frame is answered once */
	BOARD_ASKED, /* the host must show a key; any other frame is a violation */
	BOARD_OPEN,
	BOARD_OVER, /* EXIT or RESET was sent or received: late frames are ignored */
};

struct board_session {
	struct board_config config;
	struct link link;
	enum board_state state;
	uint64_t nonce;
	/* The HELLO of the host and the board's challenge: the host signs both. */
	struct hello hello;
	struct auth_challenge challenge;
	uint32_t lease_ms;
	uint64_t heard_ms;     /* when the host's last frame arrived */
	uint64_t challenge_ms; /* when the challenge becomes due; 0: it is not held back */

	/* Input of the process: a ring of config.window bytes; NULL if no session is open. */
	uint8_t *input;
	size_t input_start, input_len;
	/* Input that is still in the last transfer; the ring is then empty. */
	const uint8_t *borrowed;
	size_t borrowed_len;
	bool input_eof, input_discarded;

	/* Bytes of DATA; `announced` is the value of the last WINDOW, at most `consumed`. */
	uint64_t received, consumed, announced, sent;

	/* Frames that wait to be sent: at most one of each type, so they cannot pile up. */
	bool challenge_due, reply_due, pong_due, exit_due, reset_due;
	uint8_t exit_code, exit_signal;
	struct reset_info reset;
};

/* Copies input into the ring. The window guarantees room for it. */
void board_store(struct board_session *s, const uint8_t *data, size_t len);

#endif
