/* SPDX-License-Identifier: Apache-2.0 */
/* Watches CPUs by an event of its own on each: its time stops when the kernel ends the events. */
#include "core/bpfd/bpf/cpu_watch.h"

#include "core/base/log.h"
#include "core/bpfd/bpf/ring_private.h"
#include "core/bpfd/symbols/array.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_MS    2000
#define WATCHED_MAX 32 /* their descriptors are not counted as handles */

struct watched_cpu {
	int cpu;
	int fd;		     /* -1: the CPU went offline, and no event was opened on it since */
	uint64_t enabled_ns; /* the event's time at the last check */
	bool is_checked;     /* there was a check since the event was opened */
};

struct cpu_watch {
	struct watched_cpu *cpus;
	size_t count, cap;
	uint64_t checked_ms;
};

struct cpu_watch *cpu_watch_new(void)
{
	return calloc(1, sizeof(struct cpu_watch));
}

void cpu_watch_free(struct cpu_watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->count; i++)
		if (watch->cpus[i].fd >= 0)
			close(watch->cpus[i].fd);
	free(watch->cpus);
	free(watch);
}

static int open_event(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED,
	};

	return ring_perf_open(&attr, -1, cpu);
}

static struct watched_cpu *find(struct cpu_watch *watch, int cpu)
{
	for (size_t i = 0; i < watch->count; i++)
		if (watch->cpus[i].cpu == cpu)
			return &watch->cpus[i];
	if (watch->count == WATCHED_MAX)
		return NULL;
	if (array_reserve(&watch->cpus, &watch->cap, watch->count + 1, sizeof(*watch->cpus)))
		return NULL;
	watch->cpus[watch->count] = (struct watched_cpu){.cpu = cpu, .fd = -1};
	return &watch->cpus[watch->count++];
}

void cpu_watch_add(struct cpu_watch *watch, pid_t pid, int cpu)
{
	struct watched_cpu *watched = pid == -1 && cpu >= 0 ? find(watch, cpu) : NULL;

	if (!watched || watched->fd >= 0)
		return;
	watched->fd = open_event(cpu);
	watched->is_checked = false;
	if (watched->fd < 0)
		log_debug("CPU %d: not watched: %s", cpu, strerror(-watched->fd));
}

/* True if the event counted for at least half of the time since the last check. Its time goes on
 * while the CPU is idle. */
static bool is_alive(struct watched_cpu *watched, uint64_t passed_ms)
{
	uint64_t counts[2] = {0, 0}, before = watched->enabled_ns; /* value, time enabled */
	bool is_first = !watched->is_checked;

	if (read(watched->fd, counts, sizeof(counts)) != sizeof(counts))
		return false;
	watched->enabled_ns = counts[1];
	watched->is_checked = true;
	return is_first || (counts[1] - before) / 500000 >= passed_ms;
}

void cpu_watch_check(struct cpu_watch *watch, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - watch->checked_ms;

	if (!watch->count || passed_ms < CHECK_MS)
		return;
	watch->checked_ms = now_ms;
	for (size_t i = 0; i < watch->count; i++) {
		struct watched_cpu *watched = &watch->cpus[i];

		if (watched->fd < 0 || is_alive(watched, passed_ms))
			continue;
		log_warning("CPU %d: it was offline; the perf rings and events that were opened on "
			    "it before give nothing any more, start the tool again",
			watched->cpu);
		close(watched->fd);
		watched->fd = -1;
	}
}
