/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of a session, as a state machine without I/O. */
#include "core/link/host_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_RETRY_MS 1000 /* a HELLO is lost if it merged with a dead host's half transfer */
#define HELLO_WAIT_MS  4000 /* the longest wait for an answer; see host_session_open */

enum host_state {
	HOST_CLOSED,
	HOST_HELLO, /* HELLO sent or pending; input is discarded until the nonce returns */
	HOST_KEY,   /* the board asked for a key */
	HOST_OPEN,
	HOST_OVER,
};

struct host_session {
	struct host_config config;
	struct link link;
	enum host_state state;
	uint64_t nonce;
	struct hello_reply reply;
	struct auth_challenge challenge;
	struct auth_response response;
	uint64_t opened_ms, heard_ms, pinged_ms;
	uint32_t hello_ms; /* how long to wait for the answer to HELLO */
	uint32_t lease_ms, ping_ms;
	bool blocked;
	struct host_counts counts;
	bool answered; /* host_session_answer() was called for the last AUTH_CHALLENGE */
	bool hello_due, response_due, ping_due, eof_due, reset_due, eof_sent;
};

struct host_session *host_session_new(const struct host_config *config)
{
	struct host_session *s = calloc(1, sizeof(*s));

	if (s)
		s->config = *config;
	return s;
}

void host_session_free(struct host_session *s)
{
	free(s);
}

void host_session_open(struct host_session *s, uint64_t nonce, uint64_t now_ms)
{
	link_open(&s->link, s->config.max_transfer, TRANSFER_MIN);
	memset(&s->reply, 0, sizeof(s->reply));
	memset(&s->challenge, 0, sizeof(s->challenge));
	memset(&s->response, 0, sizeof(s->response));
	memset(&s->counts, 0, sizeof(s->counts));
	s->nonce = nonce;
	if (s->state != HOST_HELLO)
		s->hello_ms = HELLO_RETRY_MS;
	else if (s->hello_ms < HELLO_WAIT_MS)
		s->hello_ms *= 2;
	s->state = HOST_HELLO;
	s->opened_ms = now_ms;
	s->hello_due = true;
	s->answered = s->response_due = s->ping_due = s->eof_due = s->reset_due = s->eof_sent =
		false;
}

bool host_session_is_open(const struct host_session *s)
{
	return s->state == HOST_OPEN;
}

const struct hello_reply *host_session_reply(const struct host_session *s)
{
	return &s->reply;
}

static struct hello host_hello(const struct host_session *s)
{
	return (struct hello){
		.major = LINK_MAJOR,
		.minor = LINK_MINOR,
		.max_transfer = s->config.max_transfer,
		.nonce = s->nonce,
		.lease_ms = s->config.lease_ms,
	};
}

const struct auth_challenge *host_session_challenge(const struct host_session *s)
{
	return &s->challenge;
}

size_t host_session_message(const struct host_session *s, const uint8_t key[AUTH_KEY_SIZE],
	uint8_t message[AUTH_MESSAGE_MAX])
{
	struct hello hello = host_hello(s);

	return auth_message(message, &hello, &s->challenge, key);
}

void host_session_answer(
	struct host_session *s, const struct auth_response *response, uint64_t now_ms)
{
	if (s->state != HOST_KEY || s->answered)
		return;
	s->response = *response;
	s->response_due = s->answered = true;
	s->heard_ms = now_ms; /* the lease starts: the board waited for this answer */
}

void host_session_heard(struct host_session *s, uint64_t now_ms)
{
	s->heard_ms = now_ms;
}

static enum host_event_type host_broken(
	struct host_session *s, struct host_event *event, const char *what)
{
	host_session_close(s);
	memset(&event->reset, 0, sizeof(event->reset));
	event->reset.reason = RESET_PROTOCOL;
	event->reset.nonce = s->nonce;
	snprintf(event->reset.text, sizeof(event->reset.text), "%s", what);
	return HOST_BROKEN;
}

