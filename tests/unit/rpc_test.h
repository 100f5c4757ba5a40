/* SPDX-License-Identifier: Apache-2.0 */
/* A session of the binary protocol over files in memory. Include after cmocka.h.
 *
 * A test writes all requests, runs the session, and then reads the replies in order. */
#ifndef TESTS_UNIT_RPC_TEST_H
#define TESTS_UNIT_RPC_TEST_H

#include "core/bpfd/serve.h"
#include "core/bpfd/session.h"
#include "core/messages/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RPC_COMMAND "BPFD_RPC 1\n"
#define RPC_HEAD    "STARTED_BPFD\nSTART_BPFD_OUTPUT\nbpfd_rpc: ret=0\nEND_BPFD_OUTPUT\n"

struct rpc_session {
	struct bpfd_config config;
	struct bytes_out input; /* the command BPFD_RPC, then the requests */
	uint32_t requests;	/* their number; tags count from 1 */
	uint8_t *output;
	struct bytes_in replies; /* the part of the output that is not read yet */
	struct bytes_in in;	 /* the payload of the last reply, after ret */
};

static inline void session_begin(struct rpc_session *s)
{
	memset(s, 0, sizeof(*s));
	bpfd_config_init(&s->config);
	s->config.paths.proc = s->config.paths.sysfs = s->config.paths.tracefs = "/nonexistent";
	memcpy(bytes_put_room(&s->input, strlen(RPC_COMMAND)), RPC_COMMAND, strlen(RPC_COMMAND));
}

/* Begins a request. Returns its offset, for request_end(). */
static inline size_t request(struct rpc_session *s, unsigned int op)
{
	return rpc_begin(&s->input, op, 0, ++s->requests);
}

static inline void request_end(struct rpc_session *s, size_t start)
{
	rpc_end(&s->input, start);
}

static inline int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Runs the session, which must return `wanted`. */
static inline void session_run(struct rpc_session *s, int wanted)
{
	int in = memory_file(s->input.data, s->input.size), out = memory_file("", 0);
	struct bpfd *bpfd;
	struct stat st;

	assert_int_equal(bpfd_open(&bpfd, &s->config, in, out), 0);
	assert_int_equal(bpfd_serve(bpfd), wanted);
	bpfd_close(bpfd);
	assert_int_equal(fstat(out, &st), 0);
	s->output = malloc((size_t)st.st_size + 1);
	assert_int_equal(pread(out, s->output, (size_t)st.st_size, 0), st.st_size);
	assert_true((size_t)st.st_size >= strlen(RPC_HEAD));
	assert_memory_equal(s->output, RPC_HEAD, strlen(RPC_HEAD));
	s->replies.data = s->output + strlen(RPC_HEAD);
	s->replies.size = (size_t)st.st_size - strlen(RPC_HEAD);
	close(in);
	close(out);
}

/* Reads the next message: its header, and its payload into s->in. Returns false at the end. */
static inline bool next_message(struct rpc_session *s, struct rpc_header *header)
{
	if (!s->replies.size)
		return false;
	assert_true(s->replies.size >= RPC_HEADER_SIZE);
	rpc_header_get(s->replies.data, header);
	assert_true(s->replies.size - RPC_HEADER_SIZE >= header->length);
	s->in = (struct bytes_in){s->replies.data + RPC_HEADER_SIZE, header->length, false};
	s->replies.data += RPC_HEADER_SIZE + header->length;
	s->replies.size -= RPC_HEADER_SIZE + header->length;
	return true;
}

/* Reads the next reply up to its last part. Returns ret of that part. */
static inline int next_reply(struct rpc_session *s)
{
	struct rpc_header header;
	int ret;

	do {
		assert_true(next_message(s, &header));
		assert_true(header.flags & RPC_FLAG_REPLY);
		ret = (int)bytes_get_u32(&s->in);
		assert_false(s->in.failed);
	} while (header.flags & RPC_FLAG_MORE);
	return ret;
}

static inline void session_end(struct rpc_session *s)
{
	bytes_out_free(&s->input);
	free(s->output);
}

#endif
