/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the binary protocol. It reads while it writes: the two ends never deadlock. */
#include "host-usb/run/client.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/printable.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_ROOM (256U << 10)
#define ERRNO_MAX 4095 /* the C library treats only -1 to -4095 as errors */
#define NOTE_SIZE 256
#define ABORT_MS  100 /* interval at which a wait asks whether to abort */

struct client {
	int in, out_fd;
	struct client_events events;
	FILE *trace;
	struct bytes_out out; /* requests that are not sent yet */
	size_t request;	      /* where the latest one starts in `out` */
	enum rpc_op op;
	uint32_t tag;
	char note[NOTE_SIZE];
	uint8_t *data; /* received bytes: those between `from` and `to` */
	size_t room, from, to;
	size_t reply_size; /* the reply at `from`, handed out; the next call drops it */
	bool more, dead;
	uint64_t start_ns;
	uint64_t heard_ns; /* when data last arrived, or the call began */
	uint64_t asked_ns; /* when events.abort was last called */
};

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int client_new(
	struct client **client, int in, int out, const struct client_events *events, FILE *trace)
{
	struct client *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (!c)
		return err;
	c->data = malloc(READ_ROOM);
	if (!c->data)
		goto err_free;
	c->room = READ_ROOM;
	c->in = in;
	c->out_fd = out;
	c->events = *events;
	c->trace = trace;
	err = set_nonblocking(in);
	if (!err)
		err = set_nonblocking(out);
	if (err)
		goto err_free;
	*client = c;
	return 0;

err_free:
	free(c->data);
	free(c);
	return err;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	bytes_out_free(&client->out);
	free(client->data);
	free(client);
}

int client_fd(const struct client *client)
{
	return client->in;
}

void client_give_up(struct client *client, const char *what, const char *why)
{
	if (!client->dead)
		log_error("%s: %s; ending the link", what, why);
	client->dead = true;
}

bool client_dead(const struct client *client)
{
	return client->dead;
}

struct bytes_out *client_begin(struct client *client, enum rpc_op op)
{
	client->op = op;
	client->note[0] = 0;
	client->request = rpc_begin(&client->out, op, 0, ++client->tag);
	return &client->out;
}

void client_note(struct client *client, const char *format, ...)
{
	va_list args;

	if (!client->trace)
		return;
	va_start(args, format);
	vsnprintf(client->note, sizeof(client->note), format, args);
	va_end(args);
	printable_text(client->note, strlen(client->note)); /* the trace may go to a terminal */
}

static void trace(struct client *client, int64_t ret)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (!client->trace)
		return;
	fprintf(client->trace, "%llu.%06llu %s%s%s = %lld (%llu us)\n",
		(unsigned long long)(client->start_ns / 1000000000),
		(unsigned long long)(client->start_ns / 1000 % 1000000), rpc_op_name(client->op),
		client->note[0] ? " " : "", client->note, (long long)ret,
		(unsigned long long)(now - client->start_ns) / 1000);
	fflush(client->trace);
}

/* Returns true, with the header, if a complete message is at the front. */
static bool front(const struct client *c, struct rpc_header *header)
{
	if (c->to - c->from < RPC_HEADER_SIZE)
		return false;
	rpc_header_get(c->data + c->from, header);
	if (header->length > RPC_MESSAGE_MAX)
		return false; /* see make_room() */
	return c->to - c->from - RPC_HEADER_SIZE >= header->length;
}

static void pass_reply(struct client *c)
{
	c->from += c->reply_size;
	c->reply_size = 0;
}

/* Makes room for the message at the front. Returns 0, -EIO if it is too long, or -ENOMEM. */
static int make_room(struct client *c)
{
	struct rpc_header header;
	size_t need = READ_ROOM / 2;
	uint8_t *data;

	if (c->from) {
		memmove(c->data, c->data + c->from, c->to - c->from);
		c->to -= c->from;
		c->from = 0;
	}
	if (c->to >= RPC_HEADER_SIZE) {
		rpc_header_get(c->data, &header);
		if (header.length > RPC_MESSAGE_MAX)
			return -EIO;
		need = RPC_HEADER_SIZE + header.length;
	}
	if (need <= c->room && c->to < c->room)
		return 0;
	need = need > c->room ? need : 2 * c->room;
	data = realloc(c->data, need);
	if (!data)
		return -ENOMEM;
	c->data = data;
	c->room = need;
	return 0;
}

