/* SPDX-License-Identifier: Apache-2.0 */
/* The map object, for the two files that implement it. */
#ifndef CORE_BPFD_BPF_MAP_PRIVATE_H
#define CORE_BPFD_BPF_MAP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;

/* BPF_MAP_TYPE_USER_RINGBUF and _ARENA, which headers before 6.1 and 6.9 lack. */
#define MAP_TYPE_USER_RINGBUF 31
#define MAP_TYPE_ARENA	      33

struct map {
	struct budget *budget;
	uint64_t bytes; /* taken from the budget */
	bool owned;	/* the session has made it: all its entries are among them */
	int fd;
	uint32_t type, max_entries, flags;
	size_t key_size, value_size; /* as user space sees them */
	bool batch;		     /* the kernel was not yet seen to lack batch calls for it */
	void *buffer;		     /* what the last call has found; NULL: not used yet */
};

/* Writes the first key of all, also on kernels before 4.12, which take no NULL for it. May change
 * what the map's buffer holds. Returns like bpf_map_get_next_key(). */
int map_first_key(struct map *map, void *first);

#endif
