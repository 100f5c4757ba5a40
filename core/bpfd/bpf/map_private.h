/* SPDX-License-Identifier: Apache-2.0 */
/* The map object, for the two files that implement it. */
#ifndef CORE_BPFD_BPF_MAP_PRIVATE_H
#define CORE_BPFD_BPF_MAP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;

struct map {
	struct budget *budget;
	uint64_t bytes; /* taken from the budget */
	bool owned;	/* the session created it, so `bytes` includes all its entries */
	int fd;
	uint32_t type, max_entries, flags;
	size_t key_size, value_size; /* for user space */
	bool batch;		     /* false once the kernel refused batch calls for this map */
	void *buffer;		     /* the key or value of the last call; NULL: not used yet */
};

#endif
