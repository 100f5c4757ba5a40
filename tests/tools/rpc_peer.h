/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the binary protocol, for tests: one request at a time.
 *
 * A failure of the session itself ends the program. */
#ifndef TESTS_TOOLS_RPC_PEER_H
#define TESTS_TOOLS_RPC_PEER_H

#include "core/messages/rpc.h"
#include "tests/tools/pipes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER_RINGS 64 /* handles from 0 that can have a ring */

struct peer {
	pid_t child;
	int to, from;
	uint32_t tag;
	struct bytes_out request;
	uint8_t *reply; /* the payload of the last message */
	size_t reply_size;
	struct bytes_in in; /* the payload of the last reply, after ret */
	struct bytes_out rings[PEER_RINGS];
	uint64_t positions[PEER_RINGS];
};

static inline void peer_die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void peer_write(struct peer *peer, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = write(peer->to, at, size);

		if (n <= 0)
			peer_die("write to the session");
		at += n;
		size -= (size_t)n;
	}
}

static inline void peer_read(struct peer *peer, void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t n = read(peer->from, at, size);

		if (n <= 0)
			peer_die("read from the session");
		at += n;
		size -= (size_t)n;
	}
}

static inline void peer_start(struct peer *peer, char **command)
{
	static const char hello[] = "STARTED_BPFD\nSTART_BPFD_OUTPUT\nbpfd_rpc: ret=0\n"
				    "END_BPFD_OUTPUT\n";
	char head[sizeof(hello)] = "";

	memset(peer, 0, sizeof(*peer));
	peer->child = pipes_start(command, &peer->to, &peer->from);
	peer_write(peer, "BPFD_RPC 1\n", 11);
	peer_read(peer, head, sizeof(hello) - 1);
	if (memcmp(head, hello, sizeof(hello) - 1) != 0)
		peer_die(head);
}

/* Ends the input, reads the rest of the output, and returns the exit status of the session. */
static inline int peer_end(struct peer *peer)
{
	char rest[4096];
	int status;

	close(peer->to);
	while (read(peer->from, rest, sizeof(rest)) > 0)
		;
	close(peer->from);
	if (waitpid(peer->child, &status, 0) < 0)
		peer_die("wait");
	for (unsigned int i = 0; i < PEER_RINGS; i++)
		bytes_out_free(&peer->rings[i]);
	bytes_out_free(&peer->request);
	free(peer->reply);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Stores ring data, and checks that its position is the next. */
static inline void peer_keep(struct peer *peer)
{
	struct bytes_in in = {peer->reply, peer->reply_size, false};
	uint32_t handle = bytes_get_u32(&in);
	uint64_t position = bytes_get_u64(&in);
	void *to;

	if (in.failed || handle >= PEER_RINGS || position != peer->positions[handle] || !in.size) {
		printf("ring %u: %zu bytes at %llu, not at %llu\n", handle, in.size,
			(unsigned long long)position, (unsigned long long)peer->positions[handle]);
		exit(1);
	}
	peer->positions[handle] += in.size;
	to = bytes_put_room(&peer->rings[handle], in.size);
	memcpy(to, in.data, in.size);
}

/* Reads one message. */
static inline void peer_receive(struct peer *peer, struct rpc_header *header)
{
	uint8_t bytes[RPC_HEADER_SIZE];

	peer_read(peer, bytes, sizeof(bytes));
	rpc_header_get(bytes, header);
	peer->reply = realloc(peer->reply, header->length + 1);
	peer->reply_size = header->length;
	peer_read(peer, peer->reply, header->length);
	if (header->op == RPC_RING_DATA)
		peer_keep(peer);
}

/* Begins a request. The caller writes the payload to the result and calls peer_send() or
 * peer_call(). */
static inline struct bytes_out *peer_begin(struct peer *peer, unsigned int op)
{
	peer->request.size = 0;
	rpc_begin(&peer->request, op, 0, ++peer->tag);
	return &peer->request;
}

static inline void peer_send(struct peer *peer)
{
	rpc_end(&peer->request, 0);
	peer_write(peer, peer->request.data, peer->request.size);
}

/* Waits for the next part of the reply. Returns ret. *more: another part follows. */
static inline int peer_part(struct peer *peer, bool *more)
{
	struct rpc_header header;

	do
		peer_receive(peer, &header);
	while (header.op == RPC_RING_DATA);
	if (header.tag != peer->tag || !(header.flags & RPC_FLAG_REPLY)) {
		printf("message: op %u, tag %u, flags %u\n", header.op, header.tag, header.flags);
		exit(1);
	}
	*more = header.flags & RPC_FLAG_MORE;
	peer->in = (struct bytes_in){peer->reply, peer->reply_size, false};
	return (int)bytes_get_u32(&peer->in);
}

/* Sends the request and waits for its reply, which must have one part. */
static inline int peer_call(struct peer *peer)
{
	bool more;
	int ret;

	peer_send(peer);
	ret = peer_part(peer, &more);
	if (more) {
		printf("op: more than one part\n");
		exit(1);
	}
	return ret;
}

/* Sends HELLO and waits for its reply, by which all earlier requests are answered. */
static inline int peer_hello(struct peer *peer, struct rpc_hello *hello)
{
	struct bytes_out *out = peer_begin(peer, RPC_HELLO);
	int ret;

	bytes_put_u16(out, RPC_MAJOR);
	bytes_put_u16(out, RPC_MINOR);
	ret = peer_call(peer);
	rpc_get_hello(&peer->in, hello);
	return bytes_get_end(&peer->in) ? ret : -EBADMSG;
}

#endif
