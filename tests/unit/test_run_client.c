/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the binary protocol, with correct boards and with broken ones. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/run_test.h"

#define HANDLE 7

/* The data that has arrived for a ring. */
struct ring {
	uint64_t position; /* after the last data */
	unsigned int pieces;
	bool wrong;
	unsigned int aborts; /* on_abort() aborts when called for the n-th time; 0: at once */
};

static void on_data(void *arg, uint32_t handle, uint64_t position, const void *data, size_t size)
{
	struct ring *ring = arg;
	const uint8_t *d = data;

	if (handle != HANDLE || position != ring->position)
		ring->wrong = true;
	for (size_t i = 0; i < size; i++)
		if (d[i] != (uint8_t)((position + i) % 251))
			ring->wrong = true;
	ring->position = position + size;
	ring->pieces++;
}

static bool on_abort(void *arg, uint64_t silent_ms, uint64_t start_ms)
{
	struct ring *ring = arg;

	return ring->aborts == 0 || --ring->aborts == 0;
}

static struct client_events events_of(struct ring *ring)
{
	return (struct client_events){.data = on_data, .abort = on_abort, .arg = ring};
}

static void fill_data(uint8_t *data, uint64_t position, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)((position + i) % 251);
}

static void test_replies(void **state)
{
	struct ring ring = {.aborts = 100};
	struct client_events events = events_of(&ring);
	struct board *board = board_start(&events);
	struct client *client = board->run.client;
	uint8_t data[300];
	char text[16];
	struct bytes_in in;

	rpc_put_string(board_reply(board, RPC_FILE_LINK, 12), "target");
	board_ready(board);
	fill_data(data, 0, sizeof(data));
	board_push(board, HANDLE, 0, data, 100);
	board_push(board, HANDLE, 100, data + 100, 200);
	board_reply_ret(board, RPC_FILE_ACCESS, -EACCES);

	rpc_put_string(client_begin(client, RPC_FILE_LINK), "/proc/1/exe");
	assert_int_equal(client_call(client, &in), 12);
	assert_true(rpc_get_string(&in, text, sizeof(text)));
	assert_string_equal(text, "target");
	assert_true(bytes_get_end(&in));
	assert_false(client_more(client));

	client_close_handle(client, 33);
	rpc_put_string(client_begin(client, RPC_FILE_ACCESS), "/x");
	assert_int_equal(client_call(client, &in), -EACCES);
	assert_true(bytes_get_end(&in));
	assert_int_equal(ring.pieces, 2);
	assert_int_equal(ring.position, 300);
	assert_false(ring.wrong);

	in = board_asked(board, RPC_FILE_LINK);
	assert_true(rpc_get_string(&in, text, sizeof(text)));
	assert_true(bytes_get_end(&in));
	assert_closed(board, 33);
	board_asked(board, RPC_FILE_ACCESS);
	assert_false(client_dead(client));
	board_stop(board);
}

static void test_parts(void **state)
{
	struct ring ring = {.aborts = 100};
	struct client_events events = events_of(&ring);
	struct board *board = board_start(&events);
	struct client *client = board->run.client;
	uint8_t data[64];
	struct bytes_in in;
	size_t size;

	/* A large part, so that the buffer grows, and ring data between the parts. */
	rpc_put_bytes(board_reply(board, RPC_FILE_READ, 0), NULL, 1 << 20);
	rpc_put_bytes(board_part(board, 0), "abc", 3);
	rpc_put_bytes(board_part(board, -EIO), "", 0);
	board_ready(board);
	fill_data(data, 0, sizeof(data));
	board_push(board, HANDLE, 0, data, sizeof(data));
	board_reply_ret(board, RPC_FILE_ACCESS, 0);

	client_begin(client, RPC_FILE_READ);
	assert_int_equal(client_call(client, &in), 0);
	assert_non_null(rpc_get_bytes(&in, &size));
	assert_int_equal(size, 1 << 20);
	assert_true(client_more(client));
	assert_int_equal(client_next(client, &in), 0);
	assert_memory_equal(rpc_get_bytes(&in, &size), "abc", 3);
	assert_true(client_more(client));
	assert_int_equal(client_next(client, &in), -EIO);
	assert_false(client_more(client));
	client_begin(client, RPC_FILE_ACCESS);
	assert_int_equal(client_call(client, &in), 0);
	assert_int_equal(ring.position, sizeof(data));
	board_stop(board);
}

