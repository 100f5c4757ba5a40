/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's end of a ring. */
#include "host-usb/run/objects/tool_ring.h"

#include "core/base/log.h"
#include "host-usb/run/client.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/records.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum ring_kind { RING_EVENT, RING_MAP, RING_PIPE, RING_LOG };

struct tool_ring {
	struct object_part part;
	enum ring_kind kind;
	char *memory;
	size_t bytes; /* size of the mapping */
	char *data;
	uint64_t size;	   /* bytes of data, a power of 2; of pipe and log: the first credit */
	uint64_t *head;	   /* we write it: position after the last byte */
	uint64_t *tail;	   /* the tool writes it: position up to which it has read */
	uint64_t received; /* position after the last byte from the board */
	uint64_t granted;  /* position up to which the board may send */
	int pipe;	   /* of pipe and log; -1: the log is only kept */
	char *kept; /* bytes for which the pipe had no room yet; has room for the whole credit */
	size_t kept_size;
	bool failed; /* the board violated the protocol, or the pipe has no reader */
};

static void tool_ring_free(struct object_part *part)
{
	struct tool_ring *ring = (struct tool_ring *)part;

	if (ring->memory)
		munmap(ring->memory, ring->bytes);
	if (ring->pipe >= 0)
		close(ring->pipe);
	free(ring->kept);
	free(ring);
}

uint64_t tool_ring_size(const struct tool_ring *ring)
{
	return ring->size;
}

static struct tool_ring *tool_ring_new(enum ring_kind kind, uint64_t size)
{
	struct tool_ring *ring = calloc(1, sizeof(*ring));

	if (ring)
		*ring = (struct tool_ring){.kind = kind, .size = size, .granted = size, .pipe = -1};
	return ring;
}

static int map_memory(struct tool_ring *ring, int fd, size_t bytes)
{
	void *memory;
	int err = object_set_size(fd, bytes);

	if (err)
		return err;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	ring->memory = memory;
	ring->bytes = bytes;
	return 0;
}

static int ask(struct object *object, const struct tool_ring *ring)
{
	struct client *client = object->run->client;
	struct bytes_out *out = client_begin(client, RPC_RING_OPEN);
	struct bytes_in reply;
	int64_t ret;

	bytes_put_u32(out, object->handle);
	bytes_put_u64(out, ring->size);
	bytes_put_u64(out, ring->granted);
	client_note(client, "%u %llu bytes", object->handle, (unsigned long long)ring->size);
	ret = client_call(client, &reply);
	return ret > 0 ? -EIO : (int)ret;
}

/* Data may arrive before the reply, so the object has its ring before the request is sent. */
static int start(struct object *object, struct tool_ring *ring)
{
	int err;

	object->ring = ring;
	err = ask(object, ring);
	if (err) {
		object->ring = NULL;
		tool_ring_free(&ring->part);
		return err;
	}
	object_add_part(object, &ring->part, tool_ring_free);
	return 0;
}

int tool_ring_open_event(struct object *object, uint64_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct tool_ring *ring = tool_ring_new(RING_EVENT, size);
	struct perf_event_mmap_page *header;
	int err;

	if (!ring)
		return -ENOMEM;
	err = map_memory(ring, object->fd, page + size);
	if (err) {
		tool_ring_free(&ring->part);
		return err;
	}
	header = (struct perf_event_mmap_page *)ring->memory;
	header->data_offset = page;
	header->data_size = size;
	ring->data = ring->memory + page;
	ring->head = (uint64_t *)&header->data_head;
	ring->tail = (uint64_t *)&header->data_tail;
	return start(object, ring);
}

/* A ring buffer has a page with the consumer's position, a page with the producer's, and the data.
 * The kernel maps the data twice, so that records never wrap; our file contains it twice. */
int tool_ring_open_map(struct object *object)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct tool_ring *ring = tool_ring_new(RING_MAP, object->max_entries);
	int err;

	if (!ring)
		return -ENOMEM;
	err = map_memory(ring, object->fd, 2 * page + 2 * ring->size);
	if (err) {
		tool_ring_free(&ring->part);
		return err;
	}
	ring->tail = (uint64_t *)ring->memory;
	ring->head = (uint64_t *)(ring->memory + page);
	ring->data = ring->memory + 2 * page;
	return start(object, ring);
}

