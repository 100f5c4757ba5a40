// SPDX-License-Identifier: Apache-2.0
// Tests the host's end of a session with a board that keeps the rules.
#include "tests/unit/host_test.h"

static void closed(void **state)
{
	struct fixture *f = *state;

	assert_false(host_session_is_open(f->s));
	assert_int_equal(next_of(f, FRAME_DATA, "abc", 3), HOST_NONE);
	assert_int_equal(host_session_credit(f->s), 0);
	assert_true(host_session_deadline(f->s) == UINT64_MAX);
	assert_int_equal(host_session_tick(f->s, NOW), HOST_TICK_NOTHING);
	host_session_eof(f->s);
	expect_silence(f);
	host_session_close(f->s);
	expect_silence(f);
	host_session_free(NULL);
}

static void hello_on_the_wire(void **state)
{
	static const struct host_config config = {2048, 7000, 0};
	struct fixture *f = *state;
	struct hello hello;
	struct frame frame;

	host_session_free(f->s);
	f->s = host_session_new(&config);
	assert_non_null(f->s);
	host_session_open(f->s, NONCE, NOW);
	send_pending(f);
	frame = expect(f, FRAME_HELLO);
	assert_int_equal(frame.seq, 0);
	assert_int_equal(hello_get(&frame, &hello), 0);
	assert_int_equal(hello.major, LINK_MAJOR);
	assert_int_equal(hello.minor, LINK_MINOR);
	assert_int_equal(hello.flags, 0);
	assert_int_equal(hello.max_transfer, 2048);
	assert_true(hello.nonce == NONCE);
	assert_int_equal(hello.lease_ms, 7000);
	assert_int_equal(f->offset, f->t.len);
	expect_silence(f);
	assert_false(host_session_is_open(f->s));
	assert_int_equal(host_session_credit(f->s), 0);
}

static void opened(void **state)
{
	struct fixture *f = *state;
	const struct hello_reply *reply;

	open_session(f);
	reply = host_session_reply(f->s);
	assert_string_equal(reply->version, "9.8.7");
	assert_int_equal(reply->window, WINDOW);
	assert_int_equal(host_session_credit(f->s), WINDOW);
	host_session_begin(f->s, &f->t, f->buffer);
	assert_int_equal(host_session_room(f->s, &f->t), WINDOW);
}

/* If the board's buffer is smaller, it limits a transfer. */
static void smaller_board_buffer(void **state)
{
	struct fixture *f = *state;
	struct hello_reply reply = reply_default();

	reply.hello.max_transfer = TRANSFER_MIN;
	open_with(f, &reply);
	host_session_begin(f->s, &f->t, f->buffer);
	assert_int_equal(host_session_room(f->s, &f->t), TRANSFER_MIN - 2 * FRAME_HEADER - 1);
}

static void output_follows_the_reply_in_one_transfer(void **state)
{
	struct fixture *f = *state;
	struct hello_reply reply = reply_default();

	say_hello(f);
	wire_next(&f->w);
	add_reply(f, &reply);
	wire_add(&f->w, FRAME_DATA, "banner", 6);
	wire_add(&f->w, FRAME_NOTE, "oops", 4);
	wire_add(&f->w, FRAME_PAD, NULL, 0);
	wire_add(&f->w, FRAME_PONG, NULL, 0);
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_OPENED);
	assert_int_equal(next(f), HOST_OUTPUT);
	assert_int_equal(f->event.len, 6);
	assert_memory_equal(f->event.data, "banner", 6);
	assert_int_equal(host_session_counts(f->s).received, 6);
	assert_int_equal(next(f), HOST_NOTE);
	assert_int_equal(f->event.len, 4);
	assert_memory_equal(f->event.data, "oops", 4);
	assert_int_equal(next(f), HOST_NONE);
	assert_int_equal(next(f), HOST_NONE);
	assert_int_equal(host_session_counts(f->s).received, 6);
}

/* The host ignores everything before its own nonce as data of another session: whole frames, cut
 * frames and garbage. */
