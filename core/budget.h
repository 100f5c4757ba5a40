/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds the memory that one session makes the kernel and us hold. */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include <errno.h>
#include <stdint.h>

struct budget {
	uint64_t used, max; /* bytes */
	uint64_t max_ring;  /* of them for one ring, 0: all */
};

/* Takes bytes. Returns 0; -ENOMEM: there are not so many left. */
static inline int budget_take(struct budget *budget, uint64_t bytes)
{
	if (bytes > budget->max - budget->used)
		return -ENOMEM;
	budget->used += bytes;
	return 0;
}

/* The same for a ring. */
static inline int budget_take_ring(struct budget *budget, uint64_t bytes)
{
	return budget->max_ring && bytes > budget->max_ring ? -ENOMEM : budget_take(budget, bytes);
}

/* Gives bytes back that were taken. */
static inline void budget_give(struct budget *budget, uint64_t bytes)
{
	budget->used -= bytes;
}

#endif
