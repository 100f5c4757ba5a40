/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: what they have in common. rpc_ring.c knows how rings are read. */
#include "core/bpfd/rpc/stream.h"

#include "core/base/clock.h"
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/rpc/operation.h"
#include "core/bpfd/rpc/stream_private.h"
#include "core/messages/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Programs may write into rings without waking anybody, and whoever reads the ring's memory in a
 * time of his own expects to see it there. */
#define LOOK_MS 100

/* A record of a BPF ring buffer that is being written makes its descriptor readable. */
#define BUSY_MS 1

/* Records that come alone are sent at once. While they come closer together than that, a wait and
 * a message for each would cost more than all else: the rings are left alone for a while, and what
 * has come by then goes out in one message. The while doubles, up to what a transfer over USB and
 * back takes, and ends when fewer come or when they might fill a ring. */
#define GATHER_NEAR_NS 60000
#define GATHER_MIN_NS  50000
#define GATHER_MAX_NS  800000
#define GATHER_FILL    8 /* a ring with more than that part of it filled is read at once */

struct stream_set {
	struct budget *budget;
	struct stream *first;
	unsigned int count;
	struct pollfd *polled;
	unsigned int polled_room;
	/* Sent since the last wait. */
	unsigned int records;
	bool filled;	    /* some of them were in a ring that was rather full */
	uint64_t waited_ns; /* when that wait began */
	uint64_t gather_ns; /* how long it left the rings alone, 0: not at all */
};

int stream_set_new(struct stream_set **set, struct budget *budget)
{
	struct stream_set *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->budget = budget;
	*set = s;
	return 0;
}

static void stream_free(struct stream_set *set, struct stream *stream)
{
	if (stream->kind->close)
		stream->kind->close(stream);
	budget_give(set->budget, stream->bytes);
	free(stream);
	set->count--;
}

void stream_set_free(struct stream_set *set)
{
	struct stream *stream;

	if (!set)
		return;
	while ((stream = set->first)) {
		set->first = stream->next;
		stream_free(set, stream);
	}
	free(set->polled);
	free(set);
}

static struct stream **stream_find(struct stream_set *set, uint32_t handle)
{
	struct stream **at = &set->first;

	while (*at && (*at)->handle != handle)
		at = &(*at)->next;
	return at;
}

static int make_room(struct stream_set *set)
{
	unsigned int room = 2 * set->polled_room;
	struct pollfd *polled;

	if (set->count + 2 <= set->polled_room) /* the new one and the input */
		return 0;
	room = room ? room : 16;
	polled = realloc(set->polled, room * sizeof(*polled));
	if (!polled)
		return -ENOMEM;
	set->polled = polled;
	set->polled_room = room;
	return 0;
}

/* Adds a stream; what `open` maps counts against the budget with `bytes`. */
static int stream_open(struct stream_set *set, const struct stream *what)
{
	struct stream **at = stream_find(set, what->handle), *stream;
	int err;

	if (*at)
		return -EBUSY;
	err = make_room(set);
	if (!err)
		err = budget_take_ring(set->budget, what->bytes);
	if (err)
		return err;
	stream = malloc(sizeof(*stream));
	err = -ENOMEM;
	if (!stream)
		goto err_give;
	*stream = *what;
	err = stream->kind->open ? stream->kind->open(stream) : 0;
	if (err)
		goto err_free;
	*at = stream; /* the last one of all */
	set->count++;
	return 0;

err_free:
	free(stream);
err_give:
	budget_give(set->budget, what->bytes);
	return err;
}

/* Rings are mapped whole, so that their size must fit into the address space. */
static int check_size(uint64_t *bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!*bytes || *bytes & (*bytes - 1))
		return -EINVAL;
	if (*bytes < page)
		*bytes = page;
	return *bytes > SIZE_MAX / 4 ? -ENOMEM : 0;
}

int stream_open_perf(
	struct stream_set *set, uint32_t handle, int fd, uint64_t bytes, uint64_t credit)
{
	struct stream stream = {.kind = &stream_perf, .handle = handle, .fd = fd, .credit = credit};
	int err = check_size(&bytes);

	if (err)
		return err;
	stream.size = bytes;
	stream.bytes = bytes + (uint64_t)sysconf(_SC_PAGESIZE);
	return stream_open(set, &stream);
}

/* Its memory is the map's, and counts as such. */
int stream_open_ringbuf(
	struct stream_set *set, uint32_t handle, int fd, uint64_t bytes, uint64_t credit)
{
	struct stream stream = {
		.kind = &stream_ringbuf, .handle = handle, .fd = fd, .credit = credit};
	int err = check_size(&bytes);

