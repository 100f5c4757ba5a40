/* SPDX-License-Identifier: Apache-2.0 */
/* Creates BPF maps and handles single entries; map_walk.c handles all entries. */
#include "core/bpfd/bpf/map.h"

#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/map_private.h"
#include "core/messages/bpf_abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of kernel memory, on 64-bit kernels, which need more than 32-bit ones. */
#define ALIGNMENT    8		 /* of each key and value, also for each CPU */
#define MAP_BYTES    (16 * 1024) /* of a map without entries; pages if it can be mapped */
#define ENTRY_BYTES  56		 /* overhead of an entry of a hash, including the allocator's */
#define BUCKET_BYTES 16		 /* a hash has max_entries buckets, rounded up to a power of 2 */

static int map_class_close(void *object, int fd)
{
	map_free(object);
	return 0;
}

const struct handle_class map_class = {"map", map_class_close};

static uint64_t align(uint64_t size)
{
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The size of a value for user space, in bytes. */
static int user_value_size(const struct map_spec *spec, uint64_t *size)
{
	int cpus;

	cpus = bpf_abi_is_percpu(spec->type) ? libbpf_num_possible_cpus() : 1;
	if (cpus < 0)
		return cpus;
	*size = bpf_abi_value_size(spec->type, spec->value_size, (uint32_t)cpus);
	return 0;
}

static int map_create(const struct map_spec *spec)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = spec->flags);
	int fd;

	fd = bpf_map_create((enum bpf_map_type)spec->type, spec->name, spec->key_size,
		spec->value_size, spec->max_entries, &opts);
	if ((fd == -EINVAL || fd == -E2BIG) && spec->name)
		fd = bpf_map_create((enum bpf_map_type)spec->type, NULL, spec->key_size,
			spec->value_size, spec->max_entries, &opts);
	return fd;
}

/* The memory of a hash's entries. Types that full_size() does not name take no more than this. */
static uint64_t hash_size(const struct map_spec *spec, uint64_t value_size)
{
	uint64_t entry = align(spec->key_size) + value_size + ENTRY_BYTES, buckets = 1;
	int cpus = libbpf_num_possible_cpus();

	while (buckets < spec->max_entries)
		buckets *= 2;
	/* Each CPU has one spare entry for updates. */
	return entry * (spec->max_entries + (uint64_t)(cpus > 0 ? cpus : 1)) +
	       buckets * BUCKET_BYTES;
}

/* The memory of the entries of a full map. */
static uint64_t full_size(const struct map_spec *spec, uint64_t value_size)
{
	value_size = align(value_size);
	if (bpf_abi_is_percpu(spec->type))
		value_size += sizeof(uint64_t); /* the pointer to the values of the CPUs */
	switch (spec->type) {
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_ABI_MAP_TYPE_USER_RINGBUF:
		return spec->max_entries; /* counted in bytes */
	case BPF_ABI_MAP_TYPE_ARENA:
		return spec->max_entries * (uint64_t)sysconf(_SC_PAGESIZE); /* in pages */
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return value_size * spec->max_entries;
	case BPF_MAP_TYPE_LPM_TRIE: /* inner nodes, at most one for each entry */
		return 2 * hash_size(spec, value_size);
	default:
		return hash_size(spec, value_size);
	}
}

/* Makes an object without a descriptor. Takes from the budget the buffer for one entry and, if the
 * session owns the map, the memory of all entries. */
static int map_object(
	struct map **map, const struct map_spec *spec, struct budget *budget, bool owned)
{
	uint64_t value_size, bytes;
	struct map *m;
	int err;

	err = user_value_size(spec, &value_size);
	if (err)
		return err;
	if (value_size > MAP_ENTRY_MAX || spec->key_size > MAP_ENTRY_MAX - value_size)
		return -E2BIG;
	bytes = value_size + spec->key_size; /* the buffer, see map_buffer() */
	if (owned)
		bytes += MAP_BYTES + full_size(spec, value_size);
	m = budget_alloc(budget, bytes, sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct map){.budget = budget,
		.bytes = bytes,
		.owned = owned,
		.fd = -1,
		.type = spec->type,
		.flags = spec->flags,
		.key_size = spec->key_size,
		.value_size = value_size,
		.max_entries = spec->max_entries,
		.batch = true};
	*map = m;
	return 0;
}

