/* SPDX-License-Identifier: Apache-2.0 */
/* The input of a session on the board, on its way from the host to bpfd. */
#include "core/link/board_session_private.h"

#include <string.h>

void board_store(struct board_session *s, const uint8_t *data, size_t len)
{
	size_t window = s->config.window, end = (s->input_start + s->input_len) % window;
	size_t part = window - end < len ? window - end : len;

	memcpy(s->input + end, data, part);
	memcpy(s->input, data + part, len - part);
	s->input_len += len;
}

void board_session_keep(struct board_session *s)
{
	if (s->borrowed_len > 0)
		board_store(s, s->borrowed, s->borrowed_len);
	s->borrowed = NULL;
	s->borrowed_len = 0;
}

const uint8_t *board_session_input(const struct board_session *s, size_t *len)
{
	size_t to_end = s->config.window - s->input_start;

	if (s->borrowed_len > 0) {
		*len = s->borrowed_len;
		return s->borrowed;
	}
	*len = s->input_len < to_end ? s->input_len : to_end;
	return s->input ? s->input + s->input_start : NULL;
}

void board_session_consume(struct board_session *s, size_t len)
{
	s->consumed += len;
	if (s->borrowed_len > 0) {
		s->borrowed += len;
		s->borrowed_len -= len;
		return;
	}
	s->input_start = (s->input_start + len) % s->config.window;
	s->input_len -= len;
}

bool board_session_input_ended(const struct board_session *s)
{
	return s->state == BOARD_OPEN && s->input_eof && s->input_len + s->borrowed_len == 0;
}

void board_session_discard_input(struct board_session *s)
{
	board_session_consume(s, s->input_len + s->borrowed_len);
	s->input_discarded = true;
}
