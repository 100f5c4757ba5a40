// SPDX-License-Identifier: Apache-2.0
// Tests the board's end of a session with a host that keeps the rules.
#include "tests/unit/board_test.h"

static void idle(void **state)
{
	struct fixture *f = *state;
	size_t len;

	assert_false(board_session_is_open(f->s));
	assert_true(board_session_deadline(f->s) == UINT64_MAX);
	assert_int_equal(board_session_tick(f->s, UINT64_MAX - 1), BOARD_NOTHING);
	assert_null(board_session_input(f->s, &len));
	assert_int_equal(len, 0);
	assert_false(board_session_input_ended(f->s));
	board_session_exit(f->s, 0, 0);
	board_session_end(f->s, RESET_SHUTDOWN, NULL);
	assert_int_equal(board_session_drop(f->s), BOARD_NOTHING);
	board_session_begin(f->s, &f->t, f->buffer);
	assert_int_equal(board_session_room(f->s, &f->t), 0);
	expect_silence(f);
	board_session_free(NULL);
}

static void input_and_output(void **state)
{
	struct fixture *f = *state;
	uint8_t input[64];
	struct frame frame;

	open_session(f);
	wire_only(&f->w, FRAME_DATA, "first ", 6);
	wire_add(&f->w, FRAME_PAD, NULL, 0);
	wire_add(&f->w, FRAME_DATA, "second", 6);
	assert_int_equal(receive(f, 0), BOARD_NOTHING);
	assert_int_equal(take_input(f, input, sizeof(input)), 12);
	assert_memory_equal(input, "first second", 12);
	assert_int_equal(board_session_received(f->s), 12);

	board_session_begin(f->s, &f->t, f->buffer);
	assert_int_equal(board_session_room(f->s, &f->t), MAX_TRANSFER - 2 * FRAME_HEADER - 1);
	memcpy(link_payload(&f->t), "out", 3);
	board_session_put(f->s, &f->t, FRAME_DATA, 3);
	board_session_put(f->s, &f->t, FRAME_DATA, 0);
	memcpy(link_payload(&f->t), "error", 5);
	board_session_put(f->s, &f->t, FRAME_NOTE, 5);
	assert_int_equal(board_session_finish(f->s, &f->t), 24);
	f->offset = 0;
	frame = expect(f, FRAME_DATA);
	assert_int_equal(frame.seq, 1);
	assert_memory_equal(frame.payload, "out", 3);
	frame = expect(f, FRAME_NOTE);
	assert_int_equal(frame.seq, 2);
	assert_memory_equal(frame.payload, "error", 5);
	assert_int_equal(board_session_sent(f->s), 3);
}

static void half_close_and_exit(void **state)
{
	struct fixture *f = *state;
	struct exit_info info;
	struct frame frame;
	uint8_t input[8];

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, "last", 4), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_EOF, NULL, 0), BOARD_NOTHING);
	assert_false(board_session_input_ended(f->s));
	assert_int_equal(take_input(f, input, sizeof(input)), 4);
	assert_true(board_session_input_ended(f->s));
	assert_int_equal(receive_frame(f, FRAME_PING, NULL, 0), BOARD_NOTHING);
	board_session_begin(f->s, &f->t, f->buffer);
	expect(f, FRAME_PONG);
	assert_int_not_equal(board_session_room(f->s, &f->t), 0);
	board_session_exit(f->s, 7, 0);
	assert_int_equal(board_session_room(f->s, &f->t), 0);
	assert_true(board_session_is_open(f->s));
	assert_int_equal(receive_frame(f, FRAME_PING, NULL, 0), BOARD_NOTHING);
	board_session_begin(f->s, &f->t, f->buffer);
	assert_int_equal(board_session_room(f->s, &f->t), 0);
	board_session_finish(f->s, &f->t);
	assert_false(board_session_is_open(f->s));
	f->offset = 0;
	frame = expect(f, FRAME_WINDOW);
	assert_int_equal(frame.seq, 2);
	expect(f, FRAME_PONG);
	frame = expect(f, FRAME_EXIT);
	assert_int_equal(exit_get(&frame, &info), 0);
	assert_int_equal(info.code, 7);
	assert_int_equal(info.signal, 0);
	assert_int_equal(info.received, 4);
	assert_int_equal(info.sent, 0);
	expect_silence(f);
	assert_false(board_session_input_ended(f->s));
}

static void exit_by_signal(void **state)
{
	struct fixture *f = *state;
	struct exit_info info;
	struct frame frame;

	open_session(f);
	board_session_exit(f->s, 0, 9);
	send_pending(f);
	frame = expect(f, FRAME_EXIT);
	assert_int_equal(exit_get(&frame, &info), 0);
	assert_int_equal(info.code, 0);
	assert_int_equal(info.signal, 9);
}