static void stale_transfers_are_ignored(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = random_seed();

	say_hello(f);
	for (int i = 0; i < 3000; i++) {
		struct hello_reply reply = reply_default();

		wire_next(&f->w);
		f->w.seq = (uint32_t)random_next(&seed);
		switch (i % 6) {
		case 0:
			wire_add(&f->w, FRAME_DATA, "stale", 5);
			wire_add(&f->w, FRAME_NOTE, "stale", 5);
			break;
		case 1:
			reply.hello.nonce++;
			add_reply(f, &reply);
			break;
		case 2: /* part of a transfer, with the start of a reply with this host's nonce */
			add_reply(f, &reply);
			f->w.len = random_below(&seed, f->w.len);
			if (f->w.len >= FRAME_HEADER)
				f->w.bytes[2] = (uint8_t)(f->w.len - FRAME_HEADER);
			if (f->w.len >= FRAME_HEADER + 30)
				f->w.len = FRAME_HEADER + 29; /* 30 would be a whole reply */
			break;
		case 3:
			add_reset(f, RESET_LEASE, NONCE + 1, "another's");
			add_reset(f, RESET_NO_SESSION, 0, "nobody's");
			break;
		case 4:
			next_exit(f, 0, 0);
			break;
		default:
			f->w.len = random_below(&seed, 100);
			for (size_t at = 0; at < f->w.len; at++)
				f->w.bytes[at] = (uint8_t)random_next(&seed);
		}
		arrive(f, NOW);
		assert_int_equal(next(f), HOST_NONE);
		expect_silence(f);
		assert_int_equal(host_session_counts(f->s).received, 0);
	}
	/* The reply may share a transfer with stale frames before it. */
	wire_next(&f->w);
	f->w.seq = 1000;
	wire_add(&f->w, FRAME_DATA, "stale", 5);
	struct hello_reply reply = reply_default();

	add_reply(f, &reply);
	wire_add(&f->w, FRAME_DATA, "ours", 4);
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_OPENED);
	assert_int_equal(next(f), HOST_OUTPUT);
	assert_memory_equal(f->event.data, "ours", 4);
}

static void refused(void **state)
{
	struct fixture *f = *state;

	say_hello(f);
	wire_next(&f->w);
	add_reset(f, RESET_VERSION, NONCE, "the board speaks 2.0, the host 1.0");
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_RESET);
	assert_int_equal(f->event.reset.reason, RESET_VERSION);
	assert_string_equal(f->event.reset.text, "the board speaks 2.0, the host 1.0");
	assert_true(host_session_deadline(f->s) == UINT64_MAX);
	assert_int_equal(host_session_tick(f->s, NOW + 100 * RETRY_MS), HOST_TICK_NOTHING);
	expect_silence(f);
}

static void retry_with_a_new_nonce(void **state)
{
	struct fixture *f = *state;
	struct hello_reply reply = reply_default();

	say_hello(f);
	assert_int_equal(host_session_deadline(f->s), NOW + RETRY_MS);
	assert_int_equal(host_session_tick(f->s, NOW + RETRY_MS - 1), HOST_TICK_NOTHING);
	assert_int_equal(host_session_tick(f->s, NOW + RETRY_MS), HOST_TICK_RETRY);
	host_session_open(f->s, NONCE + 1, NOW + RETRY_MS);
	expect_only(f, FRAME_HELLO);
	/* The late answer to the first HELLO is ignored. */
	wire_next(&f->w);
	add_reply(f, &reply);
	arrive(f, NOW + RETRY_MS);
	assert_int_equal(next(f), HOST_NONE);
	reply.hello.nonce++;
	wire_next(&f->w);
	add_reply(f, &reply);
	arrive(f, NOW + RETRY_MS);
	assert_int_equal(next(f), HOST_OPENED);
}

/* A board that needs three seconds is reached, although each HELLO makes it start again. */
static void retries_wait_longer(void **state)
{
	static const unsigned int waits[] = {1, 2, 4, 4};
	struct fixture *f = *state;
	struct hello_reply reply = reply_default();
	uint64_t now = NOW;

	say_hello(f);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(
			host_session_tick(f->s, now + waits[i] * RETRY_MS - 1), HOST_TICK_NOTHING);
		now += waits[i] * RETRY_MS;
		assert_int_equal(host_session_deadline(f->s), now);
		assert_int_equal(host_session_tick(f->s, now), HOST_TICK_RETRY);
		host_session_open(f->s, NONCE + 1 + i, now);
		expect_only(f, FRAME_HELLO);
	}
	reply.hello.nonce = NONCE + 4;
	wire_next(&f->w);
	add_reply(f, &reply);
	arrive(f, now);
	assert_int_equal(next(f), HOST_OPENED);
	/* The next session starts with a short wait. */
	host_session_open(f->s, NONCE + 9, now);
	assert_int_equal(host_session_deadline(f->s), now + RETRY_MS);
}

