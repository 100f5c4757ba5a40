/* SPDX-License-Identifier: Apache-2.0 */
/* read_ahead: entries of maps that bpfd-run fetches in advance. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host-usb/run/objects/key_walk.h"
#include "host-usb/run/objects/read_ahead.h"
#include "tests/unit/read_ahead_test.h"

/* Returns the key after `key`, or the first one if it is -1; or a negative errno. */
static int64_t next(struct object *map, int64_t key)
{
	uint32_t number = (uint32_t)key;
	const void *found;
	int err = read_ahead_next(map, key < 0 ? NULL : &number, &found);

	if (err)
		return err;
	memcpy(&number, found, 4);
	return number;
}

/* Returns the value that was read ahead for a key, or 0. */
static uint64_t value_of(struct object *map, uint32_t key)
{
	const void *found = read_ahead_value(map, &key);
	uint64_t value = 0;

	if (found)
		memcpy(&value, found, 8);
	return value;
}

static void test_dump(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	assert_int_equal(value_of(map, 1), 0);
	reply_entries(board, 10, 3, 1000, false);
	reply_entries(board, 13, 2, 1000, true);
	assert_int_equal(next(map, -1), 10);
	assert_int_equal(value_of(map, 10), 1010);
	for (uint32_t key = 10; key < 14; key++) {
		assert_int_equal(next(map, key), key + 1);
		assert_int_equal(value_of(map, key + 1), key + 1001);
	}
	assert_int_equal(next(map, 14), -ENOENT);
	assert_int_equal(asked(board), -1);
	assert_int_equal(asked(board), 12);
	assert_int_equal(board_unseen(board), 0); /* five entries, two round trips */

	/* Starting again fetches the entries again. */
	reply_entries(board, 20, 1, 0, true);
	assert_int_equal(next(map, -1), 20);
	assert_int_equal(value_of(map, 14), 0);
	assert_int_equal(next(map, 20), -ENOENT);
	board_stop(board);
}

/* Some tools copy all keys before they look up values. */
static void test_keys_first(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_LRU_HASH);

	reply_entries(board, 1, 20, 100, true);
	assert_int_equal(next(map, -1), 1);
	for (uint32_t key = 1; key < 20; key++)
		assert_int_equal(next(map, key), key + 1);
	assert_int_equal(value_of(map, 20), 120);
	assert_int_equal(value_of(map, 77), 0); /* was not read ahead */
	board_stop(board);
}

/* Gets the next keys until the walk ends. Returns their number. */
static uint64_t walk(struct object *map, uint64_t most)
{
	for (uint64_t n = 0; n < most; n++)
		if (key_walk(map, false, 0))
			return n;
	return most;
}

/* Tools keep all keys in memory, so a board must not send more and more. */
static void test_endless_walk(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	const uint64_t all = 4 * 100 + 65536;

	assert_int_equal(walk(map, 1000000), all);
	assert_int_equal(walk(map, 1000000), all); /* another walk */
	assert_int_equal(walk(map, all), all);
	assert_int_equal(key_walk(map, false, -ENOENT), -ENOENT); /* it ends in time */
	assert_int_equal(walk(map, all), all);
	assert_int_equal(key_walk(map, true, 0), 0); /* it begins again */
	assert_int_equal(walk(map, all - 1), all - 1);
	now_ms += 1001; /* a tool that pauses */
	assert_int_equal(walk(map, all), all);
	now_ms += 1000;
	assert_int_equal(walk(map, 1), 0);
	board_stop(board);
}

static void test_empty_and_errors(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	reply_entries(board, 0, 0, 0, true);
	assert_int_equal(next(map, -1), -ENOENT);
	board_reply_ret(board, RPC_MAP_WALK, -EPERM);
	assert_int_equal(next(map, -1), -EPERM);

	/* One byte more or less than the number of entries requires. */
	for (int i = -1; i <= 1; i += 2) {
		struct bytes_out *out = board_reply(board, RPC_MAP_WALK, 2);

		bytes_put_u8(out, 1);
		rpc_put_bytes(out, NULL, (size_t)(24 + i));
		board_ready(board);
		assert_int_equal(next(map, -1), -EIO);
	}
	bytes_put_u8(board_reply(board, RPC_MAP_WALK, 0x10000000), 1);
	rpc_put_bytes(&board->answers[board->prepared], NULL, 24);
	board_ready(board);
	assert_int_equal(next(map, -1), -EIO);
	bytes_put_u8(board_reply(board, RPC_MAP_WALK, 1), 1); /* has no entries */
	board_ready(board);
	assert_int_equal(next(map, -1), -EIO);
	board_stop(board);
}

/* A tool deletes the entries that it iterates over: the keys stay, the values are dropped. */
static void test_delete_while_iterating(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	read_ahead_changed(map); /* before anything was read ahead */
	reply_entries(board, 1, 4, 50, true);
	assert_int_equal(next(map, -1), 1);
	assert_int_equal(value_of(map, 1), 51);
	read_ahead_changed(map);
	assert_int_equal(value_of(map, 1), 0);
	for (uint32_t key = 1; key < 4; key++) {
		assert_int_equal(next(map, key), key + 1);
		assert_int_equal(value_of(map, key + 1), 0);
		read_ahead_changed(map);
	}
	assert_int_equal(next(map, 4), -ENOENT);
	assert_int_equal(asked(board), -1);
	assert_int_equal(board_unseen(board), 0);

	reply_entries(board, 1, 1, 60, true); /* a new iteration has values again */
	assert_int_equal(next(map, -1), 1);
	assert_int_equal(value_of(map, 1), 61);
	board_stop(board);
}

