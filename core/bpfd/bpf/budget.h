/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds the memory that one session uses in the kernel and in bpfd. */
#ifndef CORE_BPFD_BPF_BUDGET_H
#define CORE_BPFD_BPF_BUDGET_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

struct budget_kept;

struct budget {
	uint64_t used, max;	  /* bytes */
	uint64_t max_ring;	  /* the part that one ring may take; 0: all */
	struct budget_kept *kept; /* list of closed objects that the kernel still has */
};

/* Objects that can outlive their descriptor: programs hold maps, links and pins hold programs, maps
 * hold BTF. */
enum budget_kind { BUDGET_MAP, BUDGET_PROG, BUDGET_BTF };

/* Takes bytes. Returns 0; -ENOMEM: fewer are left. */
int budget_take(struct budget *budget, uint64_t bytes);

/* Takes the bytes of a ring. Returns 0; -ENOMEM: fewer are left, or a ring may not take so many. */
static inline int budget_take_ring(struct budget *budget, uint64_t bytes)
{
	return budget->max_ring && bytes > budget->max_ring ? -ENOMEM : budget_take(budget, bytes);
}

/* Takes bytes and allocates `size` bytes, all zero, for the object that gives them back when it is
 * freed. Returns NULL, with nothing taken, if memory is short or the budget does not allow it. */
void *budget_alloc(struct budget *budget, uint64_t bytes, size_t size);

/* Gives back bytes that were taken. */
static inline void budget_give(struct budget *budget, uint64_t bytes)
{
	budget->used -= bytes;
}

/* Closes the descriptor of an object for which bytes were taken. They are given back when the
 * kernel has freed the object: at once if fd is negative, never if the kernel cannot be asked. It
 * looks objects up by id since Linux 4.13, and only for CAP_SYS_ADMIN. `bytes` is 0 for an object
 * that the session did not create. */
void budget_close(struct budget *budget, uint64_t bytes, int fd, enum budget_kind kind);

/* Frees the list of closed objects. The budget itself is the caller's. */
void budget_free(struct budget *budget);

#endif
