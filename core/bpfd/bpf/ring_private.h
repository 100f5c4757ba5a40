/* SPDX-License-Identifier: Apache-2.0 */
/* The ring object, for the files that implement it. */
#ifndef CORE_BPFD_BPF_RING_PRIVATE_H
#define CORE_BPFD_BPF_RING_PRIVATE_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ring_set;

struct ring {
	struct ring_set *set;
	int fd, cpu, tag;
	struct perf_event_mmap_page *page;
	char *data;
	uint64_t size;	  /* of the data, a power of 2 */
	uint64_t bytes;	  /* mapped, and taken from the budget */
	uint64_t end;	  /* of what one drain reads */
	bool counts_lost; /* the kernel tells with read(2) how many records were lost */
	uint64_t lost;	  /* that are known and not yet told */
	uint64_t told;	  /* if counts_lost: of the kernel's count */
	uint64_t looked;  /* else: LOST records before this position are in `lost` */
};

/* Opens the perf event of a ring: what programs output, or, as a mark, this process's change of
 * name. Returns the descriptor or a negative errno. */
int ring_perf_open(const struct perf_event_attr *attr, pid_t pid, int cpu);

/* The header of the record at a position, which never wraps. */
static inline const struct perf_event_header *ring_header(const struct ring *ring, uint64_t at)
{
	return (const struct perf_event_header *)(ring->data + (at & (ring->size - 1)));
}

/* Copies a part of a record out of the ring. */
void ring_copy(const struct ring *ring, uint64_t at, void *to, size_t size);

/* Notes the loss that a record at a position, which is no sample, may tell of. */
void ring_note(struct ring *ring, uint64_t at);

#endif
