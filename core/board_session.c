/* SPDX-License-Identifier: Apache-2.0 */
/* The board's end of a session, as a state machine without I/O. */
#include "core/board_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum board_state {
	BOARD_FRESH, /* nothing was opened, or the link was reset: a stray frame is answered */
	BOARD_OPEN,
	BOARD_OVER, /* EXIT or RESET told the host: what is still under way from it is ignored */
};

struct board_session {
	struct board_config config;
	struct link link;
	enum board_state state;
	uint64_t nonce;
	uint32_t lease_ms;
	uint64_t heard_ms;

	/* Input of the child: a ring of config.window bytes, there only while a session is open. */
	uint8_t *input;
	size_t input_start, input_len;
	bool input_eof, input_discarded;
	uint64_t received, consumed, announced, sent;

	/* What waits to be sent: at most one frame of each kind, so nothing can pile up. */
	bool reply_due, pong_due, exit_due, reset_due;
	uint8_t exit_code, exit_signal;
	struct reset_info reset;
};

/* All of a begin() fits into the smallest transfer. */
_Static_assert(4 * FRAME_HEADER + 2 * FRAME_PAYLOAD_MAX + 8 + 18 + 2 * FRAME_HEADER < TRANSFER_MIN,
	"pending frames fit into one transfer");

struct board_session *board_session_new(const struct board_config *config)
{
	struct board_session *s = calloc(1, sizeof(*s));

	if (s) {
		s->config = *config;
		if (s->config.max_send == 0)
			s->config.max_send = config->max_transfer;
		link_open(&s->link, s->config.max_send, TRANSFER_MAX);
	}
	return s;
}

static void board_release_input(struct board_session *s)
{
	free(s->input);
	s->input = NULL;
	s->input_start = 0;
	s->input_len = 0;
}

void board_session_free(struct board_session *s)
{
	if (!s)
		return;
	board_release_input(s);
	free(s);
}

bool board_session_is_open(const struct board_session *s)
{
	return s->state == BOARD_OPEN;
}

bool board_session_is_hello(const uint8_t *transfer, size_t len)
{
	struct frame frame;
	struct hello hello;
	size_t offset = 0;

	return frame_next(transfer, len, &offset, &frame) == 1 && frame.type == FRAME_HELLO &&
	       hello_get(&frame, &hello) == 0;
}

static void board_queue_reset(
	struct board_session *s, enum reset_reason reason, uint64_t nonce, const char *text)
{
	s->reset.reason = (uint16_t)reason;
	s->reset.nonce = nonce;
	snprintf(s->reset.text, sizeof(s->reset.text), "%s", text ? text : "");
	s->reset_due = true;
	s->exit_due = false;
	s->pong_due = false;
}

void board_session_end(struct board_session *s, enum reset_reason reason, const char *text)
{
	if (s->state != BOARD_OPEN)
		return;
	board_queue_reset(s, reason, s->nonce, text);
	s->state = BOARD_OVER;
	board_release_input(s);
}

enum board_event board_session_drop(struct board_session *s)
{
	enum board_event event = s->state == BOARD_OPEN ? BOARD_STOP : BOARD_NOTHING;

	s->reply_due = s->pong_due = s->exit_due = s->reset_due = false;
	s->announced = s->consumed; /* a RESET that follows is not of this session */
	s->state = BOARD_FRESH;
	board_release_input(s);
	return event;
}

/* A frame that breaks the rules. Without a session the host is told too, but once only: a peer
 * that sends garbage must not make us send as much. */
static enum board_event board_violation(struct board_session *s, const char *what)
{
	if (s->state == BOARD_OPEN) {
		board_session_end(s, RESET_PROTOCOL, what);
		return BOARD_STOP;
	}
	if (s->state == BOARD_FRESH) {
		board_queue_reset(s, RESET_NO_SESSION, 0, what);
		s->state = BOARD_OVER;
	}
	return BOARD_NOTHING;
}

static uint32_t board_lease(uint32_t wanted_ms)
{
	if (wanted_ms == 0)
		return LEASE_MS;
	if (wanted_ms < LEASE_MS_MIN)
		return LEASE_MS_MIN;
	return wanted_ms > LEASE_MS_MAX ? LEASE_MS_MAX : wanted_ms;
}

/* Refuses a HELLO. Returns what became of a session that it would have replaced. */
static enum board_event board_refuse(
	struct board_session *s, enum reset_reason reason, uint64_t nonce, const char *text)
{
	enum board_event event = board_session_drop(s);

