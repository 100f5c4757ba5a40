/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead in maps of stack traces. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host-usb/run/objects/stacks.h"
#include "tests/unit/read_ahead_test.h"

#define QUICK 8 /* lookups that go to the board before the map is fetched */

/* What is known of an id, 0: the board is asked. */
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

/* A few single lookups are cheaper than the whole map; from then on the map is there. */
static void test_row(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	assert_int_equal(board_unseen(board), 0);
	says(board, 3, 20, 1000, false);
	says(board, 90, 5, 1000, true);
	assert_int_equal(stack_of(map, 22), 1022);
	assert_int_equal(asked(board), -1);
	assert_int_equal(asked(board), 22); /* the last one of the page before */
	assert_int_equal(sent_count, 1);
	for (uint32_t id = 3; id < 23; id++)
		assert_int_equal(stack_of(map, id), id + 1000);
	for (uint32_t id = 90; id < 95; id++)
		assert_int_equal(stack_of(map, id), id + 1000);
	assert_int_equal(stack_of(map, 94), 1094); /* many keys share a stack */
	/* Later ones, and none: the board knows. */
	assert_int_equal(stack_of(map, 0), 0);
	assert_int_equal(stack_of(map, 2), 0);
	assert_int_equal(stack_of(map, 23), 0);
	assert_int_equal(stack_of(map, 95), 0);
	assert_int_equal(stack_of(map, UINT32_MAX), 0);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* Lookups now and then want what is there now. */
static void test_slow(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	for (int i = 0; i < 3 * QUICK; i++) {
		now_ms += 301;
		assert_int_equal(stack_of(map, 1), 0);
	}
	look_up(map, QUICK - 1);
	assert_int_equal(board_unseen(board), 0);
	says(board, 1, 1, 0, true);
	assert_int_equal(stack_of(map, 1), 1);
	now_ms += 301;
	assert_int_equal(stack_of(map, 1), 0);
	asked(board);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

static void test_age(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	says(board, 1, 1, 10, true);
	for (int i = 0; i <= 20; i++) {
		assert_int_equal(stack_of(map, 1), 11);
		now_ms += 100;
	}
	says(board, 1, 1, 20, true); /* 2.1 s */
	assert_int_equal(stack_of(map, 1), 21);
	asked(board);
	assert_int_equal(asked(board), -1);
	board_stop(board);
}

static void test_changed(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	stacks_changed(map); /* of what was never read */
	look_up(map, QUICK);
	says(board, 1, 2, 10, true);
	assert_int_equal(stack_of(map, 1), 11);
	stacks_changed(map);
	says(board, 2, 1, 20, true);
	assert_int_equal(stack_of(map, 1), 0);
	assert_int_equal(stack_of(map, 2), 22);
	asked(board);
	asked(board);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* Behind an id that was deleted the kernel begins anew: what came before is kept, once. */
static void test_anew(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	says(board, 5, 5, 10, false);
	says(board, 5, 4, 20, false);
	assert_int_equal(stack_of(map, 5), 15);
	assert_int_equal(stack_of(map, 9), 19);
	assert_int_equal(asked(board), -1);
	assert_int_equal(asked(board), 9);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* A board that cannot, or sends nonsense: lookups go on one by one. */
static void test_errors(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_STACK_TRACE);

	look_up(map, QUICK);
	board_says(board, RPC_MAP_WALK, -EPERM);
	assert_int_equal(stack_of(map, 1), 0);
	assert_int_equal(stack_of(map, 1), 0);
	asked(board);
	assert_int_equal(board_unseen(board), 0); /* not again for each lookup */

	stacks_changed(map);
	says(board, 1, 2, 10, false);
	says(board, 0, 0, 0, false); /* neither entries nor an end */
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

/* An error of bpf_get_stackid() in place of an id, as that of a kernel thread's user stack, and ids
 * beyond the table, whose size is a power of two. */
static void test_no_ids(void **state)
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
	assert_false(stacks_none(map, &id)); /* no such map can be */
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
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_anew),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_ids),
		cmocka_unit_test(test_other_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
