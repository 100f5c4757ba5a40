/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_OBJ_GET_INFO_BY_FD of maps. Tools size their buffers by it, so it must be right. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "tests/unit/run_test.h"

#define MAP	 100 /* a handle */
#define CPUS	 3
#define REPORTED 80 /* bytes that the board's kernel knows */

static struct board *board;

static int setup(void **state)
{
	board = board_start(NULL);
	board->run.board.possible_cpus = CPUS;
	return 0;
}

static int teardown(void **state)
{
	board_stop(board);
	return 0;
}

static struct object *new_map(
	uint32_t type, uint32_t key_size, uint64_t value_size, uint32_t entries)
{
	struct object *map = board_object(board, BPF_ABI_MAP, MAP);

	map->map_type = type;
	map->key_size = key_size;
	map->value_size = value_size;
	map->max_entries = entries;
	return map;
}

static const struct bpf_map_info unasked = {.type = 0xaaaa, .max_entries = 0xbbbb};

/* Gets the info of the map while the board reports the first `size` bytes of `reported`. */
static int64_t ask(const struct object *map, const struct bpf_map_info *reported, size_t size,
	struct bpf_map_info *info, uint32_t room)
{
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)map->fd, .info_len = room}};
	const uint64_t args[6] = {BPF_OBJ_GET_INFO_BY_FD, user(&attr), 16};
	const struct call call = board_call(board, SYS_bpf, args);
	struct bytes_out *out = board_reply(board, RPC_INFO, 0);
	int64_t ret;

	rpc_put_bytes(out, reported, size);
	board_ready(board);
	*info = unasked;
	attr.info.info = user(info);
	ret = sys_bpf(&call);
	if (!ret)
		assert_int_equal(attr.info.info_len, size);
	else
		assert_memory_equal(info, &unasked, sizeof(unasked));
	return ret;
}

static void assert_accepted(const struct object *map, const struct bpf_map_info *reported)
{
	struct bpf_map_info info;

	assert_int_equal(ask(map, reported, REPORTED, &info, REPORTED), 0);
	assert_memory_equal(&info, reported, REPORTED);
}

static void assert_refused(const struct object *map, struct bpf_map_info reported)
{
	struct bpf_map_info info;

	assert_int_equal(ask(map, &reported, REPORTED, &info, REPORTED), -EIO);
}

/* An info is refused if a field differs from what bpfd-run knows about the map. */
static void test_hash(void **state)
{
	struct object *map = new_map(BPF_MAP_TYPE_HASH, 4, 12, 50);
	const struct bpf_map_info reported = {.type = BPF_MAP_TYPE_HASH,
		.id = 7,
		.key_size = 4,
		.value_size = 12,
		.max_entries = 50,
		.name = "counts"};
	struct bpf_map_info wrong, info;

	assert_accepted(map, &reported);
	for (int change = -1; change <= 1; change += 2) {
		wrong = reported;
		wrong.key_size += (uint32_t)change;
		assert_refused(map, wrong);
		wrong = reported;
		wrong.value_size += (uint32_t)change;
		assert_refused(map, wrong);
		wrong = reported;
		wrong.max_entries += (uint32_t)change;
		assert_refused(map, wrong);
	}
	wrong = reported;
	wrong.type = BPF_MAP_TYPE_PERCPU_HASH;
	assert_refused(map, wrong);
	/* An info that lacks these fields is refused, as the tool would read its old contents. */
	for (size_t size = 0; size < offsetof(struct bpf_map_info, map_flags); size++)
		assert_int_equal(ask(map, &reported, size, &info, REPORTED), -EIO);
	assert_int_equal(ask(map, &reported, 20, &info, 24), 0); /* an older kernel */
	assert_int_equal(ask(map, &reported, 8, &info, 8), 0);
}

/* The kernel reports the value size of one CPU. */
static void test_per_cpu(void **state)
{
	static const uint32_t types[] = {
		BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_PERCPU_HASH};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct object *map = new_map(types[i], 4, CPUS * 16, 5);
		struct bpf_map_info reported = {
			.type = types[i], .key_size = 4, .value_size = 12, .max_entries = 5};

		assert_accepted(map, &reported);
		reported.value_size = 8;
		assert_refused(map, reported);
		reported.value_size = CPUS * 16;
		assert_refused(map, reported);
		object_end(map);
	}
}

/* A consumer maps as many bytes as the info reports, and derives its mask from them. */
static void test_ring_buffer(void **state)
{
	struct object *map = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 8192);
	struct bpf_map_info reported = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = 8192};

	assert_accepted(map, &reported);
	reported.max_entries = 4096;
	assert_refused(map, reported);
	reported.max_entries = 16384;
	assert_refused(map, reported);
}

/* For LRU maps the kernel rounds max_entries up, because it has lists for each CPU. */
static void test_lru_is_rounded_up(void **state)
{
	struct object *map = new_map(BPF_MAP_TYPE_LRU_HASH, 4, 8, 1000);
	const struct bpf_map_info reported = {
		.type = BPF_MAP_TYPE_LRU_HASH, .key_size = 4, .value_size = 8, .max_entries = 1002};

	assert_accepted(map, &reported);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_per_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lru_is_rounded_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