/* Reads once. Returns 0, also if nothing was there; -EIO if the link is lost. */
static int fill(struct client *c)
{
	ssize_t n;

	if (make_room(c)) {
		c->dead = true;
		return -EIO;
	}
	n = read(c->in, c->data + c->to, c->room - c->to);
	if (n > 0) {
		c->to += (size_t)n;
		c->heard_ns = clock_ns(CLOCK_MONOTONIC);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		c->dead = true;
	return c->dead ? -EIO : 0;
}

static void take_data(struct client *c, const struct rpc_header *header)
{
	struct bytes_in in = {.data = c->data + c->from + RPC_HEADER_SIZE, .size = header->length};
	uint32_t handle = bytes_get_u32(&in);
	uint64_t position = bytes_get_u64(&in);

	if (!in.failed)
		c->events.data(c->events.arg, handle, position, in.data, in.size);
}

/* Hands over all ring data at the front. Returns true if a reply follows it. */
static bool take_pushed(struct client *c, struct rpc_header *header)
{
	while (!c->dead && front(c, header)) {
		if (header->op != RPC_RING_DATA)
			return true;
		take_data(c, header);
		c->from += RPC_HEADER_SIZE + header->length;
	}
	return false;
}

/* Writes as many unsent bytes as the descriptor takes. */
static void flush(struct client *c, size_t *done)
{
	ssize_t n;

	while (*done < c->out.size) {
		n = write(c->out_fd, c->out.data + *done, c->out.size - *done);
		if (n > 0) {
			*done += (size_t)n;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			c->dead = true;
			return;
		}
	}
}

/* Asks the caller whether to abort, also while a board never stops sending. */
static int ask_abort(struct client *c)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - c->asked_ns < ABORT_MS * 1000000ULL)
		return 0;
	c->asked_ns = now;
	if (!c->events.abort(c->events.arg, (now - c->heard_ns) / 1000000, c->start_ns / 1000000))
		return 0;
	c->dead = true;
	return -EINTR;
}

/* Waits for something to read or, if `sending`, for room to write. */
static int wait_link(struct client *c, bool sending)
{
	struct pollfd polled[] = {
		{.fd = c->in, .events = POLLIN},
		{.fd = sending ? c->out_fd : -1, .events = POLLOUT},
	};
	int err = ask_abort(c), n;

	if (err)
		return err;
	n = poll(polled, 2, ABORT_MS);
	if (n < 0)
		return errno == EINTR ? 0 : -EIO;
	return polled[0].revents ? fill(c) : 0;
}

/* Sends all requests. Reads meanwhile and hands over ring data. */
static int send_all(struct client *c)
{
	struct rpc_header header;
	size_t done = 0;
	int err = 0;

	pass_reply(c);
	if (c->out.failed)
		err = -ENOMEM;
	while (!err && !c->dead) {
		flush(c, &done);
		if (done == c->out.size)
			break;
		err = wait_link(c, true);
		/* A reply to a request that is not sent yet violates the protocol. */
		if (take_pushed(c, &header))
			c->dead = true;
	}
	if (c->out.failed)
		bytes_out_free(&c->out);
	c->out.size = 0;
	return err ? err : c->dead ? -EIO : 0;
}

static int64_t receive_reply(struct client *c, struct bytes_in *reply)
{
	struct rpc_header header;
	int err = ask_abort(c);
	int64_t ret;

	if (err)
		return err;
	pass_reply(c);
	while (!take_pushed(c, &header)) {
		err = c->dead ? -EIO : wait_link(c, false);
		if (err)
			return err;
	}
	*reply = (struct bytes_in){
		.data = c->data + c->from + RPC_HEADER_SIZE,
		.size = header.length,
	};
	c->reply_size = RPC_HEADER_SIZE + header.length;
	c->more = header.flags & RPC_FLAG_MORE;
	ret = (int32_t)bytes_get_u32(reply);
	if (reply->failed || ret < -ERRNO_MAX || header.tag != c->tag ||
		!(header.flags & RPC_FLAG_REPLY)) {
		c->dead = true;
		return -EIO;
	}
	return ret;
}

void client_cancel(struct client *client)
{
	if (client->out.failed)
		bytes_out_free(&client->out);
	client->out.size = client->request;
}

int64_t client_call(struct client *client, struct bytes_in *reply)
{
	int64_t ret;

	*reply = (struct bytes_in){.data = NULL};
	client->more = false;
	client->start_ns = client->heard_ns = clock_ns(CLOCK_MONOTONIC);
	rpc_end(&client->out, client->request);
	ret = send_all(client);
	if (!ret)
		ret = receive_reply(client, reply);
	if (!client->more)
		trace(client, ret);
	return ret;
}

bool client_more(const struct client *client)
{
	return client->more && !client->dead;
}

int64_t client_next(struct client *client, struct bytes_in *reply)
{
	int64_t ret = receive_reply(client, reply);

	if (!client->more || client->dead)
		trace(client, ret);
	return ret;
}

void client_send(struct client *client)
{
	rpc_end(&client->out, client->request);
	client->start_ns = clock_ns(CLOCK_MONOTONIC);
	if (client->op != RPC_RING_CREDIT)
		trace(client, 0);
	send_all(client);
}

void client_close_handle(struct client *client, uint32_t handle)
{
	bytes_put_u32(client_begin(client, RPC_CLOSE), handle);
	client_note(client, "%u", handle);
	client_send(client);
}

bool client_pending(const struct client *client)
{
	return client->to - client->from > client->reply_size;
}

int client_receive(struct client *client)
{
	struct rpc_header header;

	pass_reply(client);
	if (!client->dead)
		fill(client);
	/* A reply without a request violates the protocol. */
	if (take_pushed(client, &header))
		client->dead = true;
	return client->dead ? -EIO : 0;
}
