/* SPDX-License-Identifier: Apache-2.0 */
/* Perf rings, through which records of BPF programs reach user space. */
#ifndef CORE_BPFD_BPF_RING_H
#define CORE_BPFD_BPF_RING_H

#include "core/bpfd/bpf/handle.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

extern const struct handle_class ring_class;

/* The rings of a session, which share a budget. */
struct ring_set;

struct budget;

/* One ring of one CPU or process. */
struct ring;

/* Receives the raw data of one record, which is valid during the call. A negative errno ends the
 * drain; the record counts as read. */
typedef int (*ring_sink)(void *arg, const struct ring *ring, const void *data, uint32_t size);

/* Makes an empty set, whose rings count against the budget. Returns 0, -ENOMEM. */
int ring_set_new(struct ring_set **set, struct budget *budget);

/* Frees the set, whose rings must all be closed. NULL is fine. */
void ring_set_free(struct ring_set *set);

/* The memory of a ring with `pages` pages of data, in bytes: one page more. */
uint64_t ring_bytes(uint64_t pages);

/* Opens a ring for the records that programs write on that CPU and in that process; -1 means any,
 * as for perf_event_open(2). `pages` is the size of its data, a power of 2. Returns 0; -EINVAL: not
 * a power of 2; -ENOMEM: no memory, or the budget does not allow it; or the kernel's errno. */
int ring_new(struct ring **ring, struct ring_set *set, pid_t pid, int cpu, uint32_t pages);

/* Closes the ring and drops its records. NULL is fine. */
void ring_free(struct ring *ring);

/* The descriptor of the perf event, which stays the ring's. */
int ring_fd(const struct ring *ring);

/* A number that the owner gives to the ring, for use by the sink. */
void ring_set_tag(struct ring *ring, int tag);
int ring_tag(const struct ring *ring);

/* Waits until one of the n rings has a record, input_fd (-1: none) is readable or at its end,
 * timeout_ms milliseconds have passed (negative: no limit), or a signal handler sets *stop. Returns
 * 0 in all these cases, -ENOMEM, or the errno of poll(2). */
int ring_set_wait(struct ring_set *set, struct ring *const *rings, unsigned int n, int input_fd,
	int timeout_ms, const volatile sig_atomic_t *stop);

/* Passes the records that exist when it is called to the sink, one record of each ring in turn. It
 * stops after max_bytes of data; the next call continues there. Returns 0 or the sink's error. */
int ring_set_drain(struct ring_set *set, struct ring *const *rings, unsigned int n,
	uint64_t max_bytes, ring_sink sink, void *arg);

/* Returns how many records were lost since the last call because the ring was full. */
uint64_t ring_take_lost(struct ring *ring);

#endif
