/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of streams (perf rings, ring buffers, files) and the operations that start them. */
#include "core/bpfd/bpf/ring.h"
#include "core/bpfd/bpf/fd_object.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/rpc/operation.h"
#include "core/bpfd/rpc/stream.h"
#include "core/bpfd/rpc/stream_private.h"
#include "core/messages/bpf_abi.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORD_ALIGN 8 /* of both kinds of rings */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* True if another record of that size fits into the credit, and into the piece of `ready` bytes. */
static bool fits(const struct stream *stream, uint64_t size)
{
	if (stream->ready + size > stream->credit - stream->position)
		return false;
	return !stream->ready || stream->ready + size <= RPC_PART_MAX;
}

/* Returns the state after a look. `more`: there is data after the `ready` bytes. */
static enum stream_state found(const struct stream *stream, bool more)
{
	if (stream->ready)
		return STREAM_READY;
	return more ? STREAM_BLOCKED : STREAM_EMPTY;
}

static int perf_open(struct stream *stream)
{
	void *memory;

	memory = mmap(NULL, page_size() + stream->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		stream->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	stream->first = memory;
	stream->data = (const char *)memory + page_size();
	return 0;
}

static void perf_close(struct stream *stream)
{
	munmap(stream->first, page_size() + stream->size);
}

/* The ordering is explained in core/bpfd/bpf/ring.c. */
static uint64_t perf_head(const struct stream *stream)
{
	const struct perf_event_mmap_page *page = stream->first;

	return __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
}

static uint64_t perf_tail(const struct stream *stream)
{
	const struct perf_event_mmap_page *page = stream->first;

	return page->data_tail;
}

static void perf_pass(const struct stream *stream, uint64_t tail)
{
	struct perf_event_mmap_page *page = stream->first;

	__atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
}

static enum stream_state perf_look(struct stream *stream)
{
	uint64_t head = perf_head(stream), tail = perf_tail(stream), at = tail;

	stream->ready = stream->records = 0;
	if (head - tail > stream->size) { /* never seen; the bytes would not be records */
		perf_pass(stream, head);
		return STREAM_EMPTY;
	}
	while (at < head) {
		const struct perf_event_header *header =
			(const void *)(stream->data + (at & (stream->size - 1)));
		uint64_t size = header->size;

		if (size < sizeof(*header) || size % RECORD_ALIGN || size > head - at) {
			if (at == tail) /* never seen either */
				perf_pass(stream, head);
			break;
		}
		if (!fits(stream, size))
			break;
		stream->ready += size;
		stream->records++;
		at += size;
	}
	return found(stream, perf_tail(stream) != head);
}

static size_t perf_read(struct stream *stream, struct bytes_out *out)
{
	uint64_t tail = perf_tail(stream), from = tail & (stream->size - 1);
	size_t size = (size_t)stream->ready, straight = (size_t)(stream->size - from);
	char *to = bytes_put_room(out, size);

	if (!to)
		return 0;
	if (straight > size)
		straight = size;
	memcpy(to, stream->data + from, straight);
	memcpy(to + straight, stream->data, size - straight);
	perf_pass(stream, tail + size);
	return size;
}

const struct stream_kind stream_perf = {perf_open, perf_close, perf_look, perf_read};

/* The kernel maps the data area twice, back to back, so that no record wraps. */
static int ringbuf_open(struct stream *stream)
{
	size_t page = page_size(), size = page + 2 * (size_t)stream->size;

	stream->first = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, stream->fd, 0);
	if (stream->first == MAP_FAILED)
		return -errno;
	stream->second = mmap(NULL, size, PROT_READ, MAP_SHARED, stream->fd, (off_t)page);
	if (stream->second == MAP_FAILED) {
		int err = -errno;

		munmap(stream->first, page);
		return err;
	}
	stream->data = (const char *)stream->second + page;
	return 0;
}

