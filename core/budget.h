/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds the memory that one session makes the kernel and us hold. */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include <errno.h>
#include <stdint.h>

struct budget {
	uint64_t used, max; /* bytes */
};

/* Takes bytes. Returns 0; -ENOMEM: there are not so many left. */
static inline int budget_take(struct budget *budget, uint64_t bytes)
{
	if (bytes > budget->max - budget->used)
		return -ENOMEM;
	budget->used += bytes;
	return 0;
}

/* Gives bytes back that were taken. */
static inline void budget_give(struct budget *budget, uint64_t bytes)
{
	budget->used -= bytes;
}

#endif