	if (err)
		return err;
	stream.size = bytes;
	return stream_open(set, &stream);
}

int stream_open_file(struct stream_set *set, uint32_t handle, int fd, uint64_t credit)
{
	const struct stream stream = {
		.kind = &stream_file, .handle = handle, .fd = fd, .credit = credit};

	return stream_open(set, &stream);
}

void stream_credit(struct stream_set *set, uint32_t handle, uint64_t position)
{
	struct stream *stream = *stream_find(set, handle);

	if (stream && position > stream->credit)
		stream->credit = position;
}

void stream_close(struct stream_set *set, uint32_t handle)
{
	struct stream **at = stream_find(set, handle), *stream = *at;

	if (!stream)
		return;
	*at = stream->next;
	stream_free(set, stream);
}

/* A message with one piece of a stream. Returns whether there was any. */
static bool stream_send(struct rpc *rpc, struct stream *stream)
{
	struct bytes_out *out = &rpc->out;
	size_t start = rpc_begin(out, RPC_RING_DATA, 0, 0), size;

	bytes_put_u32(out, stream->handle);
	bytes_put_u64(out, stream->position);
	size = stream->kind->read(stream, out);
	if (!size || out->failed) { /* without memory it stays in the ring, till there is some */
		bytes_out_free(out);
		return false;
	}
	rpc_end(out, start);
	rpc_send(rpc);
	stream->position += size;
	rpc->streams->records += stream->records;
	return true;
}

/* Of a ring: whether it is to be read again at once. A large one holds more than a message. */
static bool stream_fills(const struct stream *stream)
{
	uint64_t part = stream->size / GATHER_FILL;

	if (part > RPC_PART_MAX / 2)
		part = RPC_PART_MAX / 2;
	return part && stream->state == STREAM_READY && stream->ready > part;
}

bool stream_set_send(struct rpc *rpc, struct stream_set *set)
{
	bool sent = false;

	for (struct stream *stream = set->first; stream; stream = stream->next) {
		stream->state = stream->kind->look(stream);
		set->filled = set->filled || stream_fills(stream);
		if (stream->state == STREAM_READY)
			sent = stream_send(rpc, stream) || sent;
	}
	return sent;
}

/* How long the wait that begins now leaves the rings alone. */
static uint64_t gather(struct stream_set *set)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), next_ns = 0;

	if (!set->filled && now_ns - set->waited_ns < set->records * (uint64_t)GATHER_NEAR_NS)
		next_ns = set->gather_ns ? 2 * set->gather_ns : GATHER_MIN_NS;
	set->records = 0;
	set->filled = false;
	set->waited_ns = now_ns;
	set->gather_ns = next_ns < GATHER_MAX_NS ? next_ns : GATHER_MAX_NS;
	return set->gather_ns;
}

/* What is left out would make poll(2) return at once, again and again. */
static int stream_events(const struct stream *stream)
{
	return stream->state == STREAM_EMPTY && !stream->hung;
}

static int poll_input(struct pollfd *input, uint64_t ns)
{
	const struct timespec timeout = {0, (long)ns};

	if (ppoll(input, 1, &timeout, NULL) < 0)
		return errno == EINTR ? 0 : -errno;
	return input->revents != 0;
}

int stream_set_poll(struct stream_set *set, int fd, bool wait)
{
	struct pollfd input = {.fd = fd, .events = POLLIN}, *polled = set->polled;
	uint64_t gather_ns = wait ? gather(set) : 0;
	int timeout_ms = -1, n = 1, ready;

	if (gather_ns)
		return poll_input(&input, gather_ns);
	if (!polled)
		polled = &input;
	polled[0] = input;
	for (struct stream *stream = set->first; wait && stream; stream = stream->next) {
		if (stream->state == STREAM_BUSY)
			timeout_ms = BUSY_MS;
		else if (stream->state != STREAM_BLOCKED && timeout_ms < 0)
			timeout_ms = LOOK_MS;
		polled[n++] = (struct pollfd){
			.fd = stream_events(stream) ? stream->fd : -1, .events = POLLIN};
	}
	ready = poll(polled, (nfds_t)n, wait ? timeout_ms : 0);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	n = 1;
	for (struct stream *stream = set->first; wait && stream; stream = stream->next, n++)
		if (polled[n].revents & ~POLLIN) /* its process or CPU is gone */
			stream->hung = true;
	return polled[0].revents != 0;
}