static enum host_event_type host_reset(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	if (reset_get(frame, &event->reset) < 0)
		return host_broken(s, event, "malformed RESET");
	s->state = HOST_OVER;
	return HOST_RESET;
}

static enum host_event_type host_reply(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	const struct hello *hello = &s->reply.hello;
	bool asked = s->state == HOST_KEY; /* then link_receive() has checked the number */

	if (hello_reply_get(frame, &s->reply) < 0 || hello->nonce != s->nonce)
		return asked ? host_broken(s, event, "malformed HELLO_REPLY")
			     : HOST_NONE; /* of an older session */
	if ((!asked && frame->seq != 0) || hello->major != LINK_MAJOR ||
		hello->max_transfer < TRANSFER_MIN || s->reply.window == 0 || s->reply.status != 0)
		return host_broken(s, event, "malformed HELLO_REPLY");
	if (!asked)
		s->link.tx_seq = s->link.rx_seq = 1; /* HELLO and its answer had number 0 */
	link_limit(&s->link, s->config.max_transfer, hello->max_transfer);
	s->lease_ms = hello->lease_ms >= LEASE_MS_MIN ? hello->lease_ms : LEASE_MS_MIN;
	s->ping_ms = s->config.ping_ms ? s->config.ping_ms : s->lease_ms / 5;
	if (!s->config.ping_ms && s->ping_ms > PING_MS)
		s->ping_ms = PING_MS;
	s->pinged_ms = s->heard_ms;
	s->state = HOST_OPEN;
	return HOST_OPENED;
}

/* The board asks for a key: first as the answer to HELLO, then again after each wrong key. */
static enum host_event_type host_asked(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	const struct hello *hello = &s->challenge.hello;
	bool again = s->state == HOST_KEY;

	if (auth_challenge_get(frame, &s->challenge) < 0 || hello->nonce != s->nonce)
		return again ? host_broken(s, event, "malformed AUTH_CHALLENGE")
			     : HOST_NONE; /* of an older session */
	if ((!again && frame->seq != 0) || hello->major != LINK_MAJOR ||
		hello->max_transfer < TRANSFER_MIN || s->challenge.tries == 0)
		return host_broken(s, event, "malformed AUTH_CHALLENGE");
	if (!again)
		s->link.tx_seq = s->link.rx_seq = 1;
	s->reply.hello = *hello;
	s->lease_ms = hello->lease_ms >= LEASE_MS_MIN ? hello->lease_ms : LEASE_MS_MIN;
	s->answered = false;
	s->state = HOST_KEY;
	return HOST_ASKED;
}

/* Handles a frame of a board that has asked for a key. */
static enum host_event_type host_key_frame(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	if (frame->type == FRAME_PAD && frame->len == 0)
		return HOST_NONE;
	if (!s->answered || s->response_due)
		return host_broken(s, event, "frame out of place: the board had asked for a key");
	if (frame->type == FRAME_AUTH_CHALLENGE)
		return host_asked(s, frame, event);
	if (frame->type == FRAME_HELLO_REPLY)
		return host_reply(s, frame, event);
	return host_broken(s, event, "frame out of place: the board had asked for a key");
}

/* Waits for the answer to this host's HELLO. All other frames are of an older session. */
static enum host_event_type host_await(struct host_session *s, const uint8_t *transfer, size_t len,
	size_t *offset, struct host_event *event)
{
	enum host_event_type type;
	struct frame frame;

	while (frame_next(transfer, len, offset, &frame) == 1) {
		if (frame.type == FRAME_HELLO_REPLY) {
			type = host_reply(s, &frame, event);
			if (type != HOST_NONE)
				return type;
		}
		if (frame.type == FRAME_AUTH_CHALLENGE) {
			type = host_asked(s, &frame, event);
			if (type != HOST_NONE)
				return type;
		}
		if (frame.type == FRAME_RESET && reset_get(&frame, &event->reset) == 0 &&
			event->reset.nonce == s->nonce) {
			s->state = HOST_OVER;
			return HOST_RESET;
		}
	}
	return HOST_NONE;
}

