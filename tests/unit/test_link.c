// SPDX-License-Identifier: Apache-2.0
// Tests the building of transfers and the numbering of frames.
#include "tests/unit/link_test.h"

#include <errno.h>

/* Checks the rules for each transfer: at any speed it ends with a short packet, and it fits the
 * receiver's buffer. */
static void assert_transfer(const struct link *link, size_t len)
{
	assert_true(len > 0);
	assert_int_not_equal(len % TRANSFER_QUANTUM, 0);
	assert_true(len < link->tx_limit);
}

static void nothing_to_send(void **state)
{
	uint8_t buffer[TRANSFER_MIN];
	struct transfer t = {.data = buffer};
	struct link link;

	link_open(&link, sizeof(buffer), sizeof(buffer));
	assert_int_equal(link_finish(&link, &t), 0);
	assert_int_equal(link.tx_seq, 0);
}

static void limit_is_the_smaller_buffer(void **state)
{
	struct link link;

	link_open(&link, 4096, 2048);
	assert_int_equal(link.tx_limit, 2048);
	link_open(&link, 2048, UINT32_MAX);
	assert_int_equal(link.tx_limit, 2048);
}

/* One DATA frame of each length that fits, for each buffer size near that of a packet. */
static void every_length(void **state)
{
	static const size_t limits[] = {TRANSFER_MIN, TRANSFER_MIN + 1, TRANSFER_MIN + 8,
		TRANSFER_MIN + 9, TRANSFER_MIN + 16, TRANSFER_MIN + 17, 1087, 1088, 1089, 16384,
		TRANSFER_MAX - 1, TRANSFER_MAX};
	static uint8_t buffer[TRANSFER_MAX];

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct transfer t = {.data = buffer};
		struct link link;
		size_t room;

		link_open(&link, TRANSFER_MAX, limits[i]);
		room = link_room(&link, &t);
		assert_int_equal(room, limits[i] - 2 * FRAME_HEADER - 1);
		for (size_t len = 0; len <= room; len++) {
			t.len = 0;
			link_put(&link, &t, FRAME_DATA, len);
			assert_transfer(&link, link_finish(&link, &t));
		}
	}
}

/* Frames of random lengths until the transfer is full. */
static void random_frames(void **state)
{
	static uint8_t buffer[TRANSFER_MAX];
	uint64_t seed = random_seed();

	for (int round = 0; round < 20000; round++) {
		size_t limit = TRANSFER_MIN + random_below(&seed, 300), room;
		struct transfer t = {.data = buffer};
		struct link tx, rx;
		struct frame frame;
		size_t offset = 0, frames = 0, sent = 0;

		link_open(&tx, limit, TRANSFER_MAX);
		link_open(&rx, limit, TRANSFER_MAX);
		while ((room = link_room(&tx, &t)) > 0 && random_below(&seed, 20) != 0) {
			size_t len = random_below(&seed, (round & 1 ? 40 : room) + 1);

			len = len < room ? len : room;
			assert_ptr_equal(link_payload(&t), buffer + t.len + FRAME_HEADER);
			memset(link_payload(&t), 'x', len);
			link_put(&tx, &t, FRAME_DATA, len);
			sent += len;
		}
		if (link_finish(&tx, &t) == 0)
			continue;
		assert_transfer(&tx, t.len);
		while (frame_next(buffer, t.len, &offset, &frame) == 1) {
			assert_int_equal(link_receive(&rx, &frame), 0);
			frames++;
			sent -= frame.len;
		}
		assert_int_equal(offset, t.len);
		assert_int_equal(sent, 0);
		assert_int_equal(frames, tx.tx_seq);
	}
}

static void room_never_wraps(void **state)
{
	static uint8_t buffer[TRANSFER_MIN];
	struct transfer t = {.data = buffer};
	struct link link;

	link_open(&link, TRANSFER_MIN, TRANSFER_MIN);
	for (t.len = 0; t.len <= sizeof(buffer); t.len++) {
		size_t room = link_room(&link, &t);

		assert_true(room < TRANSFER_MIN);
		if (room > 0)
			assert_true(t.len + room + 2 * FRAME_HEADER < TRANSFER_MIN);
	}
}

static void pad_is_counted(void **state)
{
	uint8_t buffer[TRANSFER_MIN];
	struct transfer t = {.data = buffer};
	struct link link;
	size_t offset = 0;

	link_open(&link, sizeof(buffer), sizeof(buffer));
	link_put(&link, &t, FRAME_DATA, TRANSFER_QUANTUM - FRAME_HEADER);
	assert_int_equal(link_finish(&link, &t), TRANSFER_QUANTUM + FRAME_HEADER);
	assert_int_equal(wire_expect(buffer, t.len, &offset, FRAME_DATA).seq, 0);
	assert_int_equal(wire_expect(buffer, t.len, &offset, FRAME_PAD).seq, 1);
	assert_int_equal(link.tx_seq, 2);
}

static void gap_repeat_and_wrap(void **state)
{
	struct frame frame = {.seq = 1};
	struct link link;

	link_open(&link, TRANSFER_MIN, TRANSFER_MIN);
	assert_int_equal(link_receive(&link, &frame), -EBADMSG);
	frame.seq = 0;
	assert_int_equal(link_receive(&link, &frame), 0);
	assert_int_equal(link_receive(&link, &frame), -EBADMSG);
	link.rx_seq = UINT32_MAX;
	frame.seq = UINT32_MAX;
	assert_int_equal(link_receive(&link, &frame), 0);
	frame.seq = 0;
	assert_int_equal(link_receive(&link, &frame), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_send),
		cmocka_unit_test(limit_is_the_smaller_buffer),
		cmocka_unit_test(every_length),
		cmocka_unit_test(random_frames),
		cmocka_unit_test(room_never_wraps),
		cmocka_unit_test(pad_is_counted),
		cmocka_unit_test(gap_repeat_and_wrap),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
