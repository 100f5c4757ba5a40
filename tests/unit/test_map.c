/* SPDX-License-Identifier: Apache-2.0 */
/* Maps in this machine's kernel, if allowed: entries, walks, deletes during walks. */
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/map_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/skip.h"

#define CHUNK	4096
#define ENTRIES 5000

static struct budget budget;

static struct map *make(uint32_t type, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	struct map_spec spec = {.name = "test",
		.type = type,
		.key_size = 4,
		.value_size = value_size,
		.max_entries = max_entries,
		.flags = flags};
	struct map *map;
	int err;

	budget = (struct budget){.max = 1 << 30};
	err = map_new(&map, &spec, &budget);
	if (err == -EPERM || err == -ENOSYS)
		skip_because("no right to create maps, or a kernel without BPF");
	assert_int_equal(err, 0);
	return map;
}

static void unmake(struct map *map)
{
	map_free(map);
	/* The kernel may free the map later. Taking all makes the budget look again. */
	for (int tries = 0; budget.used && tries < 1000; tries++) {
		poll(NULL, 0, 10);
		if (!budget_take(&budget, budget.max))
			budget_give(&budget, budget.max);
	}
	assert_int_equal(budget.used, 0);
}

static void fill(struct map *map, uint32_t count)
{
	for (uint32_t key = 0; key < count; key++) {
		uint64_t value = key * 3ULL;

		assert_int_equal(map_update(map, &key, &value, BPF_ANY), 0);
	}
}

/* Counts how often each key was seen, and says what happens to the map during the walk. */
struct seen {
	struct map *map;
	uint8_t times[ENTRIES + 1];
	uint32_t remove_every, end_after, count;
	bool remove_current;
};

static int see(void *arg, const void *key, const void *value)
{
	struct seen *seen = arg;
	uint64_t number;
	uint32_t k;

	memcpy(&k, key, sizeof(k));
	memcpy(&number, value, sizeof(number));
	assert_true(k < ENTRIES + 1);
	assert_int_equal(number, k * 3ULL);
	seen->times[k]++;
	seen->count++;
	if (seen->remove_every && seen->count % seen->remove_every == 0) {
		uint32_t victim = (uint32_t)rand() % ENTRIES;

		if (seen->remove_current)
			victim = k;
		map_delete(seen->map, &victim);
	}
	return seen->end_after == seen->count ? -ECANCELED : 0;
}

static void walk_all(uint32_t type, bool batch)
{
	struct seen seen = {.map = make(type, 8, ENTRIES, 0)};

	seen.map->batch = batch;
	if (type == BPF_MAP_TYPE_HASH)
		assert_int_equal(map_walk(seen.map, CHUNK, see, &seen), 0);
	fill(seen.map, ENTRIES);
	assert_int_equal(map_walk(seen.map, CHUNK, see, &seen), ENTRIES);
	for (int i = 0; i < ENTRIES; i++)
		assert_int_equal(seen.times[i], 1);
	seen.count = 0;
	seen.end_after = 777;
	assert_int_equal(map_walk(seen.map, CHUNK, see, &seen), -ECANCELED);
	assert_int_equal(seen.count, 777);
	unmake(seen.map);
}

static void test_walk(void **state)
{
	walk_all(BPF_MAP_TYPE_HASH, true);
	walk_all(BPF_MAP_TYPE_HASH, false);
	walk_all(BPF_MAP_TYPE_ARRAY, true);
	walk_all(BPF_MAP_TYPE_ARRAY, false);
}

/* A hash with full buckets needs larger pieces than the walk begins with. */
static void test_walk_small_pieces(void **state)
{
	struct seen seen = {.map = make(BPF_MAP_TYPE_HASH, 8, ENTRIES, 0)};

	fill(seen.map, ENTRIES);
	assert_int_equal(map_walk(seen.map, 1, see, &seen), ENTRIES);
	for (int i = 0; i < ENTRIES; i++)
		assert_int_equal(seen.times[i], 1);
	assert_int_equal(map_clear(seen.map, 1), ENTRIES);
	unmake(seen.map);
}

/* Entries are deleted during the walk, including the current one. Each entry that stays is seen
 * exactly once. */
static void walk_with_deletes(uint32_t every, bool current)
{
	struct seen seen = {.map = make(BPF_MAP_TYPE_HASH, 8, ENTRIES, 0),
		.remove_every = every,
		.remove_current = current};
	uint32_t left = 0;

	seen.map->batch = false;
	fill(seen.map, ENTRIES);
	assert_true(map_walk(seen.map, CHUNK, see, &seen) > 0);
	for (uint32_t key = 0; key < ENTRIES; key++) {
		const void *value;

		if (map_lookup(seen.map, &key, &value) == 0) {
			assert_int_equal(seen.times[key], 1);
			left++;
		}
		assert_true(seen.times[key] <= 1);
	}
	assert_true(left < ENTRIES);
	unmake(seen.map);
}

