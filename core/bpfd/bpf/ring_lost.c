/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the records that a full perf ring lost, also if no record followed. */
#include "core/bpfd/bpf/ring.h"
#include "core/bpfd/bpf/ring_private.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define THREAD_NAME_SIZE 16 /* for PR_GET_NAME */

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

void ring_note(struct ring *ring, uint64_t at)
{
	struct lost_record record;

	if (ring->counts_lost || at < ring->looked)
		return;
	if (ring_header(ring, at)->type != PERF_RECORD_LOST)
		return;
	ring_copy(ring, at, &record, sizeof(record));
	ring->lost += record.lost;
}

/* Adds up the LOST records that were not read yet. */
static void ring_look_ahead(struct ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t at = ring->page->data_tail;

	while (at < head && ring_header(ring, at)->size >= sizeof(struct perf_event_header)) {
		ring_note(ring, at);
		at += ring_header(ring, at)->size;
	}
	ring->looked = head;
}

/* Moves this thread to one CPU and sets its name there, to the same name. Returns 0 or -1. */
static int change_name_on(const cpu_set_t *cpus, size_t size)
{
	char name[THREAD_NAME_SIZE];

	if (sched_setaffinity(0, size, cpus) < 0)
		return -1;
	prctl(PR_GET_NAME, name);
	return prctl(PR_SET_NAME, name);
}

/* Makes a kernel before 6.0 report losses, which it does with the next record that it writes to the
 * ring. An event on the same CPU, with its output in the same ring, records each process that sets
 * its name; this process then sets its own name again. Best effort: it does not work for rings of a
 * single process. */
static void ring_mark(struct ring *ring)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.comm = 1,
	};
	size_t size = CPU_ALLOC_SIZE(CPU_SETSIZE);
	cpu_set_t before, one;
	int fd;

	if (ring->cpu < 0 || ring->cpu >= CPU_SETSIZE || sched_getaffinity(0, size, &before) < 0)
		return;
	fd = ring_perf_open(&attr, -1, ring->cpu);
	if (fd < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(ring->cpu, &one);
	if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) == 0 && !change_name_on(&one, size))
		sched_setaffinity(0, size, &before);
	close(fd);
}

uint64_t ring_take_lost(struct ring *ring)
{
	uint64_t counts[2] = {0, 0}, lost; /* value, lost */

	if (ring->counts_lost) {
		if (read(ring->fd, counts, sizeof(counts)) != sizeof(counts))
			return 0;
		lost = counts[1] - ring->reported;
		ring->reported = counts[1];
		return lost;
	}
	ring_mark(ring);
	ring_look_ahead(ring);
	lost = ring->lost;
	ring->lost = 0;
	return lost;
}
