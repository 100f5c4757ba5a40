/* SPDX-License-Identifier: Apache-2.0 */
/* Opens perf rings, waits for records, and drains the rings in turn. */
#include "core/bpfd/bpf/ring.h"

#include "core/base/clock.h"
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/ring_private.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORD_MAX  65536      /* bytes; the size in a record's header has 16 bits */
#define FORMAT_LOST (1U << 4)  /* PERF_FORMAT_LOST, which older headers lack */
#define PAGES_MAX   (1U << 20) /* keeps sizes from overflowing */

struct ring_set {
	struct budget *budget;
	struct pollfd *polled; /* the rings of the largest poll so far, and the input */
	unsigned int polled_room;
	unsigned int turn;	 /* index of the first ring in the next drain */
	char record[RECORD_MAX]; /* a copy of a record that wraps */
};

static int ring_class_close(void *object, int fd)
{
	ring_free(object);
	return 0;
}

const struct handle_class ring_class = {"ring", ring_class_close};

int ring_set_new(struct ring_set **set, struct budget *budget)
{
	struct ring_set *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->budget = budget;
	*set = s;
	return 0;
}

void ring_set_free(struct ring_set *set)
{
	if (!set)
		return;
	free(set->polled);
	free(set);
}

int ring_perf_open(const struct perf_event_attr *attr, pid_t pid, int cpu)
{
	long fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* Kernels before 6.0 do not count lost records, and refuse FORMAT_LOST with EINVAL. */
static int ring_open_event(struct ring *ring, pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_period = 1,
		.wakeup_events = 1,
		.sample_type = PERF_SAMPLE_RAW,
		.read_format = FORMAT_LOST,
	};

	ring->fd = ring_perf_open(&attr, pid, ring->cpu);
	ring->counts_lost = ring->fd >= 0;
	if (ring->fd != -EINVAL)
		return ring->fd < 0 ? ring->fd : 0;
	attr.read_format = 0;
	ring->fd = ring_perf_open(&attr, pid, ring->cpu);
	return ring->fd < 0 ? ring->fd : 0;
}

static int ring_map(struct ring *ring, size_t page_size)
{
	void *memory;

	memory = mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	ring->page = memory;
	ring->data = (char *)memory + page_size;
	return 0;
}

uint64_t ring_bytes(uint64_t pages)
{
	return (pages + 1) * (uint64_t)sysconf(_SC_PAGESIZE);
}

int ring_new(struct ring **ring, struct ring_set *set, pid_t pid, int cpu, uint32_t pages)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	struct ring *r;
	int err;

	if (!pages || pages & (pages - 1) || pages > PAGES_MAX)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->set = set;
	r->cpu = cpu;
	r->size = (uint64_t)pages * page_size;
	r->bytes = ring_bytes(pages);
	err = budget_take_ring(set->budget, r->bytes);
	if (err)
		goto err_free;
	err = ring_open_event(r, pid);
	if (err)
		goto err_give;
	err = ring_map(r, page_size);
	if (err)
		goto err_close;
	*ring = r;
	return 0;

err_close:
	close(r->fd);
err_give:
	budget_give(set->budget, r->bytes);
err_free:
	free(r);
	return err;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	munmap(ring->page, ring->bytes);
	close(ring->fd);
	budget_give(ring->set->budget, ring->bytes);
	free(ring);
}

int ring_fd(const struct ring *ring)
{
	return ring->fd;
}

void ring_set_tag(struct ring *ring, int tag)
{
	ring->tag = tag;
}

int ring_tag(const struct ring *ring)
{
	return ring->tag;
}

/* The kernel writes records before it moves the head, and reuses space only after it sees the tail
 * moved. So the head is read with acquire and the tail written with release. */
static uint64_t ring_head(const struct ring *ring)
{
	return __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
}

