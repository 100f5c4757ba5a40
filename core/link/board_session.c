/* SPDX-License-Identifier: Apache-2.0 */
/* The board's end of a session, as a state machine without I/O. */
#include "core/link/board_session_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The frames that board_session_begin() writes: HELLO_REPLY, AUTH_CHALLENGE, RESET, WINDOW, EXIT
 * and PONG. One more header is for the PAD. */
_Static_assert(
	7 * FRAME_HEADER + 3 * FRAME_PAYLOAD_MAX + WINDOW_PAYLOAD + EXIT_PAYLOAD < TRANSFER_MIN,
	"all pending frames fit into the smallest transfer");

struct board_session *board_session_new(const struct board_config *config)
{
	struct board_session *s = calloc(1, sizeof(*s));

	if (s) {
		s->config = *config;
		link_open(&s->link, s->config.max_send, TRANSFER_MAX);
	}
	return s;
}

static void board_release_input(struct board_session *s)
{
	free(s->input);
	s->input = NULL;
	s->input_start = s->input_len = s->borrowed_len = 0;
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
	s->challenge_ms = 0;
	s->challenge_due = s->exit_due = s->pong_due = false;
}

/* True if the host still counts on the session: neither EXIT nor RESET ended it. */
static bool board_is_live(const struct board_session *s)
{
	return s->state == BOARD_OPEN || s->state == BOARD_ASKED;
}

void board_session_end(struct board_session *s, enum reset_reason reason, const char *text)
{
	if (!board_is_live(s))
		return;
	board_queue_reset(s, reason, s->nonce, text);
	s->state = BOARD_OVER;
	board_release_input(s);
}

enum board_event board_session_drop(struct board_session *s)
{
	enum board_event event = board_is_live(s) ? BOARD_STOP : BOARD_NOTHING;

	s->challenge_due = s->reply_due = s->pong_due = s->exit_due = s->reset_due = false;
	s->challenge_ms = 0;
	s->announced = s->consumed; /* a later RESET is of no session: it needs no WINDOW */
	s->state = BOARD_FRESH;
	board_release_input(s);
	return event;
}

/* Handles a frame that breaks the rules. Without a session only the first one is answered: two ends
 * must not answer garbage with garbage forever. */