static void ringbuf_close(struct stream *stream)
{
	munmap(stream->first, page_size());
	munmap(stream->second, page_size() + 2 * (size_t)stream->size);
}

/* Positions are longs of the kernel and wrap, on a 32-bit board at 4 GiB. */
static unsigned long ringbuf_consumed(const struct stream *stream)
{
	return *(const volatile unsigned long *)stream->first;
}

static unsigned long ringbuf_produced(const struct stream *stream)
{
	return __atomic_load_n((const unsigned long *)stream->second, __ATOMIC_ACQUIRE);
}

static enum stream_state ringbuf_look(struct stream *stream)
{
	unsigned long at = ringbuf_consumed(stream), end = ringbuf_produced(stream);
	bool busy = false;

	stream->ready = stream->records = 0;
	if (end - at > stream->size) /* never seen */
		return STREAM_BLOCKED;
	while (at != end) {
		const char *record = stream->data + (at & (unsigned long)(stream->size - 1));
		uint32_t length = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		uint64_t size;

		busy = length & BPF_RINGBUF_BUSY_BIT;
		length &= ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		size = (uint64_t)length + BPF_RINGBUF_HDR_SZ;
		size = (size + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
		if (busy || size > end - at || !fits(stream, size))
			break;
		stream->ready += size;
		stream->records++;
		at += (unsigned long)size;
	}
	return busy && !stream->ready ? STREAM_BUSY : found(stream, at != end);
}

static size_t ringbuf_read(struct stream *stream, struct bytes_out *out)
{
	unsigned long at = ringbuf_consumed(stream);
	char *to = bytes_put_room(out, (size_t)stream->ready);

	if (!to)
		return 0;
	memcpy(to, stream->data + (at & (unsigned long)(stream->size - 1)), (size_t)stream->ready);
	__atomic_store_n((unsigned long *)stream->first, at + (unsigned long)stream->ready,
		__ATOMIC_RELEASE);
	return (size_t)stream->ready;
}

const struct stream_kind stream_ringbuf = {ringbuf_open, ringbuf_close, ringbuf_look, ringbuf_read};

/* A file does not report how much it holds, so file_piece() asks for all that the credit allows. */
static enum stream_state file_look(struct stream *stream)
{
	stream->ready = stream->credit - stream->position;
	if (stream->ready > RPC_PART_MAX)
		stream->ready = RPC_PART_MAX;
	return stream->ready ? STREAM_READY : STREAM_BLOCKED;
}

static size_t file_piece(struct stream *stream, struct bytes_out *out)
{
	char *to = bytes_put_room(out, (size_t)stream->ready);
	ssize_t n;

	if (!to)
		return 0;
	n = read(stream->fd, to, (size_t)stream->ready);
	/* trace_pipe stays readable at its end, so poll(2) must not watch it. */
	stream->state = n == 0 || (n < 0 && errno != EAGAIN) ? STREAM_IDLE : STREAM_EMPTY;
	if (n <= 0)
		return 0;
	out->size -= (size_t)stream->ready - (size_t)n;
	return (size_t)n;
}

const struct stream_kind stream_file = {NULL, NULL, file_look, file_piece};

/* Each read(2) of /dev/kmsg takes one record, and needs room for the longest one. */
static enum stream_state log_look(struct stream *stream)
{
	if (file_look(stream) == STREAM_READY && stream->ready >= RPC_LOG_RECORD_MAX)
		return STREAM_READY;
	return STREAM_BLOCKED;
}

static size_t log_piece(struct stream *stream, struct bytes_out *out)
{
	size_t room = (size_t)stream->ready, have = 0;
	char *to = bytes_put_room(out, room);
	ssize_t n = 1;

	if (!to)
		return 0;
	while (room - have >= RPC_LOG_RECORD_MAX) {
		n = read(stream->fd, to + have, room - have);
		if (n < 0 && errno == EPIPE) /* records were overwritten: the next ones follow */
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	stream->state = n == 0 || (n < 0 && errno != EAGAIN) ? STREAM_IDLE : STREAM_EMPTY;
	out->size -= room - have;
	return have;
}

const struct stream_kind stream_log = {NULL, NULL, log_look, log_piece};

int rpc_ring_open(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in);
	uint64_t bytes = bytes_get_u64(in), credit = bytes_get_u64(in);
	const struct handle *handle = handle_any(rpc->bpfd->handles, number);
	const struct map *map;
	int err = -EINVAL;

	if (!bytes_get_end(in))
		return -EBADMSG;
	if (!handle)
		return -EBADF;
	if (handle->class == &ring_class) /* the text commands read it */
		return -EBUSY;
	if (handle_abi_classes(handle) == BPF_ABI_EVENT) {
		err = stream_open_perf(rpc->streams, number, handle->fd, bytes, credit);
	} else if (handle->class == &map_class) {
		map = handle->object;
		if (map_type(map) == BPF_MAP_TYPE_RINGBUF && bytes == map_max_entries(map))
			err = stream_open_ringbuf(rpc->streams, number, handle->fd, bytes, credit);
	}
	if (!err)
		bytes_put_u32(&rpc->out, 0);
	return err;
}

int rpc_ring_credit(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in);
	uint64_t position = bytes_get_u64(in);