/* After EXIT the host's late frames are not answered, until the next HELLO. */
static void late_frames_after_exit(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	board_session_exit(f->s, 0, 0);
	send_pending(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, "late", 4), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_PING, NULL, 0), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_RESET, NULL, 0), BOARD_NOTHING);
	board_session_end(f->s, RESET_SHUTDOWN, NULL);
	board_session_exit(f->s, 1, 0);
	expect_silence(f);
	open_session_at(f, NONCE + 1, 0);
}

/* A host whose input is all consumed always has three quarters of the window or more. */
static void window_is_announced_by_quarters(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[WINDOW / 4];
	struct frame frame;
	uint64_t value;

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, data, sizeof(data)), BOARD_NOTHING);
	board_session_consume(f->s, sizeof(data) - 1);
	expect_silence(f);
	board_session_consume(f->s, 1);
	assert_true(board_session_pending(f->s));
	send_pending(f);
	frame = expect(f, FRAME_WINDOW);
	assert_int_equal(window_get(&frame, &value), 0);
	assert_int_equal(value, sizeof(data));
	expect_silence(f);
}

/* A quarter of this window is 0 bytes: WINDOW must still not be sent without consumed input. */
static void smallest_window(void **state)
{
	static const struct board_config config = {
		.max_transfer = MAX_TRANSFER,
		.max_send = MAX_TRANSFER,
		.window = 1,
		.version = "1",
	};
	struct fixture *f = *state;

	board_session_free(f->s);
	f->s = board_session_new(&config);
	assert_non_null(f->s);
	struct hello hello = wire_hello_default(NONCE);

	wire_hello(&f->w, &hello);
	assert_int_equal(receive(f, 0), BOARD_START);
	send_pending(f);
	expect_silence(f);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(receive_frame(f, FRAME_DATA, "x", 1), BOARD_NOTHING);
		expect_silence(f);
		board_session_consume(f->s, 1);
		assert_true(board_session_pending(f->s));
		send_pending(f);
		expect(f, FRAME_WINDOW);
		expect_silence(f);
	}
}

static void discarded_input(void **state)
{
	struct fixture *f = *state;
	static uint8_t data[WINDOW];
	size_t len;

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, data, 100), BOARD_NOTHING);
	board_session_discard_input(f->s);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(receive_frame(f, FRAME_DATA, data, WINDOW / 4), BOARD_NOTHING);
		board_session_input(f->s, &len);
		assert_int_equal(len, 0);
		send_pending(f);
		expect(f, FRAME_WINDOW);
	}
	assert_int_equal(receive_frame(f, FRAME_EOF, NULL, 0), BOARD_NOTHING);
	assert_true(board_session_input_ended(f->s));
	/* The next session does not discard its input. */
	open_session_at(f, NONCE + 1, 0);
	assert_int_equal(receive_frame(f, FRAME_DATA, "x", 1), BOARD_NOTHING);
	board_session_input(f->s, &len);
	assert_int_equal(len, 1);
}

static void hello_replaces_a_session(void **state)
{
	struct fixture *f = *state;
	size_t len;

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, "old", 3), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_EOF, NULL, 0), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_PING, NULL, 0), BOARD_NOTHING);
	board_session_exit(f->s, 3, 0);
	open_session_at(f, NONCE + 1, 5);
	board_session_input(f->s, &len);
	assert_int_equal(len, 0);
	assert_int_equal(board_session_received(f->s), 0);
	assert_int_equal(receive_frame(f, FRAME_DATA, "new", 3), BOARD_NOTHING);
	board_session_input(f->s, &len);
	assert_int_equal(len, 3);
}

/* The HELLO of a later version may be so long that a PAD must follow. */
static void padded_hello(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);
	uint8_t payload[TRANSFER_QUANTUM - FRAME_HEADER] = {0};

	hello_put(payload, &hello);
	wire_only(&f->w, FRAME_HELLO, payload, sizeof(payload));
	wire_add(&f->w, FRAME_PAD, NULL, 0);
	assert_int_equal(receive(f, 0), BOARD_START);
	assert_int_equal(receive_frame(f, FRAME_DATA, "x", 1), BOARD_NOTHING);
	assert_true(board_session_is_open(f->s));
}

