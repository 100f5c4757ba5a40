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
	STREAM_EMPTY,	/* nothing is there */
	STREAM_READY,	/* something is there and may be sent */
	STREAM_BLOCKED, /* something is there that the credit does not allow */
	STREAM_BUSY,	/* something will be there in a moment */
	STREAM_IDLE	/* nothing is there, and poll(2) does not tell */
};

struct stream_kind {
	/* Maps the ring of stream->size bytes. Returns 0 or an errno. NULL: nothing to be done. */
	int (*open)(struct stream *stream);
	void (*close)(struct stream *stream);
	enum stream_state (*look)(struct stream *stream);
	/* Appends a piece, within the credit, of about RPC_PART_MAX bytes, and passes it. Returns
	 * its size; 0: there was none. */
	size_t (*read)(struct stream *stream, struct bytes_out *out);
};

struct stream {
	struct stream *next;
	const struct stream_kind *kind;
	uint32_t handle;
	int fd;
	uint64_t bytes;		   /* taken from the budget */
	uint64_t position, credit; /* bytes sent, and allowed, since the stream was opened */
	enum stream_state state;   /* when it was last looked at */
	bool hung;		   /* poll(2) tells nothing any more */

	/* Of rings. */
	uint64_t size;	      /* of the data */
	void *first, *second; /* what is mapped */
	const char *data;
	uint64_t ready;	      /* bytes that look() has found and read() will take, */
	unsigned int records; /* and how many records they are */
};

extern const struct stream_kind stream_perf, stream_ringbuf, stream_file;

#endif