	board_queue_reset(s, reason, nonce, text);
	s->state = BOARD_OVER;
	return event;
}

static enum board_event board_hello(
	struct board_session *s, const struct frame *frame, uint64_t now_ms)
{
	struct hello hello;
	char text[LINK_TEXT_MAX + 1];
	enum board_event replaced;

	if (hello_get(frame, &hello) < 0)
		return board_violation(s, "malformed HELLO");
	if (hello.major != LINK_MAJOR) {
		snprintf(text, sizeof(text), "the board speaks %u.%u, the host %u.%u", LINK_MAJOR,
			LINK_MINOR, hello.major, hello.minor);
		return board_refuse(s, RESET_VERSION, hello.nonce, text);
	}
	if (frame->seq != 0 || hello.max_transfer < TRANSFER_MIN)
		return board_refuse(s, RESET_PROTOCOL, hello.nonce, "malformed HELLO");
	replaced = board_session_drop(s);
	s->input = malloc(s->config.window);
	if (!s->input) {
		board_refuse(s, RESET_START, hello.nonce, "out of memory");
		return replaced;
	}
	link_open(&s->link, s->config.max_send, hello.max_transfer);
	s->link.rx_seq = 1;
	s->nonce = hello.nonce;
	s->lease_ms = board_lease(hello.lease_ms);
	s->input_eof = s->input_discarded = false;
	s->received = s->consumed = s->announced = s->sent = 0;
	s->reply_due = true;
	s->heard_ms = now_ms;
	s->state = BOARD_OPEN;
	return BOARD_START;
}

static enum board_event board_data(struct board_session *s, const struct frame *frame)
{
	size_t window = s->config.window, end, part;

	if (frame->len == 0 || s->input_eof)
		return board_violation(s, s->input_eof ? "DATA after EOF" : "empty DATA");
	if (s->received - s->announced + frame->len > window)
		return board_violation(s, "DATA beyond the window");
	s->received += frame->len;
	if (s->input_discarded) {
		s->consumed += frame->len;
		return BOARD_NOTHING;
	}
	end = (s->input_start + s->input_len) % window;
	part = window - end < frame->len ? window - end : frame->len;
	memcpy(s->input + end, frame->payload, part);
	memcpy(s->input, frame->payload + part, frame->len - part);
	s->input_len += frame->len;
	return BOARD_NOTHING;
}

/* One frame of an open session, other than HELLO. */
static enum board_event board_frame(struct board_session *s, const struct frame *frame)
{
	if (link_receive(&s->link, frame) < 0)
		return board_violation(s, "gap in the frame numbers");
	if (frame->len > 0 && frame_is_empty_type(frame->type))
		return board_violation(s, "payload where there is none");
	switch (frame->type) {
	case FRAME_DATA:
		return board_data(s, frame);
	case FRAME_EOF:
		if (s->input_eof)
			return board_violation(s, "second EOF");
		s->input_eof = true;
		return BOARD_NOTHING;
	case FRAME_PING:
		s->pong_due = true;
		return BOARD_NOTHING;
	case FRAME_PAD:
		return BOARD_NOTHING;
	default:
		return board_violation(s, "frame out of place");
	}
}

/* The host closes: no answer, it is not listening any more. */
static enum board_event board_closed(struct board_session *s)
{
	enum board_event event = board_session_drop(s);

	s->state = BOARD_OVER;
	return event;
}

enum board_event board_session_receive(
	struct board_session *s, const uint8_t *transfer, size_t len, uint64_t now_ms)
{
	enum board_event event = BOARD_NOTHING, opened = BOARD_NOTHING;
	struct frame frame;
	size_t offset = 0;
	bool first = true;

	if (!frame_all_whole(transfer, len))
		return board_violation(s, "malformed frame");
	while (frame_next(transfer, len, &offset, &frame) == 1) {
		if (frame.type == FRAME_HELLO && first) {
			opened = board_hello(s, &frame, now_ms);
			if (opened != BOARD_START)
				return opened;
			first = false;
			continue;
		}
		first = false;
		if (frame.type == FRAME_RESET)
			return board_closed(s);
		if (s->state != BOARD_OPEN)
			return board_violation(s, "no HELLO yet");
		event = board_frame(s, &frame);
		if (event != BOARD_NOTHING)
			return event;
		s->heard_ms = now_ms;
	}
	return opened;
}

