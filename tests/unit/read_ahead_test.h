/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of read_ahead and stacks: a clock, a map, and its entries. */
#ifndef TESTS_UNIT_READ_AHEAD_TEST_H
#define TESTS_UNIT_READ_AHEAD_TEST_H

#include "host-usb/run/objects/read_ahead.h"
#include "tests/unit/run_test.h"

#define HANDLE 9

/* A fake clock: on a busy machine entries must not expire. */
static uint64_t now_ms = 1000000;

int clock_gettime(clockid_t id, struct timespec *now)
{
	*now = (struct timespec){(time_t)(now_ms / 1000), (long)(now_ms % 1000) * 1000000};
	return 0;
}

/* A map with keys of type u32 and values of type u64. */
static struct object *new_map(struct board *board, uint32_t type)
{
	struct object *map = board_object(board, BPF_ABI_MAP, HANDLE);

	map->map_type = type;
	map->key_size = 4;
	map->value_size = 8;
	map->max_entries = 100;
	return map;
}

/* Prepares a reply with n entries. The keys are first, first + 1, ...; a value is its key + values.
 */
static void reply_entries(
	struct board *board, uint32_t first, uint32_t n, uint64_t values, bool ended)
{
	struct bytes_out *out = board_reply(board, RPC_MAP_WALK, (int32_t)n);

	bytes_put_u8(out, ended);
	bytes_put_u32(out, n * 12);
	for (uint32_t key = first; key < first + n; key++) {
		uint64_t value = key + values;

		memcpy(bytes_put_room(out, 4), &key, 4);
		memcpy(bytes_put_room(out, 8), &value, 8);
	}
	board_ready(board);
}

/* The keys of the last request, the newest one first. */
static unsigned int sent_count;
static uint32_t sent[RPC_WALK_KEYS];

/* Checks the next request, which must be a MAP_WALK. Returns the key to continue after, or -1 for
 * the start of the map. */
static int64_t asked(struct board *board)
{
	struct bytes_in in = board_asked(board, RPC_MAP_WALK);
	const void *keys;
	size_t size;

	assert_int_equal(bytes_get_u32(&in), HANDLE);
	sent_count = bytes_get_u8(&in);
	assert_true(sent_count <= RPC_WALK_KEYS);
	keys = rpc_get_bytes(&in, &size);
	assert_int_equal(size, sent_count * 4);
	if (size)
		memcpy(sent, keys, size);
	assert_true(bytes_get_u32(&in) >= 4096);
	assert_true(bytes_get_end(&in));
	return sent_count ? (int64_t)sent[0] : -1;
}

#endif
