/* SPDX-License-Identifier: Apache-2.0 */
/* Maps on a fake kernel before 4.12: no NULL for the first key, no batch calls. */
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/map_private.h"
#include "core/messages/bpf_abi.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 8

/* A map of 4-byte keys and values. Its keys follow each other in the order of the slots. */
static struct {
	bool there[ENTRIES];
	uint32_t keys[ENTRIES];
} fake;

static int find(const void *key)
{
	for (int i = 0; i < ENTRIES; i++)
		if (fake.there[i] && memcmp(&fake.keys[i], key, sizeof(fake.keys[i])) == 0)
			return i;
	return -ENOENT;
}

int bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size,
	__u32 max_entries, const struct bpf_map_create_opts *opts)
{
	return 1000; /* the map closes it: must not be an open descriptor */
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	int i = find(key);

	if (i < 0)
		return i;
	memcpy(value, key, sizeof(fake.keys[i]));
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	return -EINVAL;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	int i = find(key);

	if (i < 0)
		return i;
	fake.there[i] = false;
	return 0;
}

int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	if (!key)
		return -EFAULT;
	for (int i = find(key) < 0 ? 0 : find(key) + 1; i < ENTRIES; i++) {
		if (!fake.there[i])
			continue;
		memcpy(next, &fake.keys[i], sizeof(fake.keys[i]));
		return 0;
	}
	return -ENOENT;
}

int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
	const struct bpf_map_batch_opts *opts)
{
	return -EINVAL;
}

int bpf_map_lookup_and_delete_batch(int fd, void *in, void *out, void *keys, void *values,
	__u32 *count, const struct bpf_map_batch_opts *opts)
{
	return -EINVAL;
}

static int see(void *arg, const void *key, const void *value)
{
	unsigned int *seen = arg;
	int i = find(key);

	assert_true(i >= 0);
	assert_memory_equal(key, value, sizeof(fake.keys[i]));
	*seen |= 1U << i;
	return 0;
}

static void test_old_kernel(void **state)
{
	/* Includes the keys that a search for a missing key tries first. */
	static const uint32_t keys[ENTRIES] = {7, 0xffffffff, 0, 3, 9, 0x55555555, 4, 5};
	const struct map_spec spec = {
		.type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = ENTRIES};
	struct budget budget = {.max = 1 << 20};
	unsigned int seen = 0;
	const void *next;
	struct map *map;

	assert_int_equal(map_new(&map, &spec, &budget), 0);
	assert_int_equal(map_next_key(map, NULL, &next), -ENOENT);
	assert_int_equal(map_walk(map, 4096, see, &seen), 0);
	memcpy(fake.keys, keys, sizeof(keys));
	memset(fake.there, true, sizeof(fake.there));
	assert_int_equal(map_next_key(map, NULL, &next), 0);
	assert_memory_equal(next, &keys[0], sizeof(keys[0]));
	assert_int_equal(map_walk(map, 4096, see, &seen), ENTRIES);
	assert_int_equal(seen, (1U << ENTRIES) - 1);
	assert_int_equal(map_clear(map, 4096), ENTRIES);
	assert_int_equal(map_next_key(map, NULL, &next), -ENOENT);
	map_free(map);
}

/* The entries of an arena are pages. */
static void test_sizes(void **state)
{
	struct map_spec spec = {.type = BPF_ABI_MAP_TYPE_USER_RINGBUF, .max_entries = 1 << 20};
	struct budget budget = {.max = (1 << 20) + 32768};
	struct map *map;

	assert_int_equal(map_new(&map, &spec, &budget), 0);
	map_free(map);
	budget.used = 0;
	spec.type = BPF_ABI_MAP_TYPE_ARENA;
	spec.max_entries = 265;
	assert_int_equal(map_new(&map, &spec, &budget), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_kernel),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
