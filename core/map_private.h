/* SPDX-License-Identifier: Apache-2.0 */
/* The map object, for the two files that implement it. */
#ifndef CORE_MAP_PRIVATE_H
#define CORE_MAP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;

struct map {
	struct budget *budget;
	uint64_t bytes; /* taken from the budget */
	int fd;
	uint32_t type, max_entries;
	size_t key_size, value_size; /* as user space sees them */
	bool batch;		     /* the kernel was not yet seen to lack batch calls for it */
	void *buffer;		     /* what the last call has found; NULL: not used yet */
};

#endif
