/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds the memory that one session makes the kernel and us hold. */
#ifndef CORE_BPFD_BPF_BUDGET_H
#define CORE_BPFD_BPF_BUDGET_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

struct budget_kept;

struct budget {
	uint64_t used, max;	  /* bytes */
	uint64_t max_ring;	  /* of them for one ring, 0: all */
	struct budget_kept *kept; /* a list: closed objects that the kernel still has */
};

/* Objects that others may hold when their descriptor is closed: programs hold maps, links and pins
 * hold programs, maps hold BTF. */
enum budget_kind { BUDGET_MAP, BUDGET_PROG, BUDGET_BTF };

/* Takes bytes. Returns 0; -ENOMEM: there are not so many left. */
int budget_take(struct budget *budget, uint64_t bytes);

/* The same for a ring. */
static inline int budget_take_ring(struct budget *budget, uint64_t bytes)
{
	return budget->max_ring && bytes > budget->max_ring ? -ENOMEM : budget_take(budget, bytes);
}

/* Takes bytes and allocates `size` bytes, all zero, for the object that gives them back when it is
 * freed. Returns NULL, with nothing taken, if there is no memory or the budget does not allow it.
 */
void *budget_alloc(struct budget *budget, uint64_t bytes, size_t size);

/* Gives bytes back that were taken. */
static inline void budget_give(struct budget *budget, uint64_t bytes)
{
	budget->used -= bytes;
}

/* Closes the descriptor of an object for which bytes were taken, 0 if it is another's. Without one
 * (fd is negative) they come back at once, else when the kernel has
 * the object no more; never if it does not tell: objects are found by their id by CAP_SYS_ADMIN
 * only, and not before Linux 4.13. */
void budget_close(struct budget *budget, uint64_t bytes, int fd, enum budget_kind kind);

/* Forgets what was closed. The budget itself is the caller's. */
void budget_free(struct budget *budget);

#endif