static int open_bytes(struct object *object, enum ring_kind kind, int fd, uint64_t credit)
{
	struct tool_ring *ring = tool_ring_new(kind, credit);

	if (ring)
		ring->kept = malloc(credit);
	if (!ring || !ring->kept) {
		free(ring);
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	ring->pipe = fd;
	object->ring = ring;
	object_add_part(object, &ring->part, tool_ring_free);
	return 0;
}

int tool_ring_open_pipe(struct object *object, int fd, uint64_t credit)
{
	return open_bytes(object, RING_PIPE, fd, credit);
}

int tool_ring_open_log(struct object *object, int fd, uint64_t credit)
{
	return open_bytes(object, RING_LOG, fd, credit);
}

void tool_ring_restart(struct object *object)
{
	struct tool_ring *ring = object->ring;

	ring->received = ring->kept_size = 0;
	ring->granted = ring->size;
}

const char *tool_ring_kept(const struct object *object, size_t *size)
{
	*size = object->ring->kept_size;
	return object->ring->kept;
}

static void copy_in(struct tool_ring *ring, uint64_t position, const char *data, size_t size)
{
	uint64_t at = position & (ring->size - 1), straight = ring->size - at;

	if (straight > size)
		straight = size;
	memcpy(ring->data + at, data, straight);
	memcpy(ring->data, data + straight, size - straight);
	if (ring->kind != RING_MAP)
		return;
	memcpy(ring->data + ring->size + at, data, straight);
	memcpy(ring->data + ring->size, data + straight, size - straight);
}

static bool is_bytes(const struct tool_ring *ring)
{
	return ring->kind == RING_PIPE || ring->kind == RING_LOG;
}

/* Writes into the pipe, or the records of a log into the socket, as much as there is room for.
 * Returns the number of bytes. */
static size_t write_some(const struct tool_ring *ring, const char *data, size_t size)
{
	size_t done = 0, record;
	ssize_t n;

	if (ring->kind == RING_PIPE) {
		n = write(ring->pipe, data, size);
		return n > 0 ? (size_t)n : 0;
	}
	while (ring->pipe >= 0 && done < size) {
		record = record_log_size(data + done, size - done);
		if (send(ring->pipe, data + done, record, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		done += record;
	}
	return done;
}

/* Keeps the bytes for which the pipe has no room. */
static void pipe_write(struct tool_ring *ring, const char *data, size_t size)
{
	size_t done = ring->kept_size ? 0 : write_some(ring, data, size);

	memcpy(ring->kept + ring->kept_size, data + done, size - done);
	ring->kept_size += size - done;
}

static bool fits(const struct object *object, const char *data, size_t size)
{
	switch (object->ring->kind) {
	case RING_EVENT:
		return records_fit_event(&object->format, data, size);
	case RING_MAP:
		return records_fit_map(data, size);
	case RING_LOG:
		return records_fit_log(data, size);
	default:
		return true;
	}
}

void tool_ring_receive(struct object *object, uint64_t position, const void *data, size_t size)
{
	struct tool_ring *ring = object->ring;

	if (ring->failed)
		return;
	/* Data beyond the credit would overwrite what the tool has not read yet. */
	if (position != ring->received || size > ring->granted - position ||
		!fits(object, data, size)) {
		ring->failed = true;
		client_give_up(object->run->client, "ring", "the board sends malformed records");
		return;
	}
	ring->received = position + size;
	if (is_bytes(ring)) {
		pipe_write(ring, data, size);
		return;
	}
	copy_in(ring, position, data, size);
	__atomic_store_n(ring->head, ring->received, __ATOMIC_RELEASE);
	object_wake(object);
}

bool tool_ring_readable(const struct object *object)
{
	const struct tool_ring *ring = object->ring;

	return ring && ring->tail &&
	       __atomic_load_n(ring->tail, __ATOMIC_ACQUIRE) != ring->received;
}

static uint64_t read_so_far(struct tool_ring *ring)
{
	struct pollfd writable = {.fd = ring->pipe, .events = POLLOUT};
	size_t n;

	if (!is_bytes(ring))
		return __atomic_load_n(ring->tail, __ATOMIC_ACQUIRE);
	if (poll(&writable, 1, 0) == 1 && writable.revents & (POLLERR | POLLHUP))
		ring->failed = true;
	if (ring->kept_size && writable.revents & POLLOUT) {
		n = write_some(ring, ring->kept, ring->kept_size);
		ring->kept_size -= n;
		memmove(ring->kept, ring->kept + n, ring->kept_size);
	}
	return ring->received - ring->kept_size;
}

static bool tail_is_behind(const struct tool_ring *ring, uint64_t tail)
{
	return ring->kind != RING_EVENT && tail != ring->received;
}

/* Sends credit in steps of a quarter of the ring. With less than half of the ring left the board
 * may be waiting, because its next record may be larger than that. Returns true then. */
static bool tool_ring_credit(struct object *object)
{
	struct tool_ring *ring = object->ring;
	uint64_t tail = read_so_far(ring), limit = tail + ring->size;
	struct bytes_out *out;

	if (tail <= ring->received && limit - ring->granted >= ring->size / 4 &&
		limit > ring->granted) {
		ring->granted = limit;
		out = client_begin(object->run->client, RPC_RING_CREDIT);
		bytes_put_u32(out, object->handle);
		bytes_put_u64(out, limit);
		client_send(object->run->client);
	}
	/* Or a ring buffer's eventfd must be reset when the tool has read everything, or the kept
	 * bytes must follow when the tool has read from the pipe. */
	return ring->granted - ring->received < ring->size / 2 || tail_is_behind(ring, tail);
}

int tool_ring_fill(struct object *object)
{
	struct client *client = object->run->client;
	struct bytes_in reply;
	int64_t ret = 0;
	int unread = 0;

	tool_ring_credit(object);
	if (object->ring->pipe >= 0 && ioctl(object->ring->pipe, SIOCOUTQ, &unread) < 0)
		return -errno;
	if (!unread) {
		bytes_put_u32(client_begin(client, RPC_RING_SYNC), object->handle);
		ret = client_call(client, &reply);
	}
	return ret > 0 ? -EIO : (int)ret;
}

/* Polling a ring buffer is level-triggered in the kernel: so the eventfd is reset when the tool has
 * read everything. */
static void reset_wake(struct object *object)
{
	uint64_t count;

	if (object->wake_fd >= 0 && !tool_ring_readable(object) &&
		read(object->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("wake-up: %s", strerror(errno));
}

bool tool_rings_credit(struct objects *objects)
{
	struct object *object = object_next(objects, NULL), *next;
	bool stopped = false;

	for (; object; object = next) {
		next = object_next(objects, object);
		if (!object->ring)
			continue;
		if (object->ring->kind == RING_MAP)
			reset_wake(object);
		if (is_bytes(object->ring) && object->ring->failed)
			object_end(object);
		else if (!object->ring->failed)
			stopped |= tool_ring_credit(object);
	}
	return stopped;
}
