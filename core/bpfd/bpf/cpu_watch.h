/* SPDX-License-Identifier: Apache-2.0 */
/* Notices CPUs that go offline while perf events are open on them. */
#ifndef CORE_BPFD_BPF_CPU_WATCH_H
#define CORE_BPFD_BPF_CPU_WATCH_H

#include <stdint.h>
#include <sys/types.h>

struct cpu_watch;

/* Returns NULL if memory is short. */
struct cpu_watch *cpu_watch_new(void);

/* Watches a CPU for an event of all processes on it: pid is -1 and cpu is not. Others are ignored.
 * If that fails, the CPU is not watched. */
void cpu_watch_add(struct cpu_watch *watch, pid_t pid, int cpu);

/* Warns if a watched CPU was offline since it was added: the kernel has then ended all events on
 * it, and reports no error. Does nothing if the last check is less than two seconds ago. */
void cpu_watch_check(struct cpu_watch *watch, uint64_t now_ms);

/* NULL is fine. */
void cpu_watch_free(struct cpu_watch *watch);

#endif