/* Frames after HELLO in its transfer belong to the session that it opens. */
static void hello_and_more(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);
	uint8_t input[8];

	wire_hello(&f->w, &hello);
	wire_add(&f->w, FRAME_DATA, "abc", 3);
	assert_int_equal(receive(f, 0), BOARD_START);
	assert_int_equal(take_input(f, input, sizeof(input)), 3);

	wire_hello(&f->w, &hello);
	wire_add(&f->w, FRAME_DATA, "", 0);
	assert_int_equal(receive(f, 0), BOARD_STOP);
	assert_false(board_session_is_open(f->s));
	send_pending(f);
	expect(f, FRAME_HELLO_REPLY);
	expect(f, FRAME_RESET);

	wire_hello(&f->w, &hello);
	f->w.bytes[f->w.len++] = 0xff;
	assert_int_equal(receive(f, 0), BOARD_NOTHING);
	assert_false(board_session_is_open(f->s));
}

static void version_mismatch(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(77);
	struct reset_info info;
	char text[64];

	for (int open = 0; open < 2; open++) {
		if (open)
			open_session(f);
		hello.major = LINK_MAJOR + 1;
		hello.minor = 42;
		wire_hello(&f->w, &hello);
		assert_int_equal(receive(f, 0), open ? BOARD_STOP : BOARD_NOTHING);
		assert_false(board_session_is_open(f->s));
		info = expect_only_reset(f, RESET_VERSION);
		assert_int_equal(info.nonce, 77);
		snprintf(text, sizeof(text), "the board speaks %d.%d, the host %d.42", LINK_MAJOR,
			LINK_MINOR, LINK_MAJOR + 1);
		assert_string_equal(info.text, text);
	}
}

/* Another minor version is accepted. */
static void minor_version(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);

	hello.minor = 200;
	hello.flags = 0xffff;
	wire_hello(&f->w, &hello);
	assert_int_equal(receive(f, 0), BOARD_START);
}

static void smallest_host_buffer(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);

	hello.max_transfer = TRANSFER_MIN;
	wire_hello(&f->w, &hello);
	assert_int_equal(receive(f, 0), BOARD_START);
	assert_true(send_pending(f) < TRANSFER_MIN);
	board_session_begin(f->s, &f->t, f->buffer);
	assert_int_equal(board_session_room(f->s, &f->t), TRANSFER_MIN - 2 * FRAME_HEADER - 1);
}

/* All frames that can be pending at once, at their longest, fit into the smallest transfer. */
static void everything_pending(void **state)
{
	static const struct board_config config = {
		.max_transfer = TRANSFER_MIN,
		.max_send = TRANSFER_MIN,
		.window = 4,
		.version = NULL,
	};
	struct fixture *f = *state;
	struct board_config long_config = config;
	struct hello hello = wire_hello_default(NONCE);
	char text[2 * LINK_TEXT_MAX];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	long_config.version = text;
	board_session_free(f->s);
	f->s = board_session_new(&long_config);
	assert_non_null(f->s);
	hello.max_transfer = TRANSFER_MIN;
	for (int reset = 0; reset < 2; reset++) {
		wire_hello(&f->w, &hello);
		assert_int_equal(receive(f, 0), BOARD_START);
		wire_only(&f->w, FRAME_DATA, "abcd", 4);
		wire_add(&f->w, FRAME_PING, NULL, 0);
		assert_int_equal(receive(f, 0), BOARD_NOTHING);
		board_session_consume(f->s, 4);
		if (reset)
			board_session_end(f->s, RESET_START, text);
		else
			board_session_exit(f->s, 1, 0);
		assert_true(send_pending(f) < TRANSFER_MIN);
		assert_int_not_equal(f->t.len % TRANSFER_QUANTUM, 0);
		expect(f, FRAME_HELLO_REPLY);
		expect(f, FRAME_WINDOW);
		if (!reset)
			expect(f, FRAME_PONG);
		expect(f, reset ? FRAME_RESET : FRAME_EXIT);
	}
}

static void lease(void **state)
{
	static const uint32_t leases[][2] = {{0, LEASE_MS}, {1, LEASE_MS_MIN},
		{LEASE_MS_MIN, LEASE_MS_MIN}, {5000, 5000}, {LEASE_MS_MAX + 1, LEASE_MS_MAX},
		{UINT32_MAX, LEASE_MS_MAX}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(leases) / sizeof(leases[0]); i++) {
		struct hello hello = wire_hello_default(NONCE);
		struct hello_reply reply;
		struct frame frame;
		uint64_t now = 1000000;
		struct reset_info info;

		hello.lease_ms = leases[i][0];
		wire_hello(&f->w, &hello);
		assert_int_equal(receive(f, now), BOARD_START);
		send_pending(f);
		frame = expect(f, FRAME_HELLO_REPLY);
		assert_int_equal(hello_reply_get(&frame, &reply), 0);
		assert_int_equal(reply.hello.lease_ms, leases[i][1]);
		assert_int_equal(board_session_deadline(f->s), now + leases[i][1]);
		now += leases[i][1] - 1;
		assert_int_equal(board_session_tick(f->s, now), BOARD_NOTHING);
		wire_only(&f->w, FRAME_PING, NULL, 0);
		assert_int_equal(receive(f, now), BOARD_NOTHING);
		send_pending(f);
		expect(f, FRAME_PONG);
		assert_int_equal(board_session_deadline(f->s), now + leases[i][1]);
		/* An empty transfer does not extend the lease. */
		wire_next(&f->w);
		assert_int_equal(receive(f, now + 1), BOARD_NOTHING);
		assert_int_equal(board_session_tick(f->s, now + leases[i][1] - 1), BOARD_NOTHING);
		assert_int_equal(board_session_tick(f->s, now + leases[i][1]), BOARD_STOP);
		info = expect_only_reset(f, RESET_LEASE);
		assert_true(info.nonce == NONCE);
		assert_int_equal(board_session_tick(f->s, now + 2 * leases[i][1]), BOARD_NOTHING);
	}
}