/* Of a request that was begun and cancelled, nothing is sent. */
static void test_cancelled_request(void **state)
{
	struct board *board = board_start(NULL);
	struct client *client = board->run.client;
	struct bytes_in in;

	rpc_put_bytes(client_begin(client, RPC_BPF), NULL, 100000);
	client_cancel(client);
	board_reply_ret(board, RPC_HELLO, 5);
	bytes_put_u32(client_begin(client, RPC_HELLO), 1);
	assert_int_equal(client_call(client, &in), 5);
	in = board_asked(board, RPC_HELLO);
	assert_int_equal(in.size, 4);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* A peer that sends fixed bytes at the start, and may then close its end. */
struct peer {
	struct client *client;
	struct ring ring;
	int end, own;
};

static void peer_start(struct peer *peer, const void *data, size_t size, bool ends)
{
	struct client_events events = events_of(&peer->ring);
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	peer->own = sockets[0];
	peer->end = sockets[1];
	assert_int_equal(send(peer->end, data, size, MSG_NOSIGNAL), size);
	if (ends)
		shutdown(peer->end, SHUT_WR);
	assert_int_equal(client_new(&peer->client, peer->own, peer->own, &events, NULL), 0);
}

static void peer_stop(struct peer *peer)
{
	client_free(peer->client);
	close(peer->own);
	close(peer->end);
}

/* Sends a request to a peer that answers with this message, and closes its end if `ends`. */
static int64_t ask(uint32_t length, uint32_t tag, uint16_t flags, size_t payload, bool ends)
{
	const struct rpc_header header = {length, tag, RPC_HELLO, flags};
	uint8_t message[RPC_HEADER_SIZE + 64] = {0};
	struct peer peer = {.ring = {.aborts = 3}};
	struct bytes_in in;
	int64_t ret;

	rpc_header_put(message, &header);
	peer_start(&peer, message, RPC_HEADER_SIZE + payload, ends);
	client_begin(peer.client, RPC_HELLO);
	ret = client_call(peer.client, &in);
	assert_int_equal(client_dead(peer.client), ret < 0);
	if (ret < 0) { /* later calls fail at once */
		client_begin(peer.client, RPC_HELLO);
		assert_int_equal(client_call(peer.client, &in), -EIO);
		assert_int_equal(client_receive(peer.client), -EIO);
		assert_false(client_more(peer.client));
	}
	peer_stop(&peer);
	return ret;
}

static void test_broken_replies(void **state)
{
	assert_int_equal(ask(4, 1, RPC_FLAG_REPLY, 4, false), 0);
	assert_int_equal(ask(4, 1, RPC_FLAG_REPLY, 4, true), 0);
	assert_int_equal(ask(4, 2, RPC_FLAG_REPLY, 4, false), -EIO); /* tag */
	assert_int_equal(ask(4, 0, RPC_FLAG_REPLY, 4, false), -EIO);
	assert_int_equal(ask(4, 1, 0, 4, false), -EIO);		     /* not a reply */
	assert_int_equal(ask(3, 1, RPC_FLAG_REPLY, 3, false), -EIO); /* no ret */
	assert_int_equal(ask(0, 1, RPC_FLAG_REPLY, 0, false), -EIO);
	/* Longer than any message: refused, or at least aborted. */
	assert_true(ask(RPC_MESSAGE_MAX + 1, 1, RPC_FLAG_REPLY, 4, false) < 0);
	assert_true(ask(UINT32_MAX, 1, RPC_FLAG_REPLY, 4, false) < 0);
	assert_true(ask(UINT32_MAX - 11, 1, RPC_FLAG_REPLY, 64, false) < 0);
	assert_int_equal(ask(60, 1, RPC_FLAG_REPLY, 59, true), -EIO); /* ends early */
	assert_int_equal(ask(4, 1, RPC_FLAG_REPLY, 0, true), -EIO);
	/* The reply never becomes complete, so the wait is aborted. */
	assert_int_equal(ask(60, 1, RPC_FLAG_REPLY, 59, false), -EINTR);
}

static void test_end_at_once(void **state)
{
	struct peer peer = {.ring = {.aborts = 3}};
	struct bytes_in in;

	peer_start(&peer, "", 0, true);
	client_begin(peer.client, RPC_HELLO);
	assert_int_equal(client_call(peer.client, &in), -EIO);
	assert_true(in.size == 0);
	peer_stop(&peer);

	/* Half a header. */
	peer_start(&peer, "\4\0\0\0\1\0\0", 7, true);
	client_begin(peer.client, RPC_HELLO);
	assert_int_equal(client_call(peer.client, &in), -EIO);
	peer_stop(&peer);
}

/* Without a request, ring data is accepted and a reply is an error. */
static void test_unrequested_messages(void **state)
{
	const struct rpc_header reply = {4, 1, RPC_HELLO, RPC_FLAG_REPLY};
	const struct rpc_header data = {13, 0, RPC_RING_DATA, 0};
	uint8_t message[64] = {0};
	struct peer peer = {.ring = {.aborts = 3}};

	rpc_header_put(message, &data);
	message[RPC_HEADER_SIZE] = HANDLE;
	peer_start(&peer, message, 20, false); /* the first 20 of 25 bytes */
	assert_int_equal(client_receive(peer.client), 0);
	assert_int_equal(peer.ring.pieces, 0);
	assert_int_equal(send(peer.end, message + 20, 5, 0), 5);
	assert_int_equal(client_receive(peer.client), 0);
	assert_int_equal(peer.ring.pieces, 1);
	assert_int_equal(peer.ring.position, 1);
	assert_false(peer.ring.wrong);
	assert_int_equal(client_receive(peer.client), 0); /* nothing to read */

	/* Too short to be ring data. */
	memset(message, 0, sizeof(message));
	rpc_header_put(message, &(struct rpc_header){11, 0, RPC_RING_DATA, 0});
	assert_int_equal(send(peer.end, message, 23, 0), 23);
	client_receive(peer.client);
	assert_int_equal(peer.ring.pieces, 1);

	rpc_header_put(message, &reply);
	assert_int_equal(send(peer.end, message, 16, 0), 16);
	assert_int_equal(client_receive(peer.client), -EIO);
	assert_true(client_dead(peer.client));
	peer_stop(&peer);
}

#define FLOOD_PIECE (32U << 10)
#define FLOOD_COUNT 256
#define REQUEST	    (8U << 20)

static bool write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

/* A peer that writes 8 MiB of ring data before it reads anything. Returns its exit status. */
static int flood(int end)
{
	static uint8_t message[RPC_HEADER_SIZE + 12 + FLOOD_PIECE], head[RPC_HEADER_SIZE];
	static char request[REQUEST + 4];
	struct rpc_header header;

	for (uint32_t i = 0; i < FLOOD_COUNT; i++) {
		struct bytes_out out = {.data = NULL};
		uint64_t position = (uint64_t)i * FLOOD_PIECE;
		size_t start = rpc_begin(&out, RPC_RING_DATA, 0, 0);

		bytes_put_u32(&out, HANDLE);
		bytes_put_u64(&out, position);
		fill_data(bytes_put_room(&out, FLOOD_PIECE), position, FLOOD_PIECE);
		rpc_end(&out, start);
		memcpy(message, out.data, out.size);
		bytes_out_free(&out);
		if (!write_all(end, message, sizeof(message)))
			return 1;
	}
	if (!board_read(end, head, sizeof(head)))
		return 2;
	rpc_header_get(head, &header);
	if (header.length != sizeof(request) || !board_read(end, request, sizeof(request)))
		return 3;
	for (size_t i = 4; i < sizeof(request); i++)
		if (request[i] != 'x')
			return 4;
	header = (struct rpc_header){4, header.tag, header.op, RPC_FLAG_REPLY};
	memset(message, 0, 16);
	rpc_header_put(message, &header);
	return write_all(end, message, 16) ? 0 : 5;
}

/* Both ends write more than the socket holds, and the board does not read first: no deadlock. */
static void test_both_write(void **state)
{
	struct ring ring = {.aborts = 600};
	struct client_events events = events_of(&ring);
	char *payload = malloc(REQUEST);
	struct client *client;
	struct bytes_in in;
	int to[2], status;
	pid_t child;

	memset(payload, 'x', REQUEST);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to), 0);
	child = fork();
	if (child == 0) {
		alarm(120);
		close(to[0]);
		_exit(flood(to[1]));
	}
	close(to[1]);
	assert_int_equal(client_new(&client, to[0], to[0], &events, NULL), 0);
	rpc_put_bytes(client_begin(client, RPC_BPF), payload, REQUEST);
	assert_int_equal(client_call(client, &in), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(ring.pieces, FLOOD_COUNT);
	assert_int_equal(ring.position, (uint64_t)FLOOD_COUNT * FLOOD_PIECE);
	assert_false(ring.wrong);
	client_free(client);
	close(to[0]);
	free(payload);
}

