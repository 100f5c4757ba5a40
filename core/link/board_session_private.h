/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the board's session share. */
#ifndef CORE_LINK_BOARD_SESSION_PRIVATE_H
#define CORE_LINK_BOARD_SESSION_PRIVATE_H

#include "core/link/board_session.h"

enum board_state {
	BOARD_FRESH, /* nothing was opened, or the link was reset: a stray frame is answered */
	BOARD_ASKED, /* a key is awaited; nothing else is heeded */
	BOARD_OPEN,
	BOARD_OVER, /* EXIT or RESET told the host: what is still under way from it is ignored */
};

struct board_session {
	struct board_config config;
	struct link link;
	enum board_state state;
	uint64_t nonce;
	struct hello hello; /* of the host; and what it has to sign */
	struct auth_challenge challenge;
	uint32_t lease_ms;
	uint64_t heard_ms;

	/* Input of the child: a ring of config.window bytes, there only while a session is open. */
	uint8_t *input;
	size_t input_start, input_len;
	const uint8_t *borrowed; /* input in the last transfer: then the ring has none */
	size_t borrowed_len;
	bool input_eof, input_discarded;
	uint64_t received, consumed, announced, sent;

	/* What waits to be sent: at most one frame of each kind, so nothing can pile up. */
	bool challenge_due, reply_due, pong_due, exit_due, reset_due;
	uint8_t exit_code, exit_signal;
	struct reset_info reset;
};

/* Puts input into the ring, which has room for it. */
void board_store(struct board_session *s, const uint8_t *data, size_t len);

#endif
