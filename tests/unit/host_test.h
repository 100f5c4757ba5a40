/* SPDX-License-Identifier: Apache-2.0 */
/* A fixture for tests of the host's session: the test plays the board. */
#ifndef TESTS_UNIT_HOST_TEST_H
#define TESTS_UNIT_HOST_TEST_H

#include "tests/unit/link_test.h"

#include "core/link/host_session.h"

#define WINDOW	     4096u
#define MAX_TRANSFER 16384u
#define NONCE	     0x1122334455667788
#define NOW	     1000000u /* ms, the time at which sessions open */
#define RETRY_MS     1000u

struct fixture {
	struct host_session *s;
	struct wire w; /* the transfer from the board */
	size_t in;     /* offset of the next frame in it */
	struct host_event event;
	uint8_t buffer[MAX_TRANSFER];
	struct transfer t; /* the transfer to the board, in `buffer` */
	size_t offset;
};

static inline int setup(void **state)
{
	static const struct host_config config = {MAX_TRANSFER, 0, 0};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->s = host_session_new(&config);
	assert_non_null(f->s);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	host_session_free(f->s);
	free(f);
	return 0;
}

/* Delivers the transfer in `w` to the host. */
static inline void arrive(struct fixture *f, uint64_t now_ms)
{
	host_session_heard(f->s, now_ms);
	f->in = 0;
}

static inline enum host_event_type next(struct fixture *f)
{
	enum host_event_type type =
		host_session_next(f->s, f->w.bytes, f->w.len, &f->in, &f->event);

	assert_int_equal(type, f->event.type);
	return type;
}

static inline enum host_event_type next_of(
	struct fixture *f, enum frame_type type, const void *payload, size_t len)
{
	wire_only(&f->w, type, payload, len);
	arrive(f, NOW);
	return next(f);
}

static inline size_t send_pending(struct fixture *f)
{
	host_session_begin(f->s, &f->t, f->buffer);
	f->offset = 0;
	return host_session_finish(f->s, &f->t);
}

static inline struct frame expect(struct fixture *f, enum frame_type type)
{
	return wire_expect(f->buffer, f->t.len, &f->offset, type);
}

static inline void expect_silence(struct fixture *f)
{
	assert_false(host_session_pending(f->s));
	assert_int_equal(send_pending(f), 0);
}

static inline void expect_only(struct fixture *f, enum frame_type type)
{
	assert_true(host_session_pending(f->s));
	assert_true(send_pending(f) > 0);
	expect(f, type);
	assert_int_equal(f->offset, f->t.len);
	expect_silence(f);
}

static inline struct hello_reply reply_default(void)
{
	return (struct hello_reply){
		.hello = wire_hello_default(NONCE),
		.window = WINDOW,
		.version = "9.8.7",
	};
}

/* Adds HELLO_REPLY to `w` as the first frame of the session. */
static inline void add_reply(struct fixture *f, const struct hello_reply *reply)
{
	uint8_t payload[FRAME_PAYLOAD_MAX];

	f->w.seq = 0;
	wire_add(&f->w, FRAME_HELLO_REPLY, payload, hello_reply_put(payload, reply));
}

static inline void add_reset(
	struct fixture *f, enum reset_reason reason, uint64_t nonce, const char *text)
{
	struct reset_info info = {.reason = (uint16_t)reason, .nonce = nonce};
	uint8_t payload[FRAME_PAYLOAD_MAX];

	snprintf(info.text, sizeof(info.text), "%s", text);
	wire_add(&f->w, FRAME_RESET, payload, reset_put(payload, &info));
}

static inline void say_hello(struct fixture *f)
{
	host_session_open(f->s, NONCE, NOW);
	assert_true(host_session_pending(f->s));
	assert_true(send_pending(f) > 0);
	expect(f, FRAME_HELLO);
}

static inline void open_with(struct fixture *f, const struct hello_reply *reply)
{
	say_hello(f);
	wire_next(&f->w);
	add_reply(f, reply);
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_OPENED);
	assert_true(host_session_is_open(f->s));
	assert_int_equal(next(f), HOST_NONE);
	expect_silence(f);
}

static inline void open_session(struct fixture *f)
{
	struct hello_reply reply = reply_default();

	open_with(f, &reply);
}

/* Expects that the board's last transfer broke the protocol: the host sends one RESET and is
 * closed. */
static inline void expect_broken(struct fixture *f, const char *text)
{
	struct reset_info info;
	struct frame frame;

	assert_int_equal(f->event.type, HOST_BROKEN);
	assert_string_equal(f->event.reset.text, text);
	assert_int_equal(f->event.reset.reason, RESET_PROTOCOL);
	assert_true(f->event.reset.nonce == NONCE);
	assert_false(host_session_is_open(f->s));
	assert_int_equal(host_session_credit(f->s), 0);
	assert_true(host_session_deadline(f->s) == UINT64_MAX);
	assert_int_equal(next(f), HOST_NONE);
	assert_true(send_pending(f) > 0);
	frame = expect(f, FRAME_RESET);
	assert_int_equal(reset_get(&frame, &info), 0);
	assert_int_equal(info.reason, RESET_HOST);
	assert_true(info.nonce == NONCE);
	expect_silence(f);
}

static inline void send_data(struct fixture *f, size_t len)
{
	struct frame frame;

	host_session_begin(f->s, &f->t, f->buffer);
	assert_true(host_session_room(f->s, &f->t) >= len);
	memset(link_payload(&f->t), 'd', len);
	host_session_put(f->s, &f->t, len);
	host_session_finish(f->s, &f->t);
	f->offset = 0;
	frame = expect(f, FRAME_DATA);
	assert_int_equal(frame.len, len);
}

static inline void add_window(struct fixture *f, uint64_t consumed)
{
	uint8_t payload[FRAME_PAYLOAD_MAX];

	wire_add(&f->w, FRAME_WINDOW, payload, window_put(payload, consumed));
}

static inline enum host_event_type next_exit(struct fixture *f, uint64_t received, uint64_t sent)
{
	struct exit_info info = {.code = 3, .signal = 0, .received = received, .sent = sent};
	uint8_t payload[FRAME_PAYLOAD_MAX];

	return next_of(f, FRAME_EXIT, payload, exit_put(payload, &info));
}

#define host_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