static enum board_event board_violation(struct board_session *s, const char *what)
{
	if (board_is_live(s)) {
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

/* Refuses a HELLO. Returns BOARD_STOP if that ends an older session. */
static enum board_event board_refuse(
	struct board_session *s, enum reset_reason reason, uint64_t nonce, const char *text)
{
	enum board_event event = board_session_drop(s);

	board_queue_reset(s, reason, nonce, text);
	s->state = BOARD_OVER;
	return event;
}

static void board_fill_hello(const struct board_session *s, struct hello *hello)
{
	hello->major = LINK_MAJOR;
	hello->minor = LINK_MINOR;
	hello->max_transfer = s->config.max_transfer;
	hello->nonce = s->nonce;
	hello->lease_ms = s->lease_ms;
}

/* Opens a session for a host that was admitted. */
static enum board_event board_start_session(struct board_session *s, uint64_t now_ms)
{
	s->input = malloc(s->config.window);
	if (!s->input) {
		board_queue_reset(s, RESET_START, s->nonce, "out of memory");
		s->state = BOARD_OVER;
		return BOARD_NOTHING;
	}
	s->reply_due = true;
	s->heard_ms = now_ms;
	s->state = BOARD_OPEN;
	return BOARD_START;
}

/* Sends the first challenge, at once or after the gate's wait. */
static void board_challenge(struct board_session *s, uint64_t now_ms)
{
	const struct board_gate *gate = s->config.gate;
	uint64_t wait_ms = gate->wait_ms ? gate->wait_ms(gate->context) : 0;

	s->challenge_due = !wait_ms;
	s->challenge_ms = wait_ms ? now_ms + wait_ms : 0;
	s->heard_ms = now_ms;
}

/* Asks for a key if the gate wants one, or refuses the host. Returns true if no key is needed. */
static bool board_ask_for_key(struct board_session *s, uint64_t now_ms)
{
	const struct board_gate *gate = s->config.gate;
	struct reset_info refusal = {.reason = RESET_AUTH};
	int asked = gate ? gate->ask(gate->context, s->challenge.nonce, &refusal) : 0;

	if (asked == 0)
		return true;
	if (asked < 0) {
		board_queue_reset(s, refusal.reason, s->nonce, refusal.text);
		s->state = BOARD_OVER;
	} else if (s->hello.minor < LINK_MINOR_AUTH) {
		board_queue_reset(s, RESET_VERSION, s->nonce,
			"the board asks for a key, which needs a newer bpfd-usb");
		s->state = BOARD_OVER;
	} else {
		board_fill_hello(s, &s->challenge.hello);
		s->challenge.tries = AUTH_TRIES;
		s->challenge.lane = gate->lane;
		snprintf(s->challenge.serial, LINK_SERIAL_MAX + 1, "%s", gate->serial);
		board_challenge(s, now_ms);
		s->state = BOARD_ASKED;
	}
	return false;
}

static enum board_event board_hello(
	struct board_session *s, const struct frame *frame, uint64_t now_ms)
{
	struct hello hello;
	char text[LINK_TEXT_MAX + 1];
	enum board_event replaced, opened;

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
	link_open(&s->link, s->config.max_send, hello.max_transfer);
	s->link.rx_seq = 1;
	hello_get(frame, &s->hello);
	s->nonce = hello.nonce;
	s->lease_ms = board_lease(hello.lease_ms);
	s->input_eof = s->input_discarded = false;
	s->received = s->consumed = s->announced = s->sent = 0;
	opened = board_ask_for_key(s, now_ms) ? board_start_session(s, now_ms) : BOARD_NOTHING;
	return opened == BOARD_START ? opened : replaced;
}

/* Handles a frame of a host that must show a key: AUTH_RESPONSE, or the PAD of an earlier frame. */
static enum board_event board_response(
	struct board_session *s, const struct frame *frame, uint64_t now_ms)
{
	struct auth_response response;
	uint8_t message[AUTH_MESSAGE_MAX];
	size_t len;

	if (link_receive(&s->link, frame) < 0)
		return board_violation(s, "gap in the frame numbers");
	if (frame->type == FRAME_PAD && frame->len == 0)
		return BOARD_NOTHING;
	if (frame->type != FRAME_AUTH_RESPONSE || s->challenge_due || s->challenge_ms)
		return board_violation(s, "frame out of place: the board waits for a key");
	if (auth_response_get(frame, &response) < 0)
		return board_violation(s, "malformed AUTH_RESPONSE");
	len = auth_message(message, &s->hello, &s->challenge, response.key);
	if (s->config.gate->check(s->config.gate->context, &response, message, len))
		return board_start_session(s, now_ms);
	if (--s->challenge.tries == 0) {
		board_session_end(s, RESET_AUTH, "it refused all keys that the host showed");
		return BOARD_STOP;
	}
	s->challenge_due = true;
	s->heard_ms = now_ms;
	return BOARD_NOTHING;
}

static enum board_event board_data(struct board_session *s, const struct frame *frame)
{
	if (frame->len == 0 || s->input_eof)
		return board_violation(s, s->input_eof ? "DATA after EOF" : "empty DATA");
	if (s->received - s->announced + frame->len > s->config.window)
		return board_violation(s, "DATA beyond the window");
	s->received += frame->len;
	if (s->input_discarded) {
		s->consumed += frame->len;
		return BOARD_NOTHING;
	}
	board_session_keep(s);
	if (s->input_len == 0) {
		s->borrowed = frame->payload;
		s->borrowed_len = frame->len;
	} else {
		board_store(s, frame->payload, frame->len);
	}
	return BOARD_NOTHING;
}

/* Handles a frame of an open session, other than HELLO and RESET. */
static enum board_event board_frame(struct board_session *s, const struct frame *frame)
{
	if (link_receive(&s->link, frame) < 0)
		return board_violation(s, "gap in the frame numbers");
	if (frame->len > 0 && frame_is_empty_type(frame->type))
		return board_violation(s, "payload in a frame that has none");
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

/* The host closed the session. It no longer reads, so there is no answer. */
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
			if (s->state == BOARD_OVER || s->state == BOARD_FRESH)
				return opened;
			first = false;
			continue;
		}
		first = false;
		if (frame.type == FRAME_RESET)
			return board_closed(s);
		if (s->state == BOARD_ASKED) {
			event = board_response(s, &frame, now_ms);
			if (event == BOARD_STOP || s->state == BOARD_OVER)
				return event;
			opened = event == BOARD_START ? event : opened;
			continue;
		}
		if (s->state != BOARD_OPEN)
			return board_violation(s, "frame before HELLO");
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
	if (s->challenge_ms) {
		s->challenge_ms = 0;
		s->challenge_due = true;
		s->heard_ms = now_ms;
		return BOARD_NOTHING;
	}
	board_session_end(s, s->state == BOARD_ASKED ? RESET_AUTH : RESET_LEASE,
		s->state == BOARD_ASKED ? "the host did not answer in time" : NULL);
	return BOARD_STOP;
}

uint64_t board_session_deadline(const struct board_session *s)
{
	if (s->challenge_ms)
		return s->challenge_ms;
	if (s->state == BOARD_ASKED)
		return s->heard_ms + AUTH_MS;
	return s->state == BOARD_OPEN ? s->heard_ms + s->lease_ms : UINT64_MAX;
}

/* A WINDOW is due for a quarter of the window: the host then always has credit left, and small
 * commands do not cost a WINDOW frame each. */
static bool board_window_due(const struct board_session *s)
{
	uint64_t unannounced = s->consumed - s->announced;

	return s->state == BOARD_OPEN && unannounced > 0 && unannounced >= s->config.window / 4;
}

bool board_session_pending(const struct board_session *s)
{
	return s->challenge_due || s->reply_due || s->pong_due || s->exit_due || s->reset_due ||
	       board_window_due(s);
}

static void board_put_reply(struct board_session *s, struct transfer *t)
{
	struct hello_reply reply = {.window = s->config.window};

	board_fill_hello(s, &reply.hello);
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
	if (s->challenge_due)
		link_put(&s->link, t, FRAME_AUTH_CHALLENGE,
			auth_challenge_put(link_payload(t), &s->challenge));
	s->challenge_due = false;
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