static enum host_event_type host_window(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	uint64_t consumed;

	if (window_get(frame, &consumed) < 0 || consumed < s->counts.consumed ||
		consumed > s->counts.sent)
		return host_broken(s, event, "impossible WINDOW");
	s->counts.consumed = consumed;
	return HOST_NONE;
}

/* Compares the totals: all output must have arrived, and the board cannot have received more input
 * than was sent. It may have received less, if the process ended while input was in flight. */
static enum host_event_type host_exit(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	if (exit_get(frame, &event->exit) < 0)
		return host_broken(s, event, "malformed EXIT");
	if (event->exit.sent != s->counts.received || event->exit.received > s->counts.sent)
		return host_broken(s, event, "the totals of EXIT do not match");
	s->state = HOST_OVER;
	return HOST_EXIT;
}

/* Handles a frame of an open session. Returns HOST_NONE if the frame makes no event. */
static enum host_event_type host_open_frame(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	if (frame->len > 0 && frame_is_empty_type(frame->type))
		return host_broken(s, event, "payload in a frame that has none");
	switch (frame->type) {
	case FRAME_DATA:
	case FRAME_NOTE:
		if (frame->len == 0)
			return host_broken(s, event, "empty DATA or NOTE");
		event->data = frame->payload;
		event->len = frame->len;
		if (frame->type == FRAME_NOTE)
			return HOST_NOTE;
		s->counts.received += frame->len;
		return HOST_OUTPUT;
	case FRAME_WINDOW:
		return host_window(s, frame, event);
	case FRAME_EXIT:
		return host_exit(s, frame, event);
	case FRAME_PONG:
		s->counts.pongs++;
		return HOST_NONE;
	case FRAME_PAD:
		return HOST_NONE;
	default:
		return host_broken(s, event, "frame out of place");
	}
}

static enum host_event_type host_frame(
	struct host_session *s, const struct frame *frame, struct host_event *event)
{
	if (frame->type == FRAME_RESET)
		return host_reset(s, frame, event);
	if (link_receive(&s->link, frame) < 0)
		return host_broken(s, event, "gap in the frame numbers");
	return s->state == HOST_OPEN ? host_open_frame(s, frame, event)
				     : host_key_frame(s, frame, event);
}

/* After the board has answered HELLO: takes frames until one of them makes an event. */
static enum host_event_type host_receive(struct host_session *s, const uint8_t *transfer,
	size_t len, size_t *offset, struct host_event *event)
{
	enum host_event_type type = HOST_NONE;
	struct frame frame;
	int n = 1;

	if (*offset == 0 && !frame_all_whole(transfer, len))
		return host_broken(s, event, "malformed frame");
	while (type == HOST_NONE && (n = frame_next(transfer, len, offset, &frame)) == 1)
		type = host_frame(s, &frame, event);
	return n < 0 ? host_broken(s, event, "malformed frame") : type;
}

enum host_event_type host_session_next(struct host_session *s, const uint8_t *transfer, size_t len,
	size_t *offset, struct host_event *event)
{
	memset(event, 0, sizeof(*event));
	switch (s->state) {
	case HOST_HELLO:
		event->type = host_await(s, transfer, len, offset, event);
		break;
	case HOST_KEY:
	case HOST_OPEN:
		event->type = host_receive(s, transfer, len, offset, event);
		break;
	case HOST_CLOSED:
	case HOST_OVER:
		event->type = HOST_NONE;
		break;
	}
	return event->type;
}

void host_session_block(struct host_session *s, bool blocked, uint64_t now_ms)
{
	if (s->blocked && !blocked)
		s->heard_ms = now_ms;
	s->blocked = blocked;
}

