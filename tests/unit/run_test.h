/* SPDX-License-Identifier: Apache-2.0 */
/* A fake board for the tests of bpfd-run.
 *
 * A thread answers requests with replies that the test has prepared, and records the requests. The
 * test itself plays the tool. Include after cmocka.h. */
#ifndef TESTS_UNIT_RUN_TEST_H
#define TESTS_UNIT_RUN_TEST_H

#include "host-usb/run/client.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"
#include "host-usb/run/supervisor.h"

#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Without a listener this flag says that the tool's thread was killed. The function, if there is
 * one, is called when bpfd-run looks, before that. */
static bool tool_is_gone;
static void (*on_look_at_tool)(void);

int seccomp_notify_id_valid(int fd, uint64_t id)
{
	bool gone;

	if (fd < 0 && on_look_at_tool)
		on_look_at_tool();
	gone = fd < 0 ? tool_is_gone : ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0;

	return gone ? -ENOENT : 0;
}

#define BOARD_ANSWERS  64
#define BOARD_REQUESTS 256

/* A recorded request. */
struct board_request {
	struct rpc_header header;
	uint8_t *payload;
};

struct board {
	struct run run;
	int end; /* the board's end of the socket */
	pthread_t thread;
	pthread_mutex_t lock;
	struct bytes_out answers[BOARD_ANSWERS]; /* the messages that answer one request */
	size_t last[BOARD_ANSWERS];		 /* offset of the last message of an answer */
	unsigned int prepared, given, missing;	 /* numbers of answers */
	struct board_request requests[BOARD_REQUESTS];
	unsigned int count, checked; /* of the requests */
	void (*before)(void *arg);   /* called before each answer is sent, or NULL */
	void *arg;
};