/* A wait for a silent board can be aborted, also while the board does not read a request. */
static void test_abort_when_silent(void **state)
{
	struct peer peer = {.ring = {.aborts = 2}};
	struct bytes_in in;

	peer_start(&peer, "", 0, false);
	client_begin(peer.client, RPC_HELLO);
	assert_int_equal(client_call(peer.client, &in), -EINTR);
	assert_true(client_dead(peer.client));
	peer_stop(&peer);

	peer.ring.aborts = 2;
	peer_start(&peer, "", 0, false);
	rpc_put_bytes(client_begin(peer.client, RPC_BPF), NULL, REQUEST);
	assert_int_equal(client_call(peer.client, &in), -EINTR);
	assert_true(client_dead(peer.client));
	peer_stop(&peer);
}

/* What a board sends forever: ring data, parts of a reply, or replies to a request that was not
 * sent completely. */
enum endless { ENDLESS_RING, ENDLESS_PARTS, ENDLESS_REPLIES };

static void never_end(int end, enum endless kind)
{
	struct bytes_out out = {.data = NULL};
	unsigned int flags = RPC_FLAG_REPLY | (kind == ENDLESS_PARTS ? RPC_FLAG_MORE : 0);
	size_t start = kind == ENDLESS_RING ? rpc_begin(&out, RPC_RING_DATA, 0, 0)
					    : rpc_begin(&out, RPC_FILE_READ, flags, 1);

	memset(bytes_put_room(&out, 60000), 0, 60000);
	rpc_end(&out, start);
	while (write_all(end, out.data, out.size))
		;
	_exit(0);
}