static void ended_by_the_board(void **state)
{
	struct fixture *f = *state;
	struct reset_info info;

	open_session(f);
	board_session_end(f->s, RESET_START, "bpfd: No such file or directory");
	info = expect_only_reset(f, RESET_START);
	assert_string_equal(info.text, "bpfd: No such file or directory");
	open_session(f);
	board_session_exit(f->s, 0, 0);
	board_session_end(f->s, RESET_SHUTDOWN, NULL);
	info = expect_only_reset(f, RESET_SHUTDOWN);
	assert_string_equal(info.text, "");
}

static void closed_by_the_host(void **state)
{
	struct fixture *f = *state;
	struct reset_info info = {.reason = RESET_HOST, .nonce = NONCE};
	uint8_t payload[FRAME_PAYLOAD_MAX];
	size_t len = reset_put(payload, &info);

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_PING, NULL, 0), BOARD_NOTHING);
	assert_int_equal(receive_frame(f, FRAME_RESET, payload, len), BOARD_STOP);
	assert_false(board_session_is_open(f->s));
	expect_silence(f);
	/* A RESET ends the session with any frame number and any payload. */
	open_session(f);
	f->w.seq = 999;
	assert_int_equal(receive_frame(f, FRAME_RESET, NULL, 0), BOARD_STOP);
	expect_silence(f);
}

static void link_reset(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, "abc", 3), BOARD_NOTHING);
	board_session_consume(f->s, 3);
	assert_int_equal(receive_frame(f, FRAME_PING, NULL, 0), BOARD_NOTHING);
	board_session_exit(f->s, 0, 0);
	assert_int_equal(board_session_drop(f->s), BOARD_STOP);
	assert_int_equal(board_session_drop(f->s), BOARD_NOTHING);
	expect_silence(f);
	/* A HELLO that came before the reset is not answered either. */
	wire_hello(&f->w, &hello);
	assert_int_equal(receive(f, 0), BOARD_START);
	assert_int_equal(board_session_drop(f->s), BOARD_STOP);
	expect_silence(f);
	/* A host that did not notice gets one RESET, with nonce 0: it is of no session. */
	assert_int_equal(receive_frame(f, FRAME_DATA, "def", 3), BOARD_NOTHING);
	assert_int_equal(expect_only_reset(f, RESET_NO_SESSION).nonce, 0);
	open_session(f);
}

static void is_hello(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);

	wire_hello(&f->w, &hello);
	assert_true(board_session_is_hello(f->w.bytes, f->w.len));
	for (size_t len = 0; len < f->w.len; len++)
		assert_false(board_session_is_hello(f->w.bytes, len));
	f->w.bytes[FRAME_HEADER] ^= 1;
	assert_false(board_session_is_hello(f->w.bytes, f->w.len));
	wire_only(&f->w, FRAME_PING, NULL, 0);
	assert_false(board_session_is_hello(f->w.bytes, f->w.len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		board_test(idle),
		board_test(input_and_output),
		board_test(half_close_and_exit),
		board_test(exit_by_signal),
		board_test(late_frames_after_exit),
		board_test(window_is_announced_by_quarters),
		board_test(smallest_window),
		board_test(discarded_input),
		board_test(hello_replaces_a_session),
		board_test(padded_hello),
		board_test(hello_and_more),
		board_test(version_mismatch),
		board_test(minor_version),
		board_test(smallest_host_buffer),
		board_test(everything_pending),
		board_test(lease),
		board_test(ended_by_the_board),
		board_test(closed_by_the_host),
		board_test(link_reset),
		board_test(is_hello),
	};

	return cmocka_run_group_tests_name("board_session", tests, NULL, NULL);
}