static inline bool board_read(int fd, void *to, size_t size)
{
	char *at = to;

	while (size) {
		ssize_t n = read(fd, at, size);

		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

/* Sends the messages of an answer. Replies get the tag of the request. */
static inline void board_answer(struct board *board, struct bytes_out *out, uint32_t tag)
{
	struct rpc_header header;
	size_t at = 0;

	while (at < out->size) {
		rpc_header_get(out->data + at, &header);
		if (header.flags & RPC_FLAG_REPLY) {
			header.tag += tag;
			rpc_header_put(out->data + at, &header);
		}
		at += RPC_HEADER_SIZE + header.length;
	}
	for (at = 0; at < out->size;) {
		ssize_t n = send(board->end, out->data + at, out->size - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static inline void *board_main(void *arg)
{
	struct board *board = arg;
	uint8_t head[RPC_HEADER_SIZE];

	while (board_read(board->end, head, sizeof(head))) {
		struct board_request request;
		struct bytes_out *out = NULL;

		rpc_header_get(head, &request.header);
		request.payload = malloc(request.header.length + 1);
		if (!board_read(board->end, request.payload, request.header.length)) {
			free(request.payload);
			break;
		}
		pthread_mutex_lock(&board->lock);
		if (request.header.op != RPC_CLOSE && request.header.op != RPC_RING_CREDIT) {
			if (board->given < board->prepared)
				out = &board->answers[board->given++];
			else
				board->missing++;
		}
		if (board->count < BOARD_REQUESTS)
			board->requests[board->count++] = request;
		else
			free(request.payload);
		pthread_mutex_unlock(&board->lock);
		if (out && board->before)
			board->before(board->arg);
		if (out)
			board_answer(board, out, request.header.tag);
		else if (request.header.op != RPC_CLOSE && request.header.op != RPC_RING_CREDIT)
			break; /* board_stop() fails the test; the client reads an end of file */
	}
	shutdown(board->end, SHUT_RDWR);
	return NULL;
}

/* Starts the board with a client and objects. If events is NULL, the client has the supervisor's
 * events. */
static inline struct board *board_start(const struct client_events *events)
{
	struct board *board = calloc(1, sizeof(*board));
	struct client_events own;
	int sockets[2];

	assert_non_null(board);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	board->end = sockets[1];
	board->run.listener = -1;
	board->run.signal_fd = -1;
	board->run.fd_base = 960;
	own = supervisor_events(&board->run);
	assert_int_equal(client_new(&board->run.client, sockets[0], sockets[0],
				 events ? events : &own, NULL),
		0);
	assert_int_equal(objects_new(&board->run.objects, &board->run), 0);
	pthread_mutex_init(&board->lock, NULL);
	assert_int_equal(pthread_create(&board->thread, NULL, board_main, board), 0);
	return board;
}

/* Adds the parts of bpfd-run that open the board's files. */
static inline void board_files(struct board *board)
{
	struct run *run = &board->run;

	assert_int_equal(remote_new(&run->remote, run->client), 0);
	assert_int_equal(cache_new(&run->cache, run->remote, &run->board), 0);
	assert_int_equal(opener_new(&run->opener, run), 0);
}

/* Ends the board. Each prepared answer must have been used, and each request must have had one. */
static inline void board_stop(struct board *board)
{
	int fd = client_fd(board->run.client);

	objects_free(board->run.objects);
	opener_free(board->run.opener);
	cache_free(board->run.cache);
	remote_free(board->run.remote);
	client_free(board->run.client);
	shutdown(fd, SHUT_RDWR);
	pthread_join(board->thread, NULL);
	close(fd);
	close(board->end);
	assert_int_equal(board->missing, 0);
	assert_int_equal(board->given, board->prepared);
	for (unsigned int i = 0; i < board->count; i++)
		free(board->requests[i].payload);
	for (unsigned int i = 0; i < board->prepared; i++)
		bytes_out_free(&board->answers[i]);
	pthread_mutex_destroy(&board->lock);
	free(board);
}

/* Begins the reply to the next request. The caller appends the fields after `ret` to the result and
 * then calls board_ready(). */
static inline struct bytes_out *board_reply(struct board *board, enum rpc_op op, int32_t ret)
{
	struct bytes_out *out = &board->answers[board->prepared];

	assert_true(board->prepared < BOARD_ANSWERS);
	board->last[board->prepared] = rpc_begin(out, op, RPC_FLAG_REPLY, 0);
	bytes_put_u32(out, (uint32_t)ret);
	return out;
}

/* Ends this message of the reply with the flag MORE and begins the next one. */
static inline struct bytes_out *board_part(struct board *board, int32_t ret)
{
	struct bytes_out *out = &board->answers[board->prepared];
	size_t *last = &board->last[board->prepared];
	struct rpc_header header;

	rpc_end(out, *last);
	rpc_header_get(out->data + *last, &header);
	header.flags |= RPC_FLAG_MORE;
	rpc_header_put(out->data + *last, &header);
	*last = rpc_begin(out, header.op, RPC_FLAG_REPLY, 0);
	bytes_put_u32(out, (uint32_t)ret);
	return out;
}

/* Prepares ring data that is sent before the next reply. To be called before board_reply(). */
static inline void board_push(
	struct board *board, uint32_t handle, uint64_t position, const void *data, size_t size)
{
	struct bytes_out *out = &board->answers[board->prepared];
	size_t start = rpc_begin(out, RPC_RING_DATA, 0, 0);

	bytes_put_u32(out, handle);
	bytes_put_u64(out, position);
	memcpy(bytes_put_room(out, size), data, size);
	rpc_end(out, start);
}

static inline void board_ready(struct board *board)
{
	struct bytes_out *out = &board->answers[board->prepared];

	rpc_end(out, board->last[board->prepared]);
	assert_false(out->failed);
	pthread_mutex_lock(&board->lock);
	board->prepared++;
	pthread_mutex_unlock(&board->lock);
}

/* Prepares a reply that has no fields after `ret`. */
static inline void board_reply_ret(struct board *board, enum rpc_op op, int32_t ret)
{
	board_reply(board, op, ret);
	board_ready(board);
}

/* Waits for the next unchecked request, at most 10 s. Returns its payload and sets *op. */
static inline struct bytes_in board_asked_any(struct board *board, enum rpc_op *op)
{
	const struct timespec step = {.tv_nsec = 1000000};
	struct board_request request = {.payload = NULL};

	for (int i = 0; i < 10000 && !request.payload; i++) {
		pthread_mutex_lock(&board->lock);
		if (board->checked < board->count)
			request = board->requests[board->checked++];
		pthread_mutex_unlock(&board->lock);
		if (!request.payload)
			nanosleep(&step, NULL);
	}
	assert_non_null(request.payload);
	assert_int_equal(request.header.flags, 0);
	*op = request.header.op;
	return (struct bytes_in){request.payload, request.header.length, false};
}

/* The same, and checks the operation. */
static inline struct bytes_in board_asked(struct board *board, enum rpc_op wanted)
{
	enum rpc_op op;
	struct bytes_in in = board_asked_any(board, &op);

	assert_int_equal(op, wanted);
	return in;
}

/* Returns the number of unchecked requests. Requests without a reply may still be in the socket. */
static inline unsigned int board_unseen(struct board *board)
{
	unsigned int n;

	pthread_mutex_lock(&board->lock);
	n = board->count - board->checked;
	pthread_mutex_unlock(&board->lock);
	return n;
}

static inline void assert_closed(struct board *board, uint32_t handle)
{
	struct bytes_in in = board_asked(board, RPC_CLOSE);

	assert_int_equal(bytes_get_u32(&in), handle);
	assert_true(bytes_get_end(&in));
}

/* A system call of the tool, which is this process. */
static inline struct call board_call(struct board *board, int number, const uint64_t *args)
{
	return (struct call){.run = &board->run, .tid = getpid(), .number = number, .args = args};
}

/* Makes an object. In these tests object->fd serves as the tool's descriptor. */
static inline struct object *board_object(struct board *board, unsigned int class, uint32_t handle)
{
	struct object *object;

	assert_int_equal(object_new(&object, board->run.objects, class, handle), 0);
	return object;
}

static inline uint64_t user(const void *memory)
{
	return (uint64_t)(uintptr_t)memory;
}

#endif
