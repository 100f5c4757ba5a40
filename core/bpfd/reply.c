/* SPDX-License-Identifier: Apache-2.0 */
/* The buffered writer of replies. */
#include "core/bpfd/reply.h"

#include "core/base/base64.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLY_SIZE   (64 * 1024) /* the size of a pipe */
#define REPLY_LINE   512	 /* reply_printf formats longer text in memory of its own */
#define BASE64_PIECE (12 * 1024) /* bytes of data that are encoded at once */
#define NUMBER_SIZE  20		 /* digits and sign of a 64-bit number */

_Static_assert(BASE64_PIECE % 3 == 0, "only the last piece may be padded");
_Static_assert(BASE64_SIZE(BASE64_PIECE) <= REPLY_SIZE, "a piece fits into an empty buffer");

struct reply {
	int fd, error;
	const volatile sig_atomic_t *stop;
	size_t used;
	char data[REPLY_SIZE];
};

int reply_new(struct reply **reply, int fd, const volatile sig_atomic_t *stop)
{
	struct reply *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fd = fd;
	r->error = 0;
	r->stop = stop;
	r->used = 0;
	*reply = r;
	return 0;
}

void reply_free(struct reply *reply)
{
	free(reply);
}

int reply_error(const struct reply *reply)
{
	return reply->error;
}

void reply_fail(struct reply *reply, int err)
{
	if (!reply->error)
		reply->error = err;
}

int reply_flush(struct reply *reply)
{
	struct pollfd writable = {.fd = reply->fd, .events = POLLOUT};
	size_t done = 0;
	ssize_t n;

	while (!reply->error && done < reply->used) {
		n = write(reply->fd, reply->data + done, reply->used - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN) /* another process set O_NONBLOCK on the shared pipe */
			poll(&writable, 1, -1);
		else if (errno != EINTR)
			reply->error = -errno;
		if (n < 0 && reply->stop && *reply->stop && !reply->error)
			reply->error = -EINTR;
	}
	reply->used = 0;
	return reply->error;
}

/* Makes room for size bytes, at most REPLY_SIZE. Returns where to write them. */
static char *reply_room(struct reply *reply, size_t size)
{
	if (REPLY_SIZE - reply->used < size)
		reply_flush(reply);
	return reply->data + reply->used;
}

void reply_bytes(struct reply *reply, const void *data, size_t size)
{
	const char *d = data;

	while (size) {
		size_t piece = REPLY_SIZE - reply->used;

		if (piece > size)
			piece = size;
		memcpy(reply->data + reply->used, d, piece);
		reply->used += piece;
		d += piece;
		size -= piece;
		if (reply->used == REPLY_SIZE)
			reply_flush(reply);
	}
}

void reply_text(struct reply *reply, const char *text)
{
	reply_bytes(reply, text, strlen(text));
}

void reply_printf(struct reply *reply, const char *format, ...)
{
	char *at = reply_room(reply, REPLY_LINE), *text;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(at, REPLY_LINE, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (n < REPLY_LINE) {
		reply->used += (size_t)n;
		return;
	}
	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0) {
		reply->error = -ENOMEM; /* a truncated reply must not look complete */
		return;
	}
	reply_bytes(reply, text, (size_t)n);
	free(text);
}

void reply_number(struct reply *reply, int64_t number)
{
	char text[NUMBER_SIZE], *at = text + sizeof(text);
	uint64_t n = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	if (number < 0)
		*--at = '-';
	reply_bytes(reply, at, (size_t)(text + sizeof(text) - at));
}

void reply_base64(struct reply *reply, const void *data, size_t size)
{
	const char *d = data;

	while (size) {
		size_t piece = size < BASE64_PIECE ? size : BASE64_PIECE;
		char *at = reply_room(reply, BASE64_SIZE(piece));

		base64_encode(at, d, piece);
		reply->used += BASE64_SIZE(piece);
		d += piece;
		size -= piece;
	}
}

void reply_ret(struct reply *reply, const char *what, int64_t ret)
{
	reply_text(reply, what);
	reply_bytes(reply, ": ret=", 6);
	reply_number(reply, ret);
	reply_bytes(reply, "\n", 1);
}

void reply_begin(struct reply *reply)
{
	reply_text(reply, "START_BPFD_OUTPUT\n");
}

void reply_end(struct reply *reply)
{
	reply_text(reply, REPLY_END "\n");
}
