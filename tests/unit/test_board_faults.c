// SPDX-License-Identifier: Apache-2.0
// Tests the board's end of the link against hosts that break the rules and line noise.
#include "tests/unit/board_test.h"
#include "tests/unit/skip.h"

#include <sys/resource.h>

static void whole_window_and_one_byte(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[WINDOW];

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, data, WINDOW), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_DATA, data, 1), BOARD_STOP);
	expect_violation(f, "DATA beyond the window");
}

/* The host may reuse the window for consumed bytes only after the board has sent WINDOW. */
static void window_counts_what_was_announced(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[WINDOW];

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, data, WINDOW), BOARD_NOTHING);
	board_session_consume(f->s, WINDOW / 2);
	assert_int_equal(receive_frame(f, FRAME_DATA, data, 1), BOARD_STOP);
	board_session_begin(f->s, &f->t, f->buffer);
	board_session_finish(f->s, &f->t);
	f->offset = 0;
	expect(f, FRAME_WINDOW); /* the host can report how much was consumed */
	expect(f, FRAME_RESET);
}

static void refused_hello(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(5);
	struct reset_info info;

	hello.max_transfer = TRANSFER_MIN - 1;
	wire_hello(&f->w, &hello);
	assert_int_equal(receive(f, 0), BOARD_NOTHING);
	info = expect_only_reset(f, RESET_PROTOCOL);
	assert_int_equal(info.nonce, 5);

	/* Refused during a session with partly consumed input: still only one frame is sent. */
	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, "abc", 3), BOARD_NOTHING);
	board_session_consume(f->s, 2);
	hello.max_transfer = TRANSFER_MIN;
	wire_hello(&f->w, &hello);
	f->w.bytes[4] = 1; /* seq */
	assert_int_equal(receive(f, 0), BOARD_STOP);
	expect_only_reset(f, RESET_PROTOCOL);
}

static void frames_out_of_place(void **state)
{
	static const enum frame_type types[] = {FRAME_HELLO_REPLY, FRAME_NOTE, FRAME_WINDOW,
		FRAME_EXIT, FRAME_PONG, FRAME_AUTH_CHALLENGE, FRAME_AUTH_RESPONSE};
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE + 1);
	uint8_t payload[FRAME_PAYLOAD_MAX];
	size_t len = hello_put(payload, &hello);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		open_session(f);
		assert_int_equal(receive_frame(f, types[i], NULL, 0), BOARD_STOP);
		expect_violation(f, "frame out of place");
	}
	/* A HELLO opens a session only at the start of a transfer. */
	open_session(f);
	wire_only(&f->w, FRAME_PAD, NULL, 0);
	wire_add(&f->w, FRAME_HELLO, payload, len);
	assert_int_equal(receive(f, 0), BOARD_STOP);
	expect_violation(f, "frame out of place");
}

static void violations(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	f->w.seq++;
	assert_int_equal(receive_frame(f, FRAME_DATA, "abc", 3), BOARD_STOP);
	expect_violation(f, "gap in the frame numbers");
	open_session(f);
	f->w.seq--;
	assert_int_equal(receive_frame(f, FRAME_PING, NULL, 0), BOARD_STOP);
	expect_violation(f, "gap in the frame numbers");
	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, NULL, 0), BOARD_STOP);
	expect_violation(f, "empty DATA");
	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_EOF, NULL, 0), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_DATA, "x", 1), BOARD_STOP);
	expect_violation(f, "DATA after EOF");
	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_EOF, NULL, 0), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_EOF, NULL, 0), BOARD_STOP);
	expect_violation(f, "second EOF");
	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_HELLO, "XPFD", 4), BOARD_STOP);
	expect_violation(f, "malformed HELLO");
}

/* A transfer is cut at each byte, and each byte of a header takes each wrong value. Unless whole
 * frames arrive, no bytes are delivered and the session ends with one RESET. */
