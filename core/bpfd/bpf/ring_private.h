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
	uint64_t size;	   /* of the data in bytes, a power of 2 */
	uint64_t bytes;	   /* mapped, and taken from the budget */
	uint64_t end;	   /* the position where the current drain ends */
	bool counts_lost;  /* read(2) returns how many records were lost */
	uint64_t reported; /* if counts_lost: the part of that count that was returned */
	uint64_t lost;	   /* else: records known to be lost and not returned yet */
	uint64_t looked;   /* else: `lost` includes the LOST records before this position */
};

/* Opens a perf event. Returns the descriptor or a negative errno. */
int ring_perf_open(const struct perf_event_attr *attr, pid_t pid, int cpu);

/* The header of the record at a position. Headers never wrap, because records are aligned. */
static inline const struct perf_event_header *ring_header(const struct ring *ring, uint64_t at)
{
	return (const struct perf_event_header *)(ring->data + (at & (ring->size - 1)));
}

/* Copies `size` bytes at a position out of the ring. */
void ring_copy(const struct ring *ring, uint64_t at, void *to, size_t size);

/* If the record at a position is a LOST record, adds its count to ring->lost. */
void ring_note(struct ring *ring, uint64_t at);

#endif