/* For a key that was not read ahead the board is asked. */
static void test_unknown_key(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	reply_entries(board, 1, 10, 0, true);
	reply_entries(board, 500, 2, 0, true);
	reply_entries(board, 2, 3, 0, true);
	assert_int_equal(next(map, -1), 1);
	assert_int_equal(next(map, 499), 500);
	assert_int_equal(next(map, 1), 2);
	asked(board);
	assert_int_equal(asked(board), 499);
	assert_int_equal(asked(board), 1);
	board_stop(board);
}

/* A request has the last keys, newest first: the board continues after the first that still exists.
 */
static void test_keys_sent(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	reply_entries(board, 1, 3, 0, false);
	reply_entries(board, 10, 20, 0, false);
	reply_entries(board, 50, 1, 0, true);
	assert_int_equal(next(map, -1), 1);
	assert_int_equal(next(map, 1), 2);
	assert_int_equal(next(map, 2), 3);
	assert_int_equal(next(map, 3), 10);
	assert_int_equal(asked(board), -1);
	assert_int_equal(asked(board), 3);
	assert_int_equal(sent_count, 3);
	assert_int_equal(sent[1], 2);
	assert_int_equal(sent[2], 1);
	for (uint32_t key = 10; key < 29; key++)
		assert_int_equal(next(map, key), key + 1);
	assert_int_equal(next(map, 29), 50);
	assert_int_equal(asked(board), 29);
	assert_int_equal(sent_count, RPC_WALK_KEYS);
	for (uint32_t i = 0; i < RPC_WALK_KEYS; i++)
		assert_int_equal(sent[i], 29 - i);

	/* A key that was not read ahead is sent alone. */
	reply_entries(board, 71, 1, 0, true);
	assert_int_equal(next(map, 70), 71);
	assert_int_equal(asked(board), 70);
	assert_int_equal(sent_count, 1);
	board_stop(board);
}

/* Entries expire 2 s after they were read, or 300 ms after their last use. */
static void test_expiry(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_ARRAY);

	reply_entries(board, 1, 90, 0, true);
	assert_int_equal(next(map, -1), 1);
	assert_int_equal(asked(board), -1);
	for (uint32_t key = 1; key <= 20; key++) {
		now_ms += 50;
		assert_int_equal(value_of(map, key), key);
		now_ms += 50;
		assert_int_equal(next(map, key), key + 1);
	}
	assert_int_equal(board_unseen(board), 0);
	now_ms += 1; /* now older than 2 s */
	reply_entries(board, 22, 3, 7, true);
	assert_int_equal(value_of(map, 21), 0);
	assert_int_equal(next(map, 21), 22);
	assert_int_equal(asked(board), 21);
	assert_int_equal(sent_count, RPC_WALK_KEYS);

	now_ms += 301; /* since the last use */
	reply_entries(board, 23, 2, 9, true);
	assert_int_equal(value_of(map, 22), 0);
	assert_int_equal(next(map, 22), 23);
	assert_int_equal(value_of(map, 23), 32);
	assert_int_equal(asked(board), 22);
	board_stop(board);
}

/* A tool that looks up the same entry again waits for it to change. */
static void test_repeated_lookup(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	reply_entries(board, 1, 2, 0, true);
	assert_int_equal(next(map, -1), 1);
	assert_int_equal(next(map, 1), 2);
	assert_int_equal(value_of(map, 1), 1); /* some tools look up the previous key */
	assert_int_equal(value_of(map, 1), 0);
	assert_int_equal(value_of(map, 2), 2);
	assert_int_equal(value_of(map, 2), 0);
	reply_entries(board, 2, 1, 0, true);
	assert_int_equal(next(map, 1), 2);
	asked(board);
	assert_int_equal(asked(board), 1);
	board_stop(board);
}

/* Not read ahead: types whose lookups work differently, and maps with large entries. */
static void test_maps_not_read_ahead(void **state)
{
	static const uint32_t types[] = {BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_LPM_TRIE,
		BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_HASH_OF_MAPS, BPF_MAP_TYPE_RINGBUF};
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		map->map_type = types[i];
		assert_int_equal(next(map, -1), -EOPNOTSUPP);
	}
	map->map_type = BPF_MAP_TYPE_HASH;
	map->value_size = 64 << 10;
	assert_int_equal(next(map, -1), -EOPNOTSUPP);
	map->value_size = UINT32_MAX;
	assert_int_equal(next(map, -1), -EOPNOTSUPP);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_keys_first),
		cmocka_unit_test(test_endless_walk),
		cmocka_unit_test(test_empty_and_errors),
		cmocka_unit_test(test_delete_while_iterating),
		cmocka_unit_test(test_unknown_key),
		cmocka_unit_test(test_keys_sent),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_repeated_lookup),
		cmocka_unit_test(test_maps_not_read_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
