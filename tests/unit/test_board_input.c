/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the process's input on the board: held in a ring, or read straight from the transfer. */
#include "tests/unit/board_test.h"

/* Receives f->w, whose input stays there until board_session_keep(). */
static enum board_event receive_borrowed(struct fixture *f)
{
	return board_session_receive(f->s, f->w.bytes, f->w.len, 0);
}

static enum board_event receive_borrowed_frame(
	struct fixture *f, enum frame_type type, const void *payload, size_t len)
{
	wire_only(&f->w, type, payload, len);
	return receive_borrowed(f);
}

/* Takes a random part of the input, as the process does. *next is the first expected byte. */
static void take_part(struct fixture *f, uint64_t *seed, uint8_t *next)
{
	size_t len;
	const uint8_t *data = board_session_input(f->s, &len);

	len = random_below(seed, len + 1);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], (*next)++);
	board_session_consume(f->s, len);
}

/* Receives a transfer with `len` bytes of input in one or two frames. */
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
	assert_int_equal(receive_borrowed(f), BOARD_NOTHING);
}

/* With `borrow` the process also reads from the transfer; else its input is copied at once. */
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
		if (!borrow)
			board_session_keep(f->s);
		take_part(f, &seed, &next_in);
		board_session_keep(f->s);
		memset(f->w.bytes, 0xee, f->w.len);
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

static void input_ring_wraps(void **state)
{
	check_order(*state, false);
}

static void borrowed_input_stays_in_order(void **state)
{
	check_order(*state, true);
}

/* Input is not copied if the process takes it all; EOF waits for the rest of it. */
static void borrowed_input(void **state)
{
	struct fixture *f = *state;
	const uint8_t *data;
	size_t len;

	open_session(f);
	assert_int_equal(receive_borrowed_frame(f, FRAME_DATA, "one", 3), BOARD_NOTHING);
	data = board_session_input(f->s, &len);
	assert_int_equal(len, 3);
	assert_ptr_equal(data, f->w.bytes + FRAME_HEADER);
	board_session_consume(f->s, 3);
	board_session_keep(f->s);
	wire_only(&f->w, FRAME_DATA, "two", 3);
	wire_add(&f->w, FRAME_EOF, NULL, 0);
	assert_int_equal(receive_borrowed(f), BOARD_NOTHING);
	assert_false(board_session_input_ended(f->s));
	board_session_consume(f->s, 1);
	board_session_keep(f->s);
	data = board_session_input(f->s, &len);
	assert_int_equal(len, 2);
	assert_memory_equal(data, "wo", 2);
	board_session_discard_input(f->s);
	assert_true(board_session_input_ended(f->s));
}

/* Once the session ended, also by a fault later in the same transfer, no input is left. */
static void borrowed_input_of_a_session_that_ends(void **state)
{
	struct fixture *f = *state;
	size_t len;

	open_session(f);
	wire_only(&f->w, FRAME_DATA, "x", 1);
	wire_add(&f->w, FRAME_HELLO_REPLY, NULL, 0);
	assert_int_equal(receive_borrowed(f), BOARD_STOP);
	board_session_input(f->s, &len);
	assert_int_equal(len, 0);
	board_session_keep(f->s);
	open_session_at(f, NONCE + 1, 0);
	assert_int_equal(receive_borrowed_frame(f, FRAME_DATA, "x", 1), BOARD_NOTHING);
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
		board_test(input_ring_wraps),
		board_test(borrowed_input_stays_in_order),
		board_test(borrowed_input),
		board_test(borrowed_input_of_a_session_that_ends),
	};

	return cmocka_run_group_tests_name("board input", tests, NULL, NULL);
}
