/* SPDX-License-Identifier: Apache-2.0 */
/* BPF maps: creates, reads, changes and walks them. */
#ifndef CORE_BPFD_BPF_MAP_H
#define CORE_BPFD_BPF_MAP_H

#include "core/bpfd/bpf/handle.h"

#include <stddef.h>
#include <stdint.h>

struct budget;
struct map;

#define MAP_ENTRY_MAX (64U << 20) /* bytes of a key and its value; far more than tools use */

extern const struct handle_class map_class;

struct map_spec {
	const char *name; /* NULL: none */
	uint32_t type, key_size, value_size, max_entries, flags;
};

/* Receives one entry. A negative errno ends the walk. */
typedef int (*map_sink)(void *arg, const void *key, const void *value);

/* Creates a map. Its memory counts against the budget as if it were full. A name that the kernel
 * refuses is left out. Returns 0; -E2BIG: one entry is larger than MAP_ENTRY_MAX; -ENOMEM: the
 * budget does not allow it; or the kernel's errno. */
int map_new(struct map **map, const struct map_spec *spec, struct budget *budget);

/* Prepares a map that the caller creates with its own call of bpf(2): takes its memory from the
 * budget. map_adopt() then gives it the descriptor. Returns like map_new(). */
int map_reserve(struct map **map, const struct map_spec *spec, struct budget *budget);
void map_adopt(struct map *map, int fd);

/* Makes the object of a map that exists already, and that then owns fd. Only the memory of this
 * process counts against the budget. Returns 0; -ENOMEM; -E2BIG as map_new(); or the kernel's errno
 * when it is asked for the map's type and sizes. */
int map_of_fd(struct map **map, int fd, struct budget *budget);

/* Closes and frees the map. NULL is fine. */
void map_free(struct map *map);

/* The descriptor, which stays the map's. */
int map_fd(const struct map *map);
uint32_t map_type(const struct map *map);
uint32_t map_max_entries(const struct map *map);
uint32_t map_flags(const struct map *map); /* BPF_F_*, as the map was created */

/* The bytes of a key and of a value for user space. A value of a per-CPU map has a part for each
 * possible CPU, rounded up to 8 bytes. */
size_t map_key_size(const struct map *map);
size_t map_value_size(const struct map *map);

/* Look up, set or delete one entry. Return 0 or the kernel's errno; -ENOENT: no such entry;
 * -EOPNOTSUPP: a bloom filter, which can only answer whether it has a value;
 * -EINVAL, among others: flags for one CPU, whose value would have another size. The
 * value of map_lookup is valid until the next call with this map. If the map's type has descriptors
 * as values, the value of map_update holds a descriptor of this process, not a handle. */
int map_lookup(struct map *map, const void *key, const void **value);
int map_update(struct map *map, const void *key, const void *value, uint64_t flags);
int map_delete(struct map *map, const void *key);

/* Finds the key after `key`, or the first key if `key` is NULL, or is missing from a hash. *next is
 * valid until the next call with this map. Returns 0; -ENOENT: `key` is the last one; or the
 * kernel's errno. */
int map_next_key(struct map *map, const void *key, const void **next);

/* Writes the first key, also on kernels before 4.12, which do not accept NULL as the previous key.
 * Overwrites the map's buffer. Returns like bpf_map_get_next_key(). */
int map_first_key(struct map *map, void *first);

/* Passes every entry to the sink, reading about `chunk` bytes at a time. Only entries that others
 * add or delete during the walk can be missed; an entry may come twice. The walk always ends.
 * Returns the number of entries, the sink's error, or the kernel's errno. */
int64_t map_walk(struct map *map, size_t chunk, map_sink sink, void *arg);

/* How many keys a walk looks at before it gives up: others may add entries faster than it goes. */
uint64_t map_walk_steps(const struct map *map);

/* Deletes every entry. Returns the number of deleted entries or a negative errno. */
int64_t map_clear(struct map *map, size_t chunk);

#endif