static void test_walk_deletes(void **state)
{
	walk_with_deletes(1, false);
	walk_with_deletes(3, false);
	walk_with_deletes(2, true);
	walk_with_deletes(1, true);
}

/* The walk ends although entries are added and deleted all the time. */
static int churn(void *arg, const void *key, const void *value)
{
	struct map *map = arg;
	uint32_t k;

	memcpy(&k, key, sizeof(k));
	map_delete(map, &k);
	for (uint32_t i = 0; i < 3; i++) {
		k = (uint32_t)rand();
		map_update(map, &k, value, BPF_ANY);
	}
	return 0;
}

static void test_walk_churn(void **state)
{
	struct map *map = make(BPF_MAP_TYPE_HASH, 8, 1000, 0);

	fill(map, 500);
	map->batch = false;
	assert_true(map_walk(map, CHUNK, churn, map) <= 3000);
	map->batch = true;
	assert_true(map_walk(map, CHUNK, churn, map) <= 3000);
	unmake(map);
}

static void test_clear(void **state)
{
	struct map *map = make(BPF_MAP_TYPE_HASH, 8, ENTRIES, 0);

	for (int batch = 0; batch < 2; batch++) {
		map->batch = batch;
		assert_int_equal(map_clear(map, CHUNK), 0);
		fill(map, ENTRIES);
		assert_int_equal(map_clear(map, CHUNK), ENTRIES);
		assert_int_equal(map_clear(map, CHUNK), 0);
	}
	unmake(map);
	map = make(BPF_MAP_TYPE_ARRAY, 8, 4, 0);
	assert_int_equal(map_clear(map, CHUNK), -EINVAL); /* arrays cannot delete entries */
	unmake(map);
}

static int count_entry(void *arg, const void *key, const void *value)
{
	++*(int *)arg;
	return 0;
}

/* Keys without values: empty slots of an array of descriptors. */
static void test_empty_slots(void **state)
{
	struct map *map = make(BPF_MAP_TYPE_PROG_ARRAY, 4, 100, 0);
	int count = 0;

	assert_int_equal(map_walk(map, CHUNK, count_entry, &count), 0);
	assert_int_equal(count, 0);
	unmake(map);
	map = make(BPF_MAP_TYPE_STACK_TRACE, 127 * 8, 1024, 0);
	assert_int_equal(map_walk(map, CHUNK, count_entry, &count), 0);
	assert_int_equal(map_clear(map, CHUNK), 0);
	unmake(map);
}

static void test_percpu(void **state)
{
	struct map *map;
	const void *found;
	uint32_t key = 7;
	int count = 0;
	size_t cpus;
	char *value;

	need_possible_cpus();
	map = make(BPF_MAP_TYPE_PERCPU_HASH, 12, 64, 0);
	cpus = (size_t)libbpf_num_possible_cpus();
	value = calloc(cpus, 16);
	assert_int_equal(map_value_size(map), 16 * cpus); /* 12 rounded up, for each CPU */
	for (size_t cpu = 0; cpu < cpus; cpu++)
		memset(value + 16 * cpu, (int)cpu + 1, 12);
	assert_int_equal(map_update(map, &key, value, BPF_ANY), 0);
	assert_int_equal(map_lookup(map, &key, &found), 0);
	for (size_t cpu = 0; cpu < cpus; cpu++)
		assert_memory_equal((const char *)found + 16 * cpu, value + 16 * cpu, 12);
	/* Flags of Linux 7 for one CPU or for all: the value would have 12 bytes. */
	assert_int_equal(map_update(map, &key, value, 8), -EINVAL);
	assert_int_equal(map_update(map, &key, value, 16), -EINVAL);
	assert_int_equal(map_update(map, &key, value, 8 | 1ULL << 32), -EINVAL);
	assert_int_equal(map_walk(map, CHUNK, count_entry, &count), 1);
	map->batch = false;
	assert_int_equal(map_walk(map, CHUNK, count_entry, &count), 1);
	free(value);
	unmake(map);
}

