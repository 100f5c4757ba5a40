/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of closed objects that the kernel keeps, with a fake kernel instead of libbpf. */
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/fd_object.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/prog.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define BTF_BYTES 100000
#define CPUS	  4

/* A map and a program have this id, and BTF has id + 2. */
static struct {
	uint32_t id;
	bool held;	/* closed objects stay */
	bool has_ids;	/* it reports ids */
	bool finds_ids; /* it lists ids */
} kernel;

static int descriptor(void)
{
	return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
}

int bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size,
	__u32 max_entries, const struct bpf_map_create_opts *opts)
{
	return descriptor();
}

int libbpf_num_possible_cpus(void)
{
	return CPUS;
}

int bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
	const struct bpf_insn *insns, size_t count, const struct bpf_prog_load_opts *opts)
{
	return descriptor();
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	if (!kernel.has_ids)
		return -EINVAL;
	/* The ids of programs and maps are at the same offset. */
	((struct bpf_btf_info *)info)->id = kernel.id + 2;
	((struct bpf_map_info *)info)->id = kernel.id;
	return 0;
}

/* Another object has a higher id. */
static int get_next(__u32 id, __u32 *next, __u32 wanted)
{
	if (!kernel.finds_ids)
		return -EPERM;
	assert_int_equal(id, wanted - 1);
	*next = kernel.held ? wanted : wanted + 1;
	return 0;
}

int bpf_map_get_next_id(__u32 id, __u32 *next)
{
	return get_next(id, next, kernel.id);
}

int bpf_prog_get_next_id(__u32 id, __u32 *next)
{
	return get_next(id, next, kernel.id);
}

int bpf_btf_get_next_id(__u32 id, __u32 *next)
{
	return get_next(id, next, kernel.id + 2);
}

static int new_map(struct budget *budget, struct map **map)
{
	const struct map_spec spec = {
		.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 1000, .max_entries = 100};

	return map_new(map, &spec, budget);
}

static int new_prog(struct budget *budget, struct prog **prog)
{
	static const struct bpf_insn insns[2000];
	const struct prog_spec spec = {.license = "GPL", .insns = insns, .insn_count = 2000};
	char *log;

	return prog_load(prog, &spec, budget, 4096, &log);
}

/* Creates and closes an object of each kind. Returns a bit for each object that the budget refused.
 */
static unsigned int cycle(struct budget *budgets)
{
	struct fd_object *object;
	unsigned int refused = 0;
	struct prog *prog;
	struct map *map;

	if (new_map(&budgets[0], &map))
		refused |= 1;
	else
		map_free(map);
	if (new_prog(&budgets[1], &prog))
		refused |= 2;
	else
		prog_free(prog);
	if (fd_object_reserve(&object, BTF_BYTES, &budgets[2])) {
		refused |= 4;
	} else {
		fd_object_adopt(object, descriptor());
		fd_object_free(object);
	}
	return refused;
}

/* Each kind has a budget of its own, for one object. */
static void begin(struct budget *budgets, bool has_ids, bool finds_ids, bool held)
{
	for (int i = 0; i < 3; i++)
		budgets[i] = (struct budget){.max = 150000};
	kernel.id = 77;
	kernel.has_ids = has_ids;
	kernel.finds_ids = finds_ids;
	kernel.held = held;
}

static void end(struct budget *budgets, int first)
{
	int last = descriptor();

	assert_int_equal(last, first); /* no descriptor was leaked */
	close(last);
	for (int i = 0; i < 3; i++)
		budget_free(&budgets[i]);
}

static int next_descriptor(void)
{
	int fd = descriptor();

	close(fd);
	return fd;
}

static void test_gone(void **state)
{
	struct budget budgets[3];
	int first = next_descriptor();

	begin(budgets, true, true, false);
	assert_int_equal(cycle(budgets), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(budgets[i].used, 0);
	end(budgets, first);
}

static void test_held(void **state)
{
	struct budget budgets[3];
	int first = next_descriptor();

	begin(budgets, true, true, true);
	assert_int_equal(cycle(budgets), 0);
	assert_int_equal(cycle(budgets), 7);
	assert_int_equal(cycle(budgets), 7);
	kernel.held = false;
	assert_int_equal(cycle(budgets), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(budgets[i].used, 0);
	end(budgets, first);
}

/* Without the right to open objects by id, or on a kernel without ids, no bytes are given back. */
static void test_unknown(void **state)
{
	struct budget budgets[3];
	int first = next_descriptor();

	for (int has_ids = 0; has_ids < 2; has_ids++) {
		begin(budgets, has_ids, !has_ids, false);
		assert_int_equal(cycle(budgets), 0);
		assert_int_equal(cycle(budgets), 7);
		for (int i = 0; i < 3; i++)
			assert_null(budgets[i].kept);
	}
	end(budgets, first);
}

/* Bytes that were reserved for a call that then failed are given back. */
static void test_failed_call(void **state)
{
	const struct map_spec spec = {
		.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 10};
	struct budget budget = {.max = 1 << 20};
	struct fd_object *object;
	struct prog *prog;
	struct map *map;

	assert_int_equal(map_reserve(&map, &spec, &budget), 0);
	map_free(map);
	assert_int_equal(prog_reserve(&prog, 10, &budget), 0);
	prog_free(prog);
	assert_int_equal(fd_object_reserve(&object, 10, &budget), 0);
	fd_object_free(object);
	assert_int_equal(budget.used, 0);
}

/* The estimate is at least the memory that Linux 6.18 reports in fdinfo, and not much more. */
static void test_sizes(void **state)
{
	static const struct {
		uint32_t type, key_size, value_size, max_entries;
		uint64_t bytes;
	} maps[] = {
		{BPF_MAP_TYPE_ARRAY, 4, 1, 1000, 8 * 1000},
		{BPF_MAP_TYPE_ARRAY, 4, 17, 1000, 24 * 1000},
		{BPF_MAP_TYPE_PERCPU_ARRAY, 4, 1, 1000, (8 * CPUS + 8) * 1000},
		{BPF_MAP_TYPE_HASH, 1, 1, 1025, (48 + 8 + 8) * (1025 + CPUS) + 16 * 2048},
		{BPF_MAP_TYPE_HASH, 4, 1 << 20, 1, (1 << 20) * (1 + CPUS)},
		{BPF_MAP_TYPE_LRU_HASH, 9, 1, 1024, (48 + 16 + 8) * 1024 + 16 * 1024},
		{BPF_MAP_TYPE_PERCPU_HASH, 4, 4, 1000,
			(48 + 8 + 8 + 8 * CPUS) * (1000 + CPUS) + 16 * 1024},
		{BPF_MAP_TYPE_LPM_TRIE, 8, 1, 1000, (40 + 4 + 1) * 2 * 1000},
		{BPF_MAP_TYPE_STACK_TRACE, 4, 1016, 1024, (16 + 1016) * 1024 + 8 * 1024},
		{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 4096},
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		const struct map_spec spec = {.type = maps[i].type,
			.key_size = maps[i].key_size,
			.value_size = maps[i].value_size,
			.max_entries = maps[i].max_entries};
		struct budget budget = {.max = maps[i].bytes - 1};
		struct map *map;

		assert_int_equal(map_reserve(&map, &spec, &budget), -ENOMEM);
		budget.max = 2 * maps[i].bytes + 32768;
		assert_int_equal(map_reserve(&map, &spec, &budget), 0);
		map_free(map);
		assert_int_equal(budget.used, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_failed_call),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