static void ring_pass(struct ring *ring, uint64_t tail)
{
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

void ring_copy(const struct ring *ring, uint64_t at, void *to, size_t size)
{
	uint64_t from = at & (ring->size - 1), straight = ring->size - from;

	if (straight > size)
		straight = size;
	memcpy(to, ring->data + from, straight);
	memcpy((char *)to + straight, ring->data, size - straight);
}

/* Skips records that are not samples, up to a position. Returns whether a sample comes next. */
static bool ring_sample_before(struct ring *ring, uint64_t end)
{
	uint64_t tail = ring->page->data_tail;

	while (tail < end) {
		const struct perf_event_header *header = ring_header(ring, tail);

		if (header->type == PERF_RECORD_SAMPLE)
			return true;
		if (header->size < sizeof(*header)) { /* never seen; would loop forever */
			ring_pass(ring, end);
			return false;
		}
		ring_note(ring, tail);
		tail += header->size;
		ring_pass(ring, tail);
	}
	return false;
}

/* Passes the sample at the tail to the sink and moves the tail past it. *size is set to the number
 * of bytes of data. */
static int ring_take(struct ring *ring, ring_sink sink, void *arg, uint32_t *size)
{
	struct {
		struct perf_event_header header;
		uint32_t size;
		char data[];
	} * sample;
	uint64_t tail = ring->page->data_tail, from = tail & (ring->size - 1);
	uint32_t record = ring_header(ring, tail)->size;
	int err = 0;

	sample = (void *)(ring->data + from);
	if (from + record > ring->size) {
		ring_copy(ring, tail, ring->set->record, record);
		sample = (void *)ring->set->record;
	}
	*size = 0;
	if (record >= sizeof(*sample) && sample->size <= record - sizeof(*sample)) {
		*size = sample->size;
		err = sink(arg, ring, sample->data, *size);
	}
	ring_pass(ring, record ? tail + record : ring->end);
	return err;
}

int ring_set_drain(struct ring_set *set, struct ring *const *rings, unsigned int n,
	uint64_t max_bytes, ring_sink sink, void *arg)
{
	unsigned int empty = 0, i = n ? set->turn % n : 0;
	uint64_t bytes = 0;
	uint32_t size;
	int err;

	for (unsigned int j = 0; j < n; j++)
		rings[j]->end = ring_head(rings[j]);
	while (empty < n && bytes < max_bytes) {
		if (ring_sample_before(rings[i], rings[i]->end)) {
			err = ring_take(rings[i], sink, arg, &size);
			if (err)
				return err;
			bytes += size + sizeof(struct perf_event_header);
			empty = 0;
		} else {
			empty++;
		}
		i = i + 1 < n ? i + 1 : 0;
	}
	set->turn = i;
	return 0;
}

static int wait_room(struct ring_set *set, unsigned int n)
{
	struct pollfd *polled;

	if (n <= set->polled_room)
		return 0;
	polled = realloc(set->polled, n * sizeof(*polled));
	if (!polled)
		return -ENOMEM;
	set->polled = polled;
	set->polled_room = n;
	return 0;
}

static bool any_sample(struct ring *const *rings, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (ring_sample_before(rings[i], ring_head(rings[i])))
			return true;
	return false;
}

int ring_set_wait(struct ring_set *set, struct ring *const *rings, unsigned int n, int input_fd,
	int timeout_ms, const volatile sig_atomic_t *stop)
{
	int64_t end = (int64_t)clock_monotonic_ms() + timeout_ms, left = timeout_ms;
	int err;

	err = wait_room(set, n + 1);
	if (err)
		return err;
	for (unsigned int i = 0; i < n; i++)
		set->polled[i] = (struct pollfd){.fd = rings[i]->fd, .events = POLLIN};
	set->polled[n] = (struct pollfd){.fd = input_fd, .events = POLLIN};
	/* The kernel reports a wakeup to one poll only, so check the rings themselves first. */
	while (!any_sample(rings, n) && !(stop && *stop)) {
		if (timeout_ms >= 0 && left < 0)
			return 0;
		err = poll(set->polled, n + 1, timeout_ms < 0 ? -1 : (int)left);
		if (err < 0 && errno != EINTR)
			return -errno;
		if (err > 0 && set->polled[n].revents)
			return 0;
		for (unsigned int i = 0; err > 0 && i < n; i++)
			if (set->polled[i].revents & ~POLLIN) /* the process or CPU is gone */
				set->polled[i].fd = -1;
		left = err == 0 ? -1 : end - (int64_t)clock_monotonic_ms();
	}
	return 0;
}