static void assert_abandoned(enum endless kind, size_t request)
{
	struct ring ring = {.aborts = 3};
	struct client_events events = events_of(&ring);
	struct client *client;
	struct bytes_in in;
	int sockets[2], status;
	int64_t ret;
	pid_t child;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	child = fork();
	if (child == 0) {
		alarm(60);
		close(sockets[0]);
		never_end(sockets[1], kind);
	}
	close(sockets[1]);
	assert_int_equal(client_new(&client, sockets[0], sockets[0], &events, NULL), 0);
	rpc_put_bytes(client_begin(client, RPC_FILE_READ), NULL, request);
	ret = client_call(client, &in);
	while (client_more(client))
		ret = client_next(client, &in);
	assert_int_equal(ret, kind == ENDLESS_REPLIES ? -EIO : -EINTR);
	assert_true(client_dead(client));
	client_free(client);
	close(sockets[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0); /* it saw the end of the link; no alarm killed it */
}

static void test_endless(void **state)
{
	assert_abandoned(ENDLESS_RING, 16);
	assert_abandoned(ENDLESS_PARTS, 16);
	assert_abandoned(ENDLESS_RING, REQUEST);
	assert_abandoned(ENDLESS_REPLIES, REQUEST);
}

/* A result below all errnos would mean success to the tool's C library, so it is refused. */
static void test_result_is_no_errno(void **state)
{
	struct board *board = board_start(NULL);
	struct bytes_in in;

	board_reply_ret(board, RPC_FILE_ACCESS, -4095);
	board_reply_ret(board, RPC_FILE_ACCESS, -4096);
	client_begin(board->run.client, RPC_FILE_ACCESS);
	assert_int_equal(client_call(board->run.client, &in), -4095);
	client_begin(board->run.client, RPC_FILE_ACCESS);
	assert_int_equal(client_call(board->run.client, &in), -EIO);
	board_stop(board);
}

static int ignore_pipe(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_cancelled_request),
		cmocka_unit_test(test_broken_replies),
		cmocka_unit_test(test_end_at_once),
		cmocka_unit_test(test_unrequested_messages),
		cmocka_unit_test(test_both_write),
		cmocka_unit_test(test_abort_when_silent),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_result_is_no_errno),
	};

	return cmocka_run_group_tests(tests, ignore_pipe, NULL);
}
