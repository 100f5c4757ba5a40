/* SPDX-License-Identifier: Apache-2.0 */
/* mmap(2) of maps: a tool can map as much of a map as the kernel would let it, and no more. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "host-usb/run/calls/notify.h"
#include "tests/unit/run_test.h"

#define READ  PROT_READ
#define WRITE (PROT_READ | PROT_WRITE)

static int64_t map_it(
	struct board *board, const struct object *map, uint64_t length, int prot, uint64_t offset)
{
	const uint64_t args[6] = {0, length, (uint64_t)prot, MAP_SHARED, (uint64_t)map->fd, offset};
	const struct call call = board_call(board, SYS_mmap, args);

	return sys_mmap(&call);
}

/* An array of 300 elements of 12 bytes, each rounded up to 16: two pages of 4 KiB. */
static void test_array(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages = (4800 + page - 1) / page * page;
	struct board *board = board_start(NULL);
	struct object *map = board_object(board, BPF_ABI_MAP, 4);

	map->map_type = BPF_MAP_TYPE_ARRAY;
	map->map_flags = BPF_F_MMAPABLE;
	map->value_size = 12;
	map->max_entries = 300;
	assert_int_equal(map_it(board, map, pages + 1, READ, 0), -EINVAL);
	assert_int_equal(map_it(board, map, pages, READ, page), -EINVAL);
	assert_int_equal(map_it(board, map, page, READ, pages), -EINVAL);
	assert_int_equal(map_it(board, map, page, WRITE, UINT64_MAX - page + 1), -EINVAL);
	assert_int_equal(map_it(board, map, UINT64_MAX, READ, 0), -EINVAL);
	assert_int_equal(board_unseen(board), 0); /* the board has not mapped it either */
	bytes_put_u32(board_reply(board, RPC_MAP_SYNC, 4800), 0);
	board_ready(board);
	assert_int_equal(map_it(board, map, pages, READ, 0), CALL_CONTINUE);
	assert_int_equal(map_it(board, map, pages - page, READ, page), CALL_CONTINUE);
	assert_int_equal(map_it(board, map, 4800, WRITE, 0), CALL_CONTINUE);
	assert_int_equal(map_it(board, map, pages + 1, WRITE, 0), -EINVAL);
	board_stop(board);
}

/* Two pages of positions and twice the data. Only the consumer's position can be written to. */
static void test_ringbuf(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size = 4 * page;
	struct board *board = board_start(NULL);
	struct object *map = board_object(board, BPF_ABI_MAP, 4);

	map->map_type = BPF_MAP_TYPE_RINGBUF;
	map->max_entries = (uint32_t)size;
	assert_int_equal(map_it(board, map, 2 * page + 2 * size + 1, READ, 0), -EINVAL);
	assert_int_equal(map_it(board, map, page + 2 * size + 1, READ, page), -EINVAL);
	assert_int_equal(map_it(board, map, page, READ, 2 * page + 2 * size), -EINVAL);
	assert_int_equal(map_it(board, map, page + 1, WRITE, 0), -EPERM);
	assert_int_equal(map_it(board, map, page, WRITE, page), -EPERM);
	assert_int_equal(board_unseen(board), 0);
	board_reply_ret(board, RPC_RING_OPEN, 0);
	assert_int_equal(map_it(board, map, page, WRITE, 0), CALL_CONTINUE);
	assert_int_equal(map_it(board, map, page + 2 * size, READ, page), CALL_CONTINUE);
	assert_int_equal(map_it(board, map, page + 2 * size + 1, READ, page), -EINVAL);
	board_stop(board);
}

/* Events have one size for their whole life: a page, and 2^n pages of data. */
static void test_event(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct board *board = board_start(NULL);
	struct object *event = board_object(board, BPF_ABI_EVENT, 4);

	assert_int_equal(map_it(board, event, 4 * page, WRITE, 0), -EINVAL);
	assert_int_equal(map_it(board, event, 5 * page, WRITE, page), -EINVAL);
	board_reply_ret(board, RPC_RING_OPEN, 0);
	assert_int_equal(map_it(board, event, 5 * page, WRITE, 0), CALL_CONTINUE);
	assert_int_equal(map_it(board, event, 9 * page, WRITE, 0), -EINVAL);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_array),
		cmocka_unit_test(test_ringbuf),
		cmocka_unit_test(test_event),
	};

	return cmocka_run_group_tests_name("run mmap", tests, NULL, NULL);
}