static void cuts_and_corruption(void **state)
{
	struct fixture *f = *state;
	size_t whole;

	for (size_t cut = 0;; cut++) {
		enum board_event event;
		size_t len;

		open_session(f);
		wire_only(&f->w, FRAME_DATA, "0123456789", 10);
		whole = f->w.len;
		wire_add(&f->w, FRAME_EOF, NULL, 0);
		if (cut > f->w.len)
			break;
		event = board_session_receive(f->s, f->w.bytes, cut, 0);
		assert_int_equal(
			board_session_received(f->s), cut == whole || cut == f->w.len ? 10 : 0);
		if (cut == 0 || cut == whole || cut == f->w.len) {
			assert_int_equal(event, BOARD_NOTHING);
			board_session_input(f->s, &len);
			assert_int_equal(len, cut ? 10 : 0);
		} else {
			assert_int_equal(event, BOARD_STOP);
			expect_violation(f, "malformed frame");
		}
	}
	for (size_t at = 0; at < FRAME_HEADER; at++)
		for (unsigned int flip = 1; flip < 256; flip++) {
			open_session(f);
			wire_only(&f->w, FRAME_DATA, "0123456789", 10);
			f->w.bytes[at] ^= (uint8_t)flip;
			assert_int_equal(receive(f, 0), BOARD_STOP);
			assert_int_equal(board_session_received(f->s), 0);
			/* A RESET ends the session without an answer. */
			if (at == 0 && (FRAME_DATA ^ flip) == FRAME_RESET)
				expect_silence(f);
			else
				expect_only_reset(f, RESET_PROTOCOL);
		}
}

/* A flood of garbage before HELLO gets one RESET in all. HELLO works after it. */
static void flood_of_garbage(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = random_seed();

	for (int open = 0; open < 2; open++) {
		int answers = 0;

		if (open)
			open_session(f);
		else
			board_session_drop(f->s);
		for (int i = 0; i < 5000; i++) {
			f->w.len = random_below(&seed, 200);
			for (size_t at = 0; at < f->w.len; at++)
				f->w.bytes[at] = (uint8_t)random_next(&seed);
			if (f->w.len >= FRAME_HEADER && i % 4 == 0)
				frame_put_header(f->w.bytes,
					(enum frame_type)random_below(&seed, 14),
					f->w.len - FRAME_HEADER, 0);
			if (i % 4 == 0)
				f->w.bytes[0] =
					f->w.bytes[0] == FRAME_RESET ? FRAME_PAD : f->w.bytes[0];
			assert_int_not_equal(receive(f, 0), BOARD_START);
			f->offset = 0;
			if (send_pending(f) == 0)
				continue;
			answers++;
			expect(f, FRAME_RESET);
			if (f->offset < f->t.len)
				expect(f, FRAME_PAD);
			assert_int_equal(f->offset, f->t.len);
		}
		assert_int_equal(answers, 1);
		open_session(f);
	}
}

#define HUGE_WINDOW (64u << 20) /* so large that malloc() maps new memory each time */

/* There is no memory for the input of a HELLO that replaces a session. The old process must still
 * end: its output is no longer read, so it could block forever. */
static void no_memory_for_the_next_session(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	skip_because("ASan's allocator ends the program when the kernel refuses memory");
#endif
	static const struct board_config config = {
		.max_transfer = MAX_TRANSFER,
		.max_send = MAX_TRANSFER,
		.window = HUGE_WINDOW,
		.version = "9.8.7",
	};
	struct hello hello = wire_hello_default(NONCE + 1);
	struct fixture *f = *state;
	struct reset_info info;
	struct rlimit old, none;
	enum board_event event;

	board_session_free(f->s);
	f->s = board_session_new(&config);
	assert_non_null(f->s);
	wire_hello(&f->w, &hello);
	assert_int_equal(receive(f, 0), BOARD_START);
	assert_true(send_pending(f) > 0);
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none = (struct rlimit){.rlim_cur = 1, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	event = receive(f, 0);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_int_equal(event, BOARD_STOP);
	assert_false(board_session_is_open(f->s));
	info = expect_only_reset(f, RESET_START);
	assert_string_equal(info.text, "out of memory");
	assert_true(info.nonce == NONCE + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		board_test(whole_window_and_one_byte),
		board_test(window_counts_what_was_announced),
		board_test(refused_hello),
		board_test(frames_out_of_place),
		board_test(violations),
		board_test(cuts_and_corruption),
		board_test(flood_of_garbage),
		board_test(no_memory_for_the_next_session),
	};

	return cmocka_run_group_tests_name("board_faults", tests, NULL, NULL);
}