static void test_entries(void **state)
{
	struct map *map = make(BPF_MAP_TYPE_HASH, 8, 2, 0);
	uint32_t key = 1, other = 2, third = 3;
	uint64_t value = 5;
	const void *found;

	assert_int_equal(map_lookup(map, &key, &found), -ENOENT);
	assert_int_equal(map_next_key(map, NULL, &found), -ENOENT);
	assert_int_equal(map_delete(map, &key), -ENOENT);
	assert_int_equal(map_update(map, &key, &value, BPF_NOEXIST), 0);
	assert_int_equal(map_update(map, &key, &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(map_update(map, &other, &value, BPF_EXIST), -ENOENT);
	assert_int_equal(map_update(map, &other, &value, BPF_ANY), 0);
	assert_int_equal(map_update(map, &third, &value, BPF_ANY), -E2BIG);
	assert_int_equal(map_update(map, &key, &value, 1ULL << 40), -EINVAL);
	assert_int_equal(map_lookup(map, &key, &found), 0);
	assert_memory_equal(found, &value, 8);
	assert_int_equal(map_next_key(map, NULL, &found), 0);
	memcpy(&key, found, sizeof(key));
	assert_int_equal(map_next_key(map, &key, &found), 0);
	memcpy(&key, found, sizeof(key));
	assert_int_equal(map_next_key(map, &key, &found), -ENOENT);
	unmake(map);
}

/* The bytes of a map according to the kernel; older kernels report pages. */
static unsigned long kernel_bytes(const struct map *map)
{
	unsigned long bytes = 0;
	char path[64], line[100];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map_fd(map));
	file = fopen(path, "re");
	assert_non_null(file);
	while (!bytes && fgets(line, sizeof(line), file))
		sscanf(line, "memlock:\t%lu", &bytes);
	fclose(file);
	return bytes;
}

/* Without a value to look for, a bloom filter has no answer: not "none", and not any value. */
static void test_bloom_filter(void **state)
{
	struct map_spec spec = {
		.type = BPF_MAP_TYPE_BLOOM_FILTER, .value_size = 8, .max_entries = 9};
	uint64_t number = 7;
	const void *value;
	struct map *map;
	int err;

	budget = (struct budget){.max = 1 << 30};
	err = map_new(&map, &spec, &budget);
	if (err == -EPERM || err == -ENOSYS || err == -EINVAL)
		skip_because("no right to create maps, or a kernel without bloom filters");
	assert_int_equal(err, 0);
	assert_int_equal(map_update(map, NULL, &number, BPF_ANY), 0);
	assert_int_equal(map_lookup(map, NULL, &value), -EOPNOTSUPP);
	unmake(map);
}

static void test_memory(void **state)
{
	static const struct {
		uint32_t type, value_size, max_entries;
	} maps[] = {{BPF_MAP_TYPE_ARRAY, 1, 100000}, {BPF_MAP_TYPE_PERCPU_ARRAY, 1, 10000},
		{BPF_MAP_TYPE_HASH, 1, 100001}, {BPF_MAP_TYPE_HASH, 100000, 1},
		{BPF_MAP_TYPE_PERCPU_HASH, 9, 10000}, {BPF_MAP_TYPE_LRU_HASH, 1, 100000},
		{BPF_MAP_TYPE_LRU_PERCPU_HASH, 1, 10000}, {BPF_MAP_TYPE_STACK_TRACE, 1016, 1000}};
	const unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);

	need_possible_cpus();
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		struct map *map = make(maps[i].type, maps[i].value_size, maps[i].max_entries, 0);

		assert_true(budget.used + page >= kernel_bytes(map));
		unmake(map);
	}
}

static void test_refused(void **state)
{
	struct map_spec spec = {.name = "test",
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1000};
	struct map *map;
	int err;

	unmake(make(BPF_MAP_TYPE_ARRAY, 8, 1, 0)); /* skips the test if maps cannot be created */
	budget.max = 8000;
	assert_int_equal(map_new(&map, &spec, &budget), -ENOMEM);
	assert_int_equal(budget.used, 0);
	budget.max = UINT64_MAX;
	spec.value_size = UINT32_MAX;
	assert_int_equal(map_new(&map, &spec, &budget), -E2BIG);
	spec.value_size = 8;
	spec.type = BPF_MAP_TYPE_HASH;
	spec.key_size = UINT32_MAX;
	assert_int_equal(map_new(&map, &spec, &budget), -E2BIG);
	spec.key_size = 4;
	spec.type = 0xffff;
	err = map_new(&map, &spec, &budget);
	assert_int_equal(err, -EINVAL);
	assert_int_equal(budget.used, 0);
	spec.type = BPF_MAP_TYPE_ARRAY;
	spec.name = "what-a-name!"; /* the kernel refuses it, so it is left out */
	assert_int_equal(map_new(&map, &spec, &budget), 0);
	unmake(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_percpu),
		cmocka_unit_test(test_bloom_filter),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_small_pieces),
		cmocka_unit_test(test_walk_deletes),
		cmocka_unit_test(test_walk_churn),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_empty_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
