/* SPDX-License-Identifier: Apache-2.0 */
/* Memory-mapped maps that both the tool and the board change. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "host-usb/run/objects/mirror.h"
#include "tests/unit/run_test.h"

#define HANDLE 4
#define WORDS  6 /* three elements of 12 bytes, each rounded up to 16 */

static struct object *new_array(struct board *board)
{
	struct object *map = board_object(board, BPF_ABI_MAP, HANDLE);

	map->map_type = BPF_MAP_TYPE_ARRAY;
	map->map_flags = BPF_F_MMAPABLE;
	map->key_size = 4;
	map->value_size = 12;
	map->max_entries = 3;
	return map;
}

/* Prepares a reply with one part, `count` words at `offset` bytes; count == 0 for no part. */
static void reply_words(struct board *board, uint32_t offset, const uint64_t *words, uint32_t count)
{
	struct bytes_out *out = board_reply(board, RPC_MAP_SYNC, WORDS * 8);

	bytes_put_u32(out, count != 0);
	if (count) {
		bytes_put_u32(out, offset);
		rpc_put_bytes(out, words, count * 8);
	}
	board_ready(board);
}

/* Checks the next request. Sets changes[i] to the difference sent for word i, 0 if none. Returns
 * the number of differences. */
static uint32_t asked(struct board *board, bool whole, uint64_t changes[WORDS])
{
	struct bytes_in in = board_asked(board, RPC_MAP_SYNC);
	uint32_t n;

	memset(changes, 0, WORDS * 8);
	assert_int_equal(bytes_get_u32(&in), HANDLE);
	assert_int_equal(bytes_get_u8(&in), whole);
	n = bytes_get_u32(&in);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t offset = bytes_get_u32(&in);

		assert_true(offset % 8 == 0 && offset < WORDS * 8);
		changes[offset / 8] = bytes_get_u64(&in);
	}
	assert_true(bytes_get_end(&in));
	return n;
}

static uint64_t *map_it(const struct object *map)
{
	uint64_t *memory = mmap(NULL, WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

static void test_both_ways(void **state)
{
	static const uint64_t first[WORDS] = {1, 2, 3, 4, 5, UINT64_MAX};
	static const uint64_t later[] = {1000, 5000}, wrapped[] = {1}, added[] = {1107};
	struct board *board = board_start(NULL);
	struct object *map = new_array(board);
	uint64_t changes[WORDS], *memory;

	assert_false(mirrors_exist(&board->run));
	reply_words(board, 0, first, WORDS);
	assert_int_equal(mirror_open(map, true), 0);
	assert_true(mirrors_exist(&board->run));
	assert_int_equal(asked(board, true, changes), 0);
	memory = map_it(map);
	assert_memory_equal(memory, first, sizeof(first));

	/* Only the board has changed words. */
	reply_words(board, 8, later, 2);
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 0);
	assert_int_equal(memory[0], 1);
	assert_int_equal(memory[1], 1000);
	assert_int_equal(memory[2], 5000);
	assert_int_equal(memory[3], 4);

	/* Both have added to the same word: the reply has the sum. */
	memory[1] += 7;
	memory[4] -= 6;
	reply_words(board, 8, added, 1);
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 2);
	assert_int_equal(changes[1], 7);
	assert_int_equal(changes[4], (uint64_t)-6);
	assert_int_equal(memory[1], 1107);

	/* A difference is sent only once, and sums wrap. */
	memory[5] += 2;
	reply_words(board, 40, wrapped, 1);
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 1);
	assert_int_equal(changes[5], 2);
	assert_int_equal(memory[5], 1);
	reply_words(board, 0, NULL, 0);
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 0);
	munmap(memory, WORDS * 8);
	board_stop(board);
}

/* The tool adds to a word while the board answers. */
static void count_five(void *arg)
{
	uint64_t *memory = arg;

	*memory += 5;
}

