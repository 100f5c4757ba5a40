/* SPDX-License-Identifier: Apache-2.0 */
/* Stack trace maps, which bpfd-run fetches whole. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host-usb/run/objects/stacks.h"
#include "tests/unit/read_ahead_test.h"

#define QUICK 8 /* lookups in quick succession before the map is fetched */

/* Returns the fetched stack of an id, or 0 if the board must be asked. */
static uint64_t stack_of(struct object *map, uint32_t id)
{
	const void *found = stacks_value(map, &id);
	uint64_t value = 0;

	if (found)
		memcpy(&value, found, 8);
	return value;
}

static void look_up(struct object *map, unsigned int n)
{
	for (uint32_t id = 1; id <= n; id++)
		assert_int_equal(stack_of(map, id), 0);
}

/* A few lookups are cheaper than the whole map. The next one fetches it and the rest need no board.
 */
static void test_fetch_after_quick_lookups(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	assert_int_equal(board_unseen(board), 0);
	reply_entries(board, 3, 20, 1000, false);
	reply_entries(board, 90, 5, 1000, true);
	assert_int_equal(stack_of(map, 22), 1022);
	assert_int_equal(asked(board), -1);
	assert_int_equal(asked(board), 22); /* the last id of the first page */
	assert_int_equal(sent_count, 1);
	for (uint32_t id = 3; id < 23; id++)
		assert_int_equal(stack_of(map, id), id + 1000);
	for (uint32_t id = 90; id < 95; id++)
		assert_int_equal(stack_of(map, id), id + 1000);
	assert_int_equal(stack_of(map, 94), 1094); /* again: keys share stacks */
	/* Ids without a fetched stack: the board may have newer ones. */
	assert_int_equal(stack_of(map, 0), 0);
	assert_int_equal(stack_of(map, 2), 0);
	assert_int_equal(stack_of(map, 23), 0);
	assert_int_equal(stack_of(map, 95), 0);
	assert_int_equal(stack_of(map, UINT32_MAX), 0);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* Lookups more than 300 ms apart go to the board: the tool wants the current stacks. */
static void test_slow_lookups(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	for (int i = 0; i < 3 * QUICK; i++) {
		now_ms += 301;
		assert_int_equal(stack_of(map, 1), 0);
	}
	look_up(map, QUICK - 1);
	assert_int_equal(board_unseen(board), 0);
	reply_entries(board, 1, 1, 0, true);
	assert_int_equal(stack_of(map, 1), 1);
	now_ms += 301;
	assert_int_equal(stack_of(map, 1), 0);
	asked(board);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

static void test_expiry(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	reply_entries(board, 1, 1, 10, true);
	for (int i = 0; i <= 20; i++) {
		assert_int_equal(stack_of(map, 1), 11);
		now_ms += 100;
	}
	reply_entries(board, 1, 1, 20, true); /* after 2.1 s */
	assert_int_equal(stack_of(map, 1), 21);
	asked(board);
	assert_int_equal(asked(board), -1);
	board_stop(board);
}

static void test_changed(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	stacks_changed(map); /* before anything was fetched */
	look_up(map, QUICK);
	reply_entries(board, 1, 2, 10, true);
	assert_int_equal(stack_of(map, 1), 11);
	stacks_changed(map);
	reply_entries(board, 2, 1, 20, true);
	assert_int_equal(stack_of(map, 1), 0);
	assert_int_equal(stack_of(map, 2), 22);
	asked(board);
	asked(board);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* After a deleted id the kernel starts again at the first one. Each stack is kept only once. */
static void test_walk_starts_over(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	reply_entries(board, 5, 5, 10, false);
	reply_entries(board, 5, 4, 20, false);
	assert_int_equal(stack_of(map, 5), 15);
	assert_int_equal(stack_of(map, 9), 19);
	assert_int_equal(asked(board), -1);
	assert_int_equal(asked(board), 9);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* If the board refuses or sends an invalid reply, each lookup goes to the board. */
static void test_errors(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	board_reply_ret(board, RPC_MAP_WALK, -EPERM);
	assert_int_equal(stack_of(map, 1), 0);
	assert_int_equal(stack_of(map, 1), 0);
	asked(board);
	assert_int_equal(board_unseen(board), 0); /* the second lookup did not try again */

	stacks_changed(map);
	reply_entries(board, 1, 2, 10, false);
	reply_entries(board, 0, 0, 0, false); /* no entries, but not the end */
	assert_int_equal(stack_of(map, 2), 12);
	asked(board);
	asked(board);

	stacks_changed(map);
	bytes_put_u8(board_reply(board, RPC_MAP_WALK, 2), 1);
	rpc_put_bytes(&board->answers[board->prepared], NULL, 23);
	board_ready(board);
	assert_int_equal(stack_of(map, 2), 0);
	board_stop(board);
}

/* Impossible ids: an errno of bpf_get_stackid(), as for the user stack of a kernel thread, and ids
 * beyond the table, whose size is rounded up to a power of two. */
static void test_impossible_ids(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);
	uint32_t id = (uint32_t)-EFAULT;

	map->max_entries = 100;
	assert_true(stacks_none(map, &id));
	id = 128;
	assert_true(stacks_none(map, &id));
	id = 127;
	assert_false(stacks_none(map, &id));
	map->max_entries = 128;
	assert_false(stacks_none(map, &id));
	map->max_entries = 0x80000001;
	id = UINT32_MAX;
	assert_false(stacks_none(map, &id)); /* the kernel refuses such a map */
	map->map_type = BPF_MAP_TYPE_HASH;
	map->max_entries = 1;
	assert_false(stacks_none(map, &id));
	board_stop(board);
}

static void test_other_maps(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);

	look_up(map, 5 * QUICK);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fetch_after_quick_lookups),
		cmocka_unit_test(test_slow_lookups),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_walk_starts_over),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_impossible_ids),
		cmocka_unit_test(test_other_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
