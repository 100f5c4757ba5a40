/* SPDX-License-Identifier: Apache-2.0 */
/* BPF maps: made, read, changed, and walked whole. */
#ifndef CORE_BPFD_BPF_MAP_H
#define CORE_BPFD_BPF_MAP_H

#include "core/bpfd/bpf/handle.h"

#include <stddef.h>
#include <stdint.h>

struct budget;
struct map;

#define MAP_ENTRY_MAX (64U << 20) /* bytes of one key and value; no tracing tool comes near */

extern const struct handle_class map_class;

struct map_spec {
	const char *name; /* NULL: none */
	uint32_t type, key_size, value_size, max_entries, flags;
};

/* Receives one entry. A negative errno ends the walk. */
typedef int (*map_sink)(void *arg, const void *key, const void *value);

/* Makes a map, whose memory counts against the budget as if it were full; a name that the kernel
 * refuses is left out. Returns 0; -E2BIG: one entry is larger than MAP_ENTRY_MAX; -ENOMEM: the
 * budget does not allow it; what the kernel refuses with. */
int map_new(struct map **map, const struct map_spec *spec, struct budget *budget);

/* For a map that the caller makes himself: takes what it will need from the budget, without a name.
 * map_adopt() then gives it its descriptor. Returns like map_new(). */
int map_reserve(struct map **map, const struct map_spec *spec, struct budget *budget);
void map_adopt(struct map *map, int fd);

/* The object of a map that exists already; only our own memory counts against the budget. The map
 * then owns fd. Returns 0; -ENOMEM; -E2BIG as map_new(); what the kernel refuses with to tell
 * what it is. */
int map_of_fd(struct map **map, int fd, struct budget *budget);

/* Closes and frees it. NULL is fine. */
void map_free(struct map *map);

/* The descriptor, which stays the map's. */
int map_fd(const struct map *map);
uint32_t map_type(const struct map *map);
uint32_t map_max_entries(const struct map *map);
uint32_t map_flags(const struct map *map); /* BPF_F_ of its creation */

/* Bytes of a key and of a value as user space sees them: in a per-CPU map a value has a part,
 * rounded up to 8 bytes, for each possible CPU. */
size_t map_key_size(const struct map *map);
size_t map_value_size(const struct map *map);

/* One entry. Return 0 or the kernel's errno; -ENOENT: no such entry. The value of map_lookup is
 * valid until the next call with this map. The value of map_update holds real descriptors where
 * the map's type asks for descriptors. */
int map_lookup(struct map *map, const void *key, const void **value);
int map_update(struct map *map, const void *key, const void *value, uint64_t flags);
int map_delete(struct map *map, const void *key);

/* The key behind `key`, or the first one for NULL and in hashes for one that is not there. It is
 * valid until the next call with this map. Returns 0; -ENOENT: it was the last; or the kernel's
 * errno. */
int map_next_key(struct map *map, const void *key, const void **next);

/* Hands every entry to the sink, in pieces of about chunk bytes. Entries that others add or delete
 * at the same time may be missed, others are not; in the worst case one comes twice; it ends in
 * any case. Returns the number of entries, what the sink returned, or the kernel's errno. */
int64_t map_walk(struct map *map, size_t chunk, map_sink sink, void *arg);

/* How many keys a walk looks at before it gives up: others may add entries faster than it goes. */
uint64_t map_walk_steps(const struct map *map);

/* Deletes every entry. Returns the number of entries deleted or an errno. */
int64_t map_clear(struct map *map, size_t chunk);

#endif