static void credit(void **state)
{
	struct fixture *f = *state;
	struct host_counts counts;

	open_session(f);
	send_data(f, 1000);
	assert_int_equal(host_session_credit(f->s), WINDOW - 1000);
	send_data(f, WINDOW - 1000);
	assert_int_equal(host_session_credit(f->s), 0);
	host_session_begin(f->s, &f->t, f->buffer);
	assert_int_equal(host_session_room(f->s, &f->t), 0);
	host_session_put(f->s, &f->t, 0);
	assert_int_equal(host_session_finish(f->s, &f->t), 0);
	wire_next(&f->w);
	add_window(f, 600);
	add_window(f, 600);
	add_window(f, 1500);
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_NONE);
	assert_int_equal(host_session_credit(f->s), 1500);
	counts = host_session_counts(f->s);
	assert_int_equal(counts.sent, WINDOW);
	assert_int_equal(counts.consumed, 1500);
	assert_int_equal(counts.received, 0);
}

static void eof_and_exit(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	send_data(f, 10);
	host_session_eof(f->s);
	assert_int_equal(host_session_credit(f->s), 0);
	expect_only(f, FRAME_EOF);
	host_session_eof(f->s);
	expect_silence(f);
	assert_int_equal(host_session_credit(f->s), 0);
	assert_int_equal(next_of(f, FRAME_DATA, "reply", 5), HOST_OUTPUT);
	assert_int_equal(next_exit(f, 10, 5), HOST_EXIT);
	assert_int_equal(f->event.exit.code, 3);
	assert_int_equal(f->event.exit.signal, 0);
	assert_int_equal(f->event.exit.received, 10);
	assert_int_equal(f->event.exit.sent, 5);
	assert_false(host_session_is_open(f->s));
	assert_true(host_session_deadline(f->s) == UINT64_MAX);
	expect_silence(f);
}

/* If the process ends by itself, input in flight is lost: that is no fault. */
static void exit_before_all_input(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	send_data(f, 10);
	assert_int_equal(next_exit(f, 4, 0), HOST_EXIT);
	assert_int_equal(f->event.exit.received, 4);
}

static void reset_after_exit_is_ignored(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	wire_next(&f->w);
	assert_int_equal(next_exit(f, 0, 0), HOST_EXIT);
	add_reset(f, RESET_SHUTDOWN, NONCE, "bye");
	assert_int_equal(next(f), HOST_NONE);
	assert_int_equal(next_of(f, FRAME_DATA, "late", 4), HOST_NONE);
	wire_next(&f->w);
	add_reset(f, RESET_NO_SESSION, 0, "bye");
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_NONE);
	assert_int_equal(host_session_counts(f->s).received, 0);
	host_session_close(f->s);
	expect_silence(f);
}

static void ended_by_the_board(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	wire_next(&f->w);
	wire_add(&f->w, FRAME_DATA, "last", 4);
	f->w.seq = 77; /* a RESET is valid with any number */
	add_reset(f, RESET_SUSPEND, NONCE, "sleeps\n");
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_OUTPUT);
	assert_int_equal(next(f), HOST_RESET);
	assert_int_equal(f->event.reset.reason, RESET_SUSPEND);
	assert_string_equal(f->event.reset.text, "sleeps?");
	assert_false(host_session_is_open(f->s));
	expect_silence(f);
	open_session(f);
	assert_int_equal(next_of(f, FRAME_RESET, "123456789", 9), HOST_BROKEN);
	expect_broken(f, "malformed RESET");
}

static void closed_by_the_host(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	host_session_eof(f->s);
	assert_int_equal(host_session_tick(f->s, NOW + PING_MS), HOST_TICK_NOTHING);
	host_session_close(f->s);
	host_session_eof(f->s);
	expect_only(f, FRAME_RESET);
	assert_int_equal(next_of(f, FRAME_DATA, "late", 4), HOST_NONE);
	/* The same before the board has answered. */
	host_session_open(f->s, NONCE, NOW);
	host_session_close(f->s);
	expect_only(f, FRAME_RESET);
}