int map_reserve(struct map **map, const struct map_spec *spec, struct budget *budget)
{
	return map_object(map, spec, budget, true);
}

void map_adopt(struct map *map, int fd)
{
	map->fd = fd;
}

int map_new(struct map **map, const struct map_spec *spec, struct budget *budget)
{
	struct map *m;
	int err, fd;

	err = map_reserve(&m, spec, budget);
	if (err)
		return err;
	fd = map_create(spec);
	if (fd < 0) {
		map_free(m);
		return fd;
	}
	map_adopt(m, fd);
	*map = m;
	return 0;
}

int map_of_fd(struct map **map, int fd, struct budget *budget)
{
	struct bpf_map_info info = {.type = 0};
	struct map_spec spec = {.name = NULL};
	uint32_t size = sizeof(info);
	int err;

	err = bpf_obj_get_info_by_fd(fd, &info, &size);
	if (err)
		return err;
	spec.type = info.type;
	spec.key_size = info.key_size;
	spec.value_size = info.value_size;
	spec.max_entries = info.max_entries;
	spec.flags = info.map_flags;
	err = map_object(map, &spec, budget, false);
	if (!err)
		map_adopt(*map, fd);
	return err;
}

void map_free(struct map *map)
{
	if (!map)
		return;
	if (map->owned) {
		budget_close(map->budget, map->bytes, map->fd, BUDGET_MAP);
	} else {
		if (map->fd >= 0)
			close(map->fd);
		budget_give(map->budget, map->bytes);
	}
	free(map->buffer);
	free(map);
}

int map_fd(const struct map *map)
{
	return map->fd;
}

uint32_t map_type(const struct map *map)
{
	return map->type;
}

uint32_t map_max_entries(const struct map *map)
{
	return map->max_entries;
}

uint32_t map_flags(const struct map *map)
{
	return map->flags;
}

size_t map_key_size(const struct map *map)
{
	return map->key_size;
}

size_t map_value_size(const struct map *map)
{
	return map->value_size;
}

/* A buffer for a key or a value, allocated when it is first needed: most maps are only written. */
static void *map_buffer(struct map *map)
{
	size_t size = map->value_size > map->key_size ? map->value_size : map->key_size;

	if (!map->buffer)
		map->buffer = malloc(size + 1);
	return map->buffer;
}

int map_lookup(struct map *map, const void *key, const void **value)
{
	/* A bloom filter has no keys: the kernel would look up what is in the buffer. */
	if (map->type == BPF_MAP_TYPE_BLOOM_FILTER)
		return -EOPNOTSUPP;
	*value = map_buffer(map);
	return *value ? bpf_map_lookup_elem(map->fd, key, map->buffer) : -ENOMEM;
}

int map_update(struct map *map, const void *key, const void *value, uint64_t flags)
{
	return bpf_abi_flags_known(flags) ? bpf_map_update_elem(map->fd, key, value, flags)
					  : -EINVAL;
}

int map_delete(struct map *map, const void *key)
{
	return bpf_map_delete_elem(map->fd, key);
}

/* Finds the first key: the kernel returns it as the key after one that the map lacks. */
static int key_after_missing(struct map *map, void *first)
{
	static const uint8_t fills[] = {0xff, 0x00, 0x55, 0xaa};
	char *none = malloc(map->key_size + 1);
	const void *value;
	int err = 0;

	if (!none)
		return -ENOMEM;
	for (size_t i = 0; !err && i < sizeof(fills); i++) {
		memset(none, fills[i], map->key_size);
		err = map_lookup(map, none, &value);
	}
	if (err == -ENOENT)
		err = bpf_map_get_next_key(map->fd, none, first);
	else if (!err)
		err = -EFAULT;
	free(none);
	return err;
}

int map_first_key(struct map *map, void *first)
{
	int err = bpf_map_get_next_key(map->fd, NULL, first);

	return err == -EFAULT ? key_after_missing(map, first) : err;
}

int map_next_key(struct map *map, const void *key, const void **next)
{
	*next = map_buffer(map);
	if (!*next)
		return -ENOMEM;
	return key ? bpf_map_get_next_key(map->fd, key, map->buffer)
		   : map_first_key(map, map->buffer);
}
