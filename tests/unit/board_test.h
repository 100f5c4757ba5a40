/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of the board's end: its session, and handmade transfers of a host. */
#ifndef TESTS_UNIT_BOARD_TEST_H
#define TESTS_UNIT_BOARD_TEST_H

#include "tests/unit/link_test.h"

#include "core/link/board_session.h"

#define WINDOW	     4096u
#define MAX_TRANSFER 16384u
#define NONCE	     0x1122334455667788

struct fixture {
	struct board_session *s;
	struct wire w; /* the next transfer from the host */
	uint8_t buffer[MAX_TRANSFER];
	struct transfer t; /* the last transfer to the host, in `buffer` */
	size_t offset;	   /* of the first byte of `t` that is not checked yet */
};

static inline int setup(void **state)
{
	static const struct board_config config = {
		.max_transfer = MAX_TRANSFER,
		.max_send = MAX_TRANSFER,
		.window = WINDOW,
		.version = "9.8.7",
	};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->s = board_session_new(&config);
	assert_non_null(f->s);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	board_session_free(f->s);
	free(f);
	return 0;
}

/* Receives f->w. The session copies its input, so that f->w can be used again. */
static inline enum board_event receive(struct fixture *f, uint64_t now_ms)
{
	enum board_event event = board_session_receive(f->s, f->w.bytes, f->w.len, now_ms);

	board_session_keep(f->s);
	return event;
}

static inline enum board_event receive_frame(
	struct fixture *f, enum frame_type type, const void *payload, size_t len)
{
	wire_only(&f->w, type, payload, len);
	return receive(f, 0);
}

static inline size_t send_pending(struct fixture *f)
{
	board_session_begin(f->s, &f->t, f->buffer);
	f->offset = 0;
	return board_session_finish(f->s, &f->t);
}

static inline struct frame expect(struct fixture *f, enum frame_type type)
{
	return wire_expect(f->buffer, f->t.len, &f->offset, type);
}

static inline void expect_silence(struct fixture *f)
{
	assert_false(board_session_pending(f->s));
	assert_int_equal(send_pending(f), 0);
}

/* Checks that the session sends one RESET and nothing else. Returns the RESET. */
static inline struct reset_info expect_only_reset(struct fixture *f, enum reset_reason reason)
{
	struct reset_info info;
	struct frame frame;

	assert_true(board_session_pending(f->s));
	assert_true(send_pending(f) > 0);
	frame = expect(f, FRAME_RESET);
	assert_int_equal(reset_get(&frame, &info), 0);
	assert_int_equal(info.reason, reason);
	if (f->offset < f->t.len)
		expect(f, FRAME_PAD);
	assert_int_equal(f->offset, f->t.len);
	expect_silence(f);
	return info;
}

static inline void open_session_at(struct fixture *f, uint64_t nonce, uint64_t now_ms)
{
	struct hello hello = wire_hello_default(nonce);
	struct hello_reply reply;
	struct frame frame;

	wire_hello(&f->w, &hello);
	assert_int_equal(receive(f, now_ms), BOARD_START);
	assert_true(board_session_is_open(f->s));
	assert_true(send_pending(f) > 0);
	frame = expect(f, FRAME_HELLO_REPLY);
	assert_int_equal(frame.seq, 0);
	assert_int_equal(hello_reply_get(&frame, &reply), 0);
	assert_true(reply.hello.nonce == nonce);
	assert_int_equal(reply.hello.major, LINK_MAJOR);
	assert_int_equal(reply.hello.minor, LINK_MINOR);
	assert_int_equal(reply.hello.flags, 0);
	assert_int_equal(reply.hello.max_transfer, MAX_TRANSFER);
	assert_int_equal(reply.window, WINDOW);
	assert_int_equal(reply.status, 0);
	assert_string_equal(reply.version, "9.8.7");
	expect_silence(f);
}

static inline void open_session(struct fixture *f)
{
	open_session_at(f, NONCE, 0);
}

/* Consumes all pending input, which must fit into `size` bytes. Returns its length. */
static inline size_t take_input(struct fixture *f, uint8_t *at, size_t size)
{
	const uint8_t *data;
	size_t len, all = 0;

	while ((data = board_session_input(f->s, &len)) && len > 0) {
		assert_true(all + len <= size);
		memcpy(at + all, data, len);
		board_session_consume(f->s, len);
		all += len;
	}
	return all;
}

static inline void expect_violation(struct fixture *f, const char *text)
{
	struct reset_info info;

	assert_false(board_session_is_open(f->s));
	assert_true(board_session_deadline(f->s) == UINT64_MAX);
	info = expect_only_reset(f, RESET_PROTOCOL);
	assert_string_equal(info.text, text);
	assert_true(info.nonce == NONCE);
}

#define board_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