static void test_write_during_sync(void **state)
{
	static const uint64_t first[WORDS] = {10}, later[] = {14};
	struct board *board = board_start(NULL);
	struct object *map = new_array(board);
	uint64_t changes[WORDS], *memory;

	reply_words(board, 0, first, WORDS);
	assert_int_equal(mirror_open(map, true), 0);
	asked(board, true, changes);
	memory = map_it(map);
	memory[0] += 1;
	board->before = count_five;
	board->arg = memory;
	reply_words(board, 0, later, 1); /* 10, the tool's 1, and 3 of the board */
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 1);
	assert_int_equal(changes[0], 1);
	assert_int_equal(memory[0], 19);
	board->before = NULL;
	reply_words(board, 0, NULL, 0);
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 1);
	assert_int_equal(changes[0], 5);
	assert_int_equal(memory[0], 19);
	munmap(memory, WORDS * 8);
	board_stop(board);
}

/* A read-only mapping sends no differences. A later writable mapping of the same map does. */
static void test_read_only(void **state)
{
	static const uint64_t first[WORDS] = {10, 20};
	struct board *board = board_start(NULL);
	struct object *map = new_array(board);
	uint64_t changes[WORDS], *memory;

	reply_words(board, 0, first, WORDS);
	assert_int_equal(mirror_open(map, false), 0);
	asked(board, true, changes);
	memory = map_it(map);
	memory[1] = 0;
	reply_words(board, 0, NULL, 0);
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 0);

	memory[1] = 20;
	assert_int_equal(mirror_open(map, true), 0); /* a second mapping */
	memory[1] = 21;
	reply_words(board, 0, NULL, 0);
	mirrors_sync(&board->run);
	assert_int_equal(asked(board, false, changes), 1);
	assert_int_equal(changes[1], 1);

	/* A frozen map that is read-only for programs cannot change, so it is not synchronized. */
	map->frozen = true;
	map->map_flags |= BPF_F_RDONLY_PROG;
	mirrors_sync(&board->run);
	assert_int_equal(board_unseen(board), 0);
	munmap(memory, WORDS * 8);
	board_stop(board);
}

static void test_refused(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_array(board);

	board_reply_ret(board, RPC_MAP_SYNC, -E2BIG);
	assert_int_equal(mirror_open(map, true), -E2BIG);
	assert_null(map->mirror);
	assert_false(mirrors_exist(&board->run));
	mirrors_sync(&board->run);
	assert_int_equal(board->given, 1);
	board_stop(board);
}

/* Parts outside the memory, or not of whole words, change nothing. The map is not synchronized any
 * more. */
static void test_wrong_parts(void **state)
{
	static const struct {
		uint32_t offset, size;
	} parts[] = {{4, 8}, {0, 7}, {WORDS * 8, 8}, {WORDS * 8 - 8, 16}, {UINT32_MAX - 7, 8},
		{0, WORDS * 8 + 8}, {WORDS * 8 + 8, 0}};
	static const uint64_t first[WORDS] = {1, 2, 3, 4, 5, 6};
	static const char rubbish[WORDS * 8 + 8] = "rubbish";

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct board *board = board_start(NULL);
		struct object *map = new_array(board);
		struct bytes_out *out;
		uint64_t *memory;

		reply_words(board, 0, first, WORDS);
		assert_int_equal(mirror_open(map, true), 0);
		out = board_reply(board, RPC_MAP_SYNC, WORDS * 8);
		bytes_put_u32(out, 1);
		bytes_put_u32(out, parts[i].offset);
		rpc_put_bytes(out, rubbish, parts[i].size);
		board_ready(board);
		mirrors_sync(&board->run);
		memory = map_it(map);
		assert_memory_equal(memory, first, sizeof(first));
		mirrors_sync(&board->run); /* sends nothing */
		assert_int_equal(board->given, 2);
		munmap(memory, WORDS * 8);
		board_stop(board);
	}
}

/* If the first reply announces more parts than it has, the mapping fails. */
static void test_short_reply(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_array(board);
	struct bytes_out *out = board_reply(board, RPC_MAP_SYNC, WORDS * 8);

	bytes_put_u32(out, UINT32_MAX);
	bytes_put_u32(out, 0);
	rpc_put_bytes(out, NULL, 8);
	board_ready(board);
	assert_int_equal(mirror_open(map, true), -EIO);
	assert_null(map->mirror);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_write_during_sync),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wrong_parts),
		cmocka_unit_test(test_short_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