	if (!bytes_get_end(in))
		return -EBADMSG;
	stream_credit(rpc->streams, number, position);
	return 0;
}

int rpc_ring_sync(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in);
	struct bytes_out reply = rpc->out;
	int err;

	if (!bytes_get_end(in))
		return -EBADMSG;
	rpc->out = (struct bytes_out){.data = NULL};
	err = stream_drain(rpc, number);
	bytes_out_free(&rpc->out);
	rpc->out = reply;
	if (!err)
		bytes_put_u32(&rpc->out, 0);
	return err;
}

/* Moves the kernel's log to where a client wants to begin. Other files begin at their start. */
static int log_start(int fd, const char *path, uint32_t start)
{
	static const int whence[] = {[RPC_LOG_FIRST] = SEEK_SET,
		[RPC_LOG_CLEARED] = SEEK_DATA,
		[RPC_LOG_END] = SEEK_END};

	if (!tree_is_log(path))
		return start ? -EINVAL : 0;
	if (start >= sizeof(whence) / sizeof(whence[0]))
		return -EINVAL;
	return lseek(fd, 0, whence[start]) < 0 ? -errno : 0;
}

int rpc_file_follow(struct rpc *rpc, struct bytes_in *in)
{
	struct bpfd *bpfd = rpc->bpfd;
	struct fd_object *object;
	char path[PATH_MAX];
	int err, fd, number;
	uint32_t start;
	uint64_t credit;

	rpc_get_string(in, path, sizeof(path));
	credit = bytes_get_u64(in);
	start = in->size ? bytes_get_u32(in) : 0; /* hosts of minor version 0 do not send it */
	if (!bytes_get_end(in))
		return -EBADMSG;
	fd = tree_open_follow(&bpfd->config.paths, path);
	if (fd < 0)
		return fd;
	err = log_start(fd, path, start);
	if (!err)
		err = fd_object_reserve(&object, 0, &bpfd->memory);
	if (err) {
		close(fd);
		return err;
	}
	fd_object_adopt(object, fd);
	number = handle_add(bpfd->handles, &follow_class, object, fd);
	if (number < 0) {
		fd_object_free(object);
		return number;
	}
	err = tree_is_log(path) ? stream_open_log(rpc->streams, (uint32_t)number, fd, credit)
				: stream_open_file(rpc->streams, (uint32_t)number, fd, credit);
	if (err) {
		handle_close(bpfd->handles, number, &follow_class);
		return err;
	}
	bytes_put_u32(&rpc->out, (uint32_t)number);
	return 0;
}
