/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: the set, credit, sending and polling. How each kind is read is in ring.c. */
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

/* How often rings are read without a wakeup. Programs may write into a ring without waking its
 * reader, and a tool that reads the ring's memory by a timer expects the data there. */
#define LOOK_MS 100

/* How long to wait for a record that is being written. poll(2) is of no use: such a record makes
 * the descriptor of a BPF ring buffer readable. */
#define BUSY_MS 1

/* A single record is sent at once. If records come faster than one per GATHER_NEAR_NS, a wakeup and
 * a message for each would cost more than all other work. Then the rings are left alone for a
 * pause, and the records of that time go out in one message. The pause starts with GATHER_MIN_NS
 * and doubles up to GATHER_MAX_NS, which is a round trip over USB. It ends when records come more
 * slowly or a ring fills up. */
#define GATHER_NEAR_NS 60000
#define GATHER_MIN_NS  50000
#define GATHER_MAX_NS  800000
#define GATHER_FILL    8 /* if more than this fraction of a ring is filled, it is read at once */

struct stream_set {
	struct budget *budget;
	struct stream *first;
	unsigned int count;
	struct pollfd *polled;
	unsigned int polled_room;
	unsigned int records; /* sent since the last wait */
	bool was_filled;      /* one of their rings was rather full */
	uint64_t waited_ns;   /* when the last wait began, CLOCK_MONOTONIC */
	uint64_t gather_ns;   /* its pause; 0: none */
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

/* Adds a copy of a stream. Its `bytes` count against the budget. */
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
	*at = stream; /* the end of the list, since stream_find() found none */
	set->count++;
	return 0;

err_free:
	free(stream);
err_give:
	budget_give(set->budget, what->bytes);
	return err;
}

/* Rounds the size up to a page. Rings are mapped whole, so the size must fit the address space. */
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

/* Takes nothing from the budget: the ring is the memory of the map. */
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

int stream_open_log(struct stream_set *set, uint32_t handle, int fd, uint64_t credit)
{
	const struct stream stream = {
		.kind = &stream_log, .handle = handle, .fd = fd, .credit = credit};

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

/* Sends a message with one piece of a stream. Returns false if there was no data. */
static bool stream_send(struct rpc *rpc, struct stream *stream)
{
	struct bytes_out *out = &rpc->out;
	size_t start = rpc_begin(out, RPC_RING_DATA, 0, 0), size;

	bytes_put_u32(out, stream->handle);
	bytes_put_u64(out, stream->position);
	size = stream->kind->read(stream, out);
	if (!size || out->failed) { /* without memory the data stays in the ring */
		bytes_out_free(out);
		return false;
	}
	rpc_end(out, start);
	rpc_send(rpc);
	stream->position += size;
	rpc->streams->records += stream->records;
	return true;
}

int stream_drain(struct rpc *rpc, uint32_t handle)
{
	struct stream *stream = *stream_find(rpc->streams, handle);

	if (!stream)
		return -EBADF;
	do
		stream->state = stream->kind->look(stream);
	while (stream->state == STREAM_READY && stream_send(rpc, stream));
	return 0;
}

/* True if a ring fills up and must be read again without a pause. A large ring holds more than a
 * message. */
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
		set->was_filled = set->was_filled || stream_fills(stream);
		if (stream->state == STREAM_READY)
			sent = stream_send(rpc, stream) || sent;
	}
	return sent;
}

/* Begins a wait. Returns its pause in ns, in which the rings are left alone; 0: none. */
static uint64_t gather(struct stream_set *set)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), next_ns = 0;

	if (!set->was_filled && now_ns - set->waited_ns < set->records * (uint64_t)GATHER_NEAR_NS)
		next_ns = set->gather_ns ? 2 * set->gather_ns : GATHER_MIN_NS;
	set->records = 0;
	set->was_filled = false;
	set->waited_ns = now_ns;
	set->gather_ns = next_ns < GATHER_MAX_NS ? next_ns : GATHER_MAX_NS;
	return set->gather_ns;
}

/* True if poll(2) should watch the stream. For others it would return at once, again and again. */
static bool is_polled(const struct stream *stream)
{
	return stream->state == STREAM_EMPTY && !stream->is_hung;
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
			.fd = is_polled(stream) ? stream->fd : -1, .events = POLLIN};
	}
	ready = poll(polled, (nfds_t)n, wait ? timeout_ms : 0);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	n = 1;
	for (struct stream *stream = set->first; wait && stream; stream = stream->next, n++)
		if (polled[n].revents & ~POLLIN) /* the event's process or CPU is gone */
			stream->is_hung = true;
	return polled[0].revents != 0;
}