enum host_tick host_session_tick(struct host_session *s, uint64_t now_ms)
{
	if (s->state == HOST_HELLO && now_ms - s->opened_ms >= s->hello_ms)
		return HOST_TICK_RETRY;
	if (s->state != HOST_OPEN && !(s->state == HOST_KEY && s->answered))
		return HOST_TICK_NOTHING;
	if (!s->blocked && now_ms - s->heard_ms >= s->lease_ms) {
		s->state = HOST_OVER;
		return HOST_TICK_DEAD;
	}
	if (s->state == HOST_OPEN && now_ms - s->pinged_ms >= s->ping_ms)
		host_session_ping(s, now_ms);
	return HOST_TICK_NOTHING;
}

void host_session_ping(struct host_session *s, uint64_t now_ms)
{
	if (s->state != HOST_OPEN)
		return;
	s->ping_due = true;
	s->pinged_ms = now_ms;
}

uint64_t host_session_deadline(const struct host_session *s)
{
	uint64_t ping = s->pinged_ms + s->ping_ms, dead = s->heard_ms + s->lease_ms;

	if (s->state == HOST_HELLO)
		return s->opened_ms + s->hello_ms;
	if (s->state == HOST_KEY)
		return s->answered ? dead : UINT64_MAX;
	if (s->state != HOST_OPEN)
		return UINT64_MAX;
	return s->blocked || ping < dead ? ping : dead;
}

void host_session_eof(struct host_session *s)
{
	if (s->state == HOST_OPEN && !s->eof_sent)
		s->eof_due = true;
}

void host_session_close(struct host_session *s)
{
	/* A session that is over may still have its RESET pending. */
	if (s->state != HOST_OVER)
		s->reset_due = s->state != HOST_CLOSED;
	s->hello_due = s->response_due = s->ping_due = s->eof_due = false;
	s->state = HOST_OVER;
}

bool host_session_pending(const struct host_session *s)
{
	return s->hello_due || s->response_due || s->ping_due || s->eof_due || s->reset_due;
}

static void host_put_hello(struct host_session *s, struct transfer *t)
{
	struct hello hello = host_hello(s);

	link_put(&s->link, t, FRAME_HELLO, hello_put(link_payload(t), &hello));
	s->hello_due = false;
}

void host_session_begin(struct host_session *s, struct transfer *t, uint8_t *buffer)
{
	struct reset_info reset = {.reason = RESET_HOST, .nonce = s->nonce};

	t->data = buffer;
	t->len = 0;
	if (s->hello_due)
		host_put_hello(s, t);
	if (s->response_due) {
		link_put(&s->link, t, FRAME_AUTH_RESPONSE,
			auth_response_put(link_payload(t), &s->response));
		s->response_due = false;
	}
	if (s->ping_due) {
		link_put(&s->link, t, FRAME_PING, 0);
		s->ping_due = false;
	}
	if (s->eof_due) {
		link_put(&s->link, t, FRAME_EOF, 0);
		s->eof_due = false;
		s->eof_sent = true;
	}
	if (s->reset_due) {
		link_put(&s->link, t, FRAME_RESET, reset_put(link_payload(t), &reset));
		s->reset_due = false;
	}
}

size_t host_session_credit(const struct host_session *s)
{
	if (s->state != HOST_OPEN || s->eof_due || s->eof_sent)
		return 0;
	return s->reply.window - (size_t)(s->counts.sent - s->counts.consumed);
}

size_t host_session_room(const struct host_session *s, const struct transfer *t)
{
	size_t room = link_room(&s->link, t), credit = host_session_credit(s);

	return room < credit ? room : credit;
}

void host_session_put(struct host_session *s, struct transfer *t, size_t len)
{
	if (len == 0)
		return;
	s->counts.sent += len;
	link_put(&s->link, t, FRAME_DATA, len);
}

size_t host_session_finish(struct host_session *s, struct transfer *t)
{
	return link_finish(&s->link, t);
}

struct host_counts host_session_counts(const struct host_session *s)
{
	return s->counts;
}
