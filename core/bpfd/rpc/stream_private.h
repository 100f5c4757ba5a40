/* SPDX-License-Identifier: Apache-2.0 */
/* The stream object, for the files that implement its kinds. */
#ifndef CORE_BPFD_RPC_STREAM_PRIVATE_H
#define CORE_BPFD_RPC_STREAM_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_out;
struct stream;

enum stream_state {
	STREAM_EMPTY,	/* no data */
	STREAM_READY,	/* data, and credit to send it */
	STREAM_BLOCKED, /* data, but no credit for it */
	STREAM_BUSY,	/* a record is being written and will be complete soon */
	STREAM_IDLE	/* no data, and poll(2) does not report new data */
};

struct stream_kind {
	/* Maps the ring of stream->size bytes. Returns 0 or a negative errno. May be NULL. */
	int (*open)(struct stream *stream);
	void (*close)(struct stream *stream); /* unmaps it; may be NULL */
	/* Looks for data. Sets stream->ready and stream->records. */
	enum stream_state (*look)(struct stream *stream);
	/* Appends the `ready` bytes and removes them from the source. Returns their number; 0: no
	 * data. */
	size_t (*read)(struct stream *stream, struct bytes_out *out);
};

struct stream {
	struct stream *next;
	const struct stream_kind *kind;
	uint32_t handle;
	int fd;
	uint64_t bytes;		   /* taken from the budget */
	uint64_t position, credit; /* bytes sent, and allowed, since the stream was opened */
	enum stream_state state;   /* at the last look */
	bool is_hung;		   /* poll(2) can no longer report data */

	/* For rings; files use only `ready`. */
	uint64_t size;	      /* bytes of the data area, a power of 2 */
	void *first, *second; /* mappings */
	const char *data;     /* the data area */
	uint64_t ready;	      /* bytes that look() has found and read() will take */
	unsigned int records; /* records in them */
};

extern const struct stream_kind stream_perf, stream_ringbuf, stream_file, stream_log;

#endif
