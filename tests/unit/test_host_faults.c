// SPDX-License-Identifier: Apache-2.0
// Tests the host's session against a board that breaks the protocol, and against line noise.
#include "tests/unit/host_test.h"

static void bad_replies(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++) {
		struct hello_reply reply = reply_default();

		switch (i) {
		case 0:
			reply.hello.major++;
			break;
		case 1:
			reply.hello.max_transfer = TRANSFER_MIN - 1;
			break;
		case 2:
			reply.window = 0;
			break;
		case 3:
			reply.status = 1;
			break;
		}
		say_hello(f);
		wire_next(&f->w);
		add_reply(f, &reply);
		if (i == 4)
			f->w.bytes[4] = 1; /* seq */
		arrive(f, NOW);
		assert_int_equal(next(f), HOST_BROKEN);
		expect_broken(f, "malformed HELLO_REPLY");
	}
}

static void impossible_windows(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	send_data(f, 100);
	wire_next(&f->w);
	add_window(f, 101);
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_BROKEN);
	expect_broken(f, "impossible WINDOW");

	open_session(f);
	send_data(f, 100);
	wire_next(&f->w);
	add_window(f, 50);
	add_window(f, 49);
	arrive(f, NOW);
	assert_int_equal(next(f), HOST_BROKEN);
	expect_broken(f, "impossible WINDOW");

	open_session(f);
	assert_int_equal(next_of(f, FRAME_WINDOW, "1234567", 7), HOST_BROKEN);
	expect_broken(f, "impossible WINDOW");
}

static void exit_totals_mismatch(void **state)
{
	static const uint64_t totals[][2] = {{10, 4}, {10, 6}, {11, 5}, {UINT64_MAX, 5}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		open_session(f);
		send_data(f, 10);
		assert_int_equal(next_of(f, FRAME_DATA, "reply", 5), HOST_OUTPUT);
		assert_int_equal(next_exit(f, totals[i][0], totals[i][1]), HOST_BROKEN);
		expect_broken(f, "the totals of EXIT do not match");
	}
	open_session(f);
	assert_int_equal(next_of(f, FRAME_EXIT, "short", 5), HOST_BROKEN);
	expect_broken(f, "malformed EXIT");
}

static void frames_out_of_place(void **state)
{
	static const enum frame_type types[] = {FRAME_HELLO, FRAME_HELLO_REPLY, FRAME_EOF,
		FRAME_PING, FRAME_AUTH_CHALLENGE, FRAME_AUTH_RESPONSE};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		open_session(f);
		assert_int_equal(next_of(f, types[i], NULL, 0), HOST_BROKEN);
		expect_broken(f, "frame out of place");
	}
}

static void gaps_and_empty_frames(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	f->w.seq++;
	assert_int_equal(next_of(f, FRAME_DATA, "abc", 3), HOST_BROKEN);
	expect_broken(f, "gap in the frame numbers");
	assert_int_equal(host_session_counts(f->s).received, 0);
	open_session(f);
	f->w.seq--;
	assert_int_equal(next_of(f, FRAME_PONG, NULL, 0), HOST_BROKEN);
	expect_broken(f, "gap in the frame numbers");
	open_session(f);
	assert_int_equal(next_of(f, FRAME_DATA, NULL, 0), HOST_BROKEN);
	expect_broken(f, "empty DATA or NOTE");
	open_session(f);
	assert_int_equal(next_of(f, FRAME_NOTE, NULL, 0), HOST_BROKEN);
	expect_broken(f, "empty DATA or NOTE");
}

/* A transfer cut at each byte, and each wrong value of each byte of a header. */
static void cuts_and_corruption(void **state)
{
	struct fixture *f = *state;
	size_t whole, all;

	open_session(f);
	wire_only(&f->w, FRAME_DATA, "0123456789", 10);
	whole = f->w.len;
	wire_add(&f->w, FRAME_NOTE, "note", 4);
	all = f->w.len;
	for (size_t cut = 0; cut <= all; cut++) {
		open_session(f);
		wire_only(&f->w, FRAME_DATA, "0123456789", 10);
		wire_add(&f->w, FRAME_NOTE, "note", 4);
		f->w.len = cut;
		arrive(f, NOW);
		if (cut == whole || cut == all)
			assert_int_equal(next(f), HOST_OUTPUT);
		if (cut == all)
			assert_int_equal(next(f), HOST_NOTE);
		if (cut == 0 || cut == whole || cut == all) {
			assert_int_equal(next(f), HOST_NONE);
		} else {
			assert_int_equal(next(f), HOST_BROKEN);
			expect_broken(f, "malformed frame");
		}
	}
	for (size_t at = 0; at < FRAME_HEADER; at++)
		for (unsigned int flip = 1; flip < 256; flip++) {
			unsigned int type = at == 0 ? FRAME_DATA ^ flip : FRAME_DATA;

			open_session(f);
			wire_only(&f->w, FRAME_DATA, "0123456789", 10);
			f->w.bytes[at] ^= (uint8_t)flip;
			arrive(f, NOW);
			if (type == FRAME_NOTE) {
				assert_int_equal(next(f), HOST_NOTE);
			} else if (type == FRAME_RESET) {
				assert_int_equal(next(f), HOST_RESET);
			} else {
				assert_int_equal(next(f), HOST_BROKEN);
			}
			assert_int_equal(next(f), HOST_NONE);
		}
}

/* The board floods the host with garbage: the host sends one RESET and writes no output. */
static void flood_of_garbage(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = random_seed();
	int answers = 0;

	open_session(f);
	for (int i = 0; i < 20000; i++) {
		f->w.len = 1 + random_below(&seed, 100);
		for (size_t at = 0; at < f->w.len; at++)
			f->w.bytes[at] = (uint8_t)random_next(&seed);
		f->w.bytes[0] |= 0x80; /* an unknown type */
		arrive(f, NOW);
		assert_int_equal(next(f), i ? HOST_NONE : HOST_BROKEN);
		if (send_pending(f) == 0)
			continue;
		answers++;
		expect(f, FRAME_RESET);
		assert_int_equal(f->offset, f->t.len);
	}
	assert_int_equal(answers, 1);
	open_session(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(bad_replies),
		host_test(impossible_windows),
		host_test(exit_totals_mismatch),
		host_test(frames_out_of_place),
		host_test(gaps_and_empty_frames),
		host_test(cuts_and_corruption),
		host_test(flood_of_garbage),
	};

	return cmocka_run_group_tests_name("host_faults", tests, NULL, NULL);
}