enum board_event board_session_tick(struct board_session *s, uint64_t now_ms)
{
	if (now_ms < board_session_deadline(s))
		return BOARD_NOTHING;
	board_session_end(s, RESET_LEASE, NULL);
	return BOARD_STOP;
}

uint64_t board_session_deadline(const struct board_session *s)
{
	return s->state == BOARD_OPEN ? s->heard_ms + s->lease_ms : UINT64_MAX;
}

const uint8_t *board_session_input(const struct board_session *s, size_t *len)
{
	size_t to_end = s->config.window - s->input_start;

	*len = s->input_len < to_end ? s->input_len : to_end;
	return s->input ? s->input + s->input_start : NULL;
}

void board_session_consume(struct board_session *s, size_t len)
{
	s->input_start = (s->input_start + len) % s->config.window;
	s->input_len -= len;
	s->consumed += len;
}

bool board_session_input_ended(const struct board_session *s)
{
	return s->state == BOARD_OPEN && s->input_eof && s->input_len == 0;
}

void board_session_discard_input(struct board_session *s)
{
	board_session_consume(s, s->input_len);
	s->input_discarded = true;
}

/* A quarter: the host always has credit left, and small commands cost no WINDOW frame each. */
static bool board_window_due(const struct board_session *s)
{
	uint64_t unannounced = s->consumed - s->announced;

	return s->state == BOARD_OPEN && unannounced > 0 && unannounced >= s->config.window / 4;
}

bool board_session_pending(const struct board_session *s)
{
	return s->reply_due || s->pong_due || s->exit_due || s->reset_due || board_window_due(s);
}

static void board_put_reply(struct board_session *s, struct transfer *t)
{
	struct hello_reply reply = {
		.hello =
			{
				.major = LINK_MAJOR,
				.minor = LINK_MINOR,
				.max_transfer = s->config.max_transfer,
				.nonce = s->nonce,
				.lease_ms = s->lease_ms,
			},
		.window = s->config.window,
	};

	snprintf(reply.version, sizeof(reply.version), "%s", s->config.version);
	link_put(&s->link, t, FRAME_HELLO_REPLY, hello_reply_put(link_payload(t), &reply));
	s->reply_due = false;
}

static void board_put_exit(struct board_session *s, struct transfer *t)
{
	struct exit_info info = {
		.code = s->exit_code,
		.signal = s->exit_signal,
		.received = s->received,
		.sent = s->sent,
	};

	link_put(&s->link, t, FRAME_EXIT, exit_put(link_payload(t), &info));
	s->exit_due = false;
	s->state = BOARD_OVER;
	board_release_input(s);
}

void board_session_begin(struct board_session *s, struct transfer *t, uint8_t *buffer)
{
	t->data = buffer;
	t->len = 0;
	if (s->reply_due)
		board_put_reply(s, t);
	if (board_window_due(s) || ((s->reset_due || s->exit_due) && s->consumed > s->announced)) {
		s->announced = s->consumed;
		link_put(&s->link, t, FRAME_WINDOW, window_put(link_payload(t), s->consumed));
	}
	if (s->pong_due) {
		link_put(&s->link, t, FRAME_PONG, 0);
		s->pong_due = false;
	}
	if (s->exit_due)
		board_put_exit(s, t);
	if (s->reset_due) {
		link_put(&s->link, t, FRAME_RESET, reset_put(link_payload(t), &s->reset));
		s->reset_due = false;
	}
}

size_t board_session_room(const struct board_session *s, const struct transfer *t)
{
	return s->state == BOARD_OPEN && !s->exit_due ? link_room(&s->link, t) : 0;
}

void board_session_put(
	struct board_session *s, struct transfer *t, enum frame_type type, size_t len)
{
	if (len == 0)
		return;
	if (type == FRAME_DATA)
		s->sent += len;
	link_put(&s->link, t, type, len);
}

size_t board_session_finish(struct board_session *s, struct transfer *t)
{
	return link_finish(&s->link, t);
}

void board_session_exit(struct board_session *s, int code, int signal)
{
	if (s->state != BOARD_OPEN)
		return;
	s->exit_code = (uint8_t)code;
	s->exit_signal = (uint8_t)signal;
	s->exit_due = true;
}

uint64_t board_session_received(const struct board_session *s)
{
	return s->received;
}

uint64_t board_session_sent(const struct board_session *s)
{
	return s->sent;
}
