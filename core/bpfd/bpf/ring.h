/* SPDX-License-Identifier: Apache-2.0 */
/* Perf rings: the way on which records of BPF programs reach user space. */
#ifndef CORE_BPFD_BPF_RING_H
#define CORE_BPFD_BPF_RING_H

#include "core/bpfd/bpf/handle.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

extern const struct handle_class ring_class;

/* What the rings of a session have in common: their memory is bounded together. */
struct ring_set;

struct budget;

/* One ring of one CPU or process. */
struct ring;

/* Receives the raw data of one record; it is valid during the call. A negative errno ends the
 * reading; the record counts as read. */
typedef int (*ring_sink)(void *arg, const struct ring *ring, const void *data, uint32_t size);

/* Makes an empty set, whose rings count against the budget. Returns 0, -ENOMEM. */
int ring_set_new(struct ring_set **set, struct budget *budget);

/* All rings must be closed. NULL is fine. */
void ring_set_free(struct ring_set *set);

/* The memory of a ring with so many pages of data, which is a page more. */
uint64_t ring_bytes(uint64_t pages);

/* Opens a ring of `pages` pages of data, a power of 2, for what programs write on that CPU and in
 * that process (-1: any, as for perf_event_open(2)). Returns 0; -EINVAL: not a power of 2;
 * -ENOMEM: none, or the budget does not allow it; what the kernel refuses with. */
int ring_new(struct ring **ring, struct ring_set *set, pid_t pid, int cpu, uint32_t pages);

/* Closes the ring; its records are gone. NULL is fine. */
void ring_free(struct ring *ring);

/* The perf event, which stays the ring's. */
int ring_fd(const struct ring *ring);

/* A number that the owner gives to the ring, so that the sink knows it. */
void ring_set_tag(struct ring *ring, int tag);
int ring_tag(const struct ring *ring);

/* Waits until one of the n rings has a record, input_fd (-1: none) can be read or is at its end,
 * timeout_ms have passed (negative: no limit), or *stop is set by a signal handler. Returns 0 in
 * all these cases, -ENOMEM, or poll(2)'s errno. */
int ring_set_wait(struct ring_set *set, struct ring *const *rings, unsigned int n, int input_fd,
	int timeout_ms, const volatile sig_atomic_t *stop);

/* Hands the records that are there at the start of the call to the sink, one of each ring in turn,
 * and stops when max_bytes of data have been handed over; the rest comes first the next time.
 * Returns 0, or what the sink returned. */
int ring_set_drain(struct ring_set *set, struct ring *const *rings, unsigned int n,
	uint64_t max_bytes, ring_sink sink, void *arg);

/* Returns how many records the ring had no room for since the last call. */
uint64_t ring_take_lost(struct ring *ring);

#endif
