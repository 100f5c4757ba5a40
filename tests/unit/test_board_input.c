/* SPDX-License-Identifier: Apache-2.0 */
/* The child's input at the board's end: kept in a ring, or taken straight from the transfer. */
#include "tests/unit/board_test.h"

/* A part of what is there, as the child takes it; *next counts the bytes that are expected. */
static void take_part(struct fixture *f, uint64_t *seed, uint8_t *next)
{
	size_t len;
	const uint8_t *data = board_session_input(f->s, &len);

	len = random_below(seed, len + 1);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], (*next)++);
	board_session_consume(f->s, len);
}

/* So many bytes in one or two frames of a transfer. */
static void give(struct fixture *f, uint64_t *seed, size_t len, uint8_t *next)
{
	size_t first = random_below(seed, len + 1);
	uint8_t out[WINDOW];

	if (len == 0)
		return;
	for (size_t i = 0; i < len; i++)
		out[i] = (*next)++;
	wire_next(&f->w);
	if (first > 0)
		wire_add(&f->w, FRAME_DATA, out, first);
	if (first < len)
		wire_add(&f->w, FRAME_DATA, out + first, len - first);
	assert_int_equal(receive(f, 0), BOARD_NOTHING);
}

static void check_order(struct fixture *f, bool borrow)
{
	uint64_t seed = random_seed(), acked = 0, sent = 0, value;
	uint8_t next_out = 0, next_in = 0;
	struct frame frame;

	open_session(f);
	for (int round = 0; round < 5000; round++) {
		size_t len = random_below(&seed, WINDOW - (sent - acked) + 1);

		give(f, &seed, len, &next_out);
		sent += len;
		take_part(f, &seed, &next_in);
		if (borrow) {
			board_session_keep(f->s);
			memset(f->w.bytes, 0xee, f->w.len);
		}
		take_part(f, &seed, &next_in);
		if (send_pending(f) == 0)
			continue;
		frame = expect(f, FRAME_WINDOW);
		assert_int_equal(window_get(&frame, &value), 0);
		assert_true(value >= acked + WINDOW / 4);
		acked = value;
	}
	assert_int_equal(board_session_received(f->s), sent);
}

static int setup_borrow(void **state)
{
	static const struct board_config config = {
		.max_transfer = MAX_TRANSFER, .window = WINDOW, .version = "9.8.7", .borrow = true};
	struct fixture *f;

	setup(state);
	f = *state;
	board_session_free(f->s);
	f->s = board_session_new(&config);
	return f->s ? 0 : -1;
}

static void input_ring_wraps(void **state)
{
	check_order(*state, false);
}

static void borrowed_input_stays_in_order(void **state)
{
	check_order(*state, true);
}

/* Nothing is copied as long as the child takes all of it, and nothing is lost of a session's end.
 */
static void borrowed_input(void **state)
{
	struct fixture *f = *state;
	const uint8_t *data;
	size_t len;

	open_session(f);
	assert_int_equal(receive_frame(f, FRAME_DATA, "one", 3), BOARD_NOTHING);
	data = board_session_input(f->s, &len);
	assert_int_equal(len, 3);
	assert_ptr_equal(data, f->w.bytes + FRAME_HEADER);
	board_session_consume(f->s, 3);
	board_session_keep(f->s);
	wire_only(&f->w, FRAME_DATA, "two", 3);
	wire_add(&f->w, FRAME_EOF, NULL, 0);
	assert_int_equal(receive(f, 0), BOARD_NOTHING);
	assert_false(board_session_input_ended(f->s));
	board_session_consume(f->s, 1);
	board_session_keep(f->s);
	data = board_session_input(f->s, &len);
	assert_int_equal(len, 2);
	assert_memory_equal(data, "wo", 2);
	board_session_discard_input(f->s);
	assert_true(board_session_input_ended(f->s));
}

/* What ends the session, or breaks its rules behind the data, leaves none of it. */
static void borrowed_input_of_a_session_that_ends(void **state)
{
	struct fixture *f = *state;
	size_t len;

	open_session(f);
	wire_only(&f->w, FRAME_DATA, "x", 1);
	wire_add(&f->w, FRAME_HELLO_REPLY, NULL, 0);
	assert_int_equal(receive(f, 0), BOARD_STOP);
	board_session_input(f->s, &len);
	assert_int_equal(len, 0);
	board_session_keep(f->s);
	open_session_at(f, NONCE + 1, 0);
	assert_int_equal(receive_frame(f, FRAME_DATA, "x", 1), BOARD_NOTHING);
	board_session_discard_input(f->s);
	board_session_keep(f->s);
	board_session_input(f->s, &len);
	assert_int_equal(len, 0);
	assert_int_equal(board_session_drop(f->s), BOARD_STOP);
	board_session_keep(f->s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(input_ring_wraps, setup, teardown),
		cmocka_unit_test_setup_teardown(
			borrowed_input_stays_in_order, setup_borrow, teardown),
		cmocka_unit_test_setup_teardown(borrowed_input, setup_borrow, teardown),
		cmocka_unit_test_setup_teardown(
			borrowed_input_of_a_session_that_ends, setup_borrow, teardown),
	};

	return cmocka_run_group_tests_name("board input", tests, NULL, NULL);
}