static void ping_times(void **state)
{
	static const uint32_t times[][3] = {/* configured, the board's lease, expected */
		{0, LEASE_MS, PING_MS}, {0, 1000, 200}, {0, 600000, PING_MS}, {0, 0, 200},
		{700, LEASE_MS, 700}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct host_config config = {MAX_TRANSFER, 0, times[i][0]};
		struct hello_reply reply = reply_default();
		uint64_t now = NOW;

		host_session_free(f->s);
		f->s = host_session_new(&config);
		assert_non_null(f->s);
		reply.hello.lease_ms = times[i][1];
		open_with(f, &reply);
		for (int round = 0; round < 3; round++) {
			now += times[i][2];
			assert_int_equal(host_session_deadline(f->s), now);
			assert_int_equal(host_session_tick(f->s, now - 1), HOST_TICK_NOTHING);
			expect_silence(f);
			assert_int_equal(host_session_tick(f->s, now), HOST_TICK_NOTHING);
			expect_only(f, FRAME_PING);
		}
	}
}

/* A requested PING is sent at once and restarts the interval; PONGs are counted. */
static void ping_now(void **state)
{
	struct fixture *f = *state;

	host_session_ping(f->s, NOW);
	assert_false(host_session_pending(f->s));
	open_session(f);
	host_session_ping(f->s, NOW + 1000);
	expect_only(f, FRAME_PING);
	assert_int_equal(host_session_counts(f->s).pongs, 0);
	assert_int_equal(next_of(f, FRAME_PONG, NULL, 0), HOST_NONE);
	assert_int_equal(host_session_counts(f->s).pongs, 1);
	assert_int_equal(host_session_deadline(f->s), NOW + 1000 + PING_MS);
	host_session_tick(f->s, NOW + PING_MS);
	expect_silence(f);
	host_session_close(f->s);
	send_pending(f);
	host_session_ping(f->s, NOW + 2000);
	assert_false(host_session_pending(f->s));
}

static void silent_board(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	assert_int_equal(next_of(f, FRAME_PONG, NULL, 0), HOST_NONE);
	assert_int_equal(host_session_tick(f->s, NOW + LEASE_MS - 1), HOST_TICK_NOTHING);
	assert_int_equal(host_session_deadline(f->s), NOW + LEASE_MS);
	host_session_heard(f->s, NOW + 1);
	assert_int_equal(host_session_tick(f->s, NOW + LEASE_MS), HOST_TICK_NOTHING);
	assert_int_equal(host_session_tick(f->s, NOW + LEASE_MS + 1), HOST_TICK_DEAD);
	assert_false(host_session_is_open(f->s));
	assert_int_equal(host_session_tick(f->s, NOW + LEASE_MS + 2), HOST_TICK_NOTHING);
}

/* While stdout is blocked the board's silence means nothing, and pings continue. */
static void blocked_stdout(void **state)
{
	struct fixture *f = *state;
	uint64_t now = NOW;

	open_session(f);
	host_session_block(f->s, true, now);
	for (int i = 0; i < 100; i++) {
		now = host_session_deadline(f->s);
		assert_int_equal(host_session_tick(f->s, now), HOST_TICK_NOTHING);
		expect_only(f, FRAME_PING);
		host_session_block(f->s, true, now);
	}
	assert_true(now > NOW + 10 * LEASE_MS);
	host_session_block(f->s, false, now);
	host_session_block(f->s, false,
		now + LEASE_MS - 1); /* not blocked before: does not restart the lease */
	assert_int_equal(host_session_tick(f->s, now + LEASE_MS - 1), HOST_TICK_NOTHING);
	assert_int_equal(host_session_tick(f->s, now + LEASE_MS), HOST_TICK_DEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(closed),
		host_test(hello_on_the_wire),
		host_test(opened),
		host_test(smaller_board_buffer),
		host_test(output_follows_the_reply_in_one_transfer),
		host_test(stale_transfers_are_ignored),
		host_test(refused),
		host_test(retry_with_a_new_nonce),
		host_test(retries_wait_longer),
		host_test(credit),
		host_test(eof_and_exit),
		host_test(exit_before_all_input),
		host_test(reset_after_exit_is_ignored),
		host_test(ended_by_the_board),
		host_test(closed_by_the_host),
		host_test(ping_times),
		host_test(ping_now),
		host_test(silent_board),
		host_test(blocked_stdout),
	};

	return cmocka_run_group_tests_name("host_session", tests, NULL, NULL);
}
