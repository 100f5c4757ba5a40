/* SPDX-License-Identifier: Apache-2.0 */
/* The line reader: one buffer, which grows with the line; each byte is examined once. */
#include "core/bpfd/line.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_ROOM (64 * 1024) /* the size of a pipe; a longer line gets more while it is read */

struct line_reader {
	int fd, eof_byte;
	size_t max;
	const volatile sig_atomic_t *stop;
	char *data;
	size_t room;	 /* size of data; one byte more is allocated */
	size_t from, to; /* bytes that were read but not returned */
	size_t looked;	 /* there is no newline between from and here */
	bool skipping;	 /* the line is too long; its rest is dropped */
	bool ended;
};

int line_reader_new(
	struct line_reader **reader, int fd, size_t max, const volatile sig_atomic_t *stop)
{
	struct line_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->data = malloc(LINE_ROOM + 1);
	if (!r->data) {
		free(r);
		return -ENOMEM;
	}
	r->fd = fd;
	r->eof_byte = LINE_NO_EOF_BYTE;
	r->max = max;
	r->stop = stop;
	r->room = LINE_ROOM;
	*reader = r;
	return 0;
}

void line_reader_free(struct line_reader *reader)
{
	if (!reader)
		return;
	free(reader->data);
	free(reader);
}

void line_reader_set_eof(struct line_reader *reader, int byte)
{
	reader->eof_byte = byte;
}

/* Sets the size of the buffer. Its content stays. */
static int reader_resize(struct line_reader *r, size_t room)
{
	char *data = realloc(r->data, room + 1);

	if (!data)
		return -ENOMEM;
	r->data = data;
	r->room = room;
	return 0;
}

/* Moves the rest to the front, and frees the memory of a long line. */
static void reader_compact(struct line_reader *r)
{
	memmove(r->data, r->data + r->from, r->to - r->from);
	r->to -= r->from;
	r->looked -= r->from;
	r->from = 0;
	if (r->room > LINE_ROOM && r->to < LINE_ROOM / 2)
		reader_resize(r, LINE_ROOM); /* on failure the larger buffer stays */
}

/* Reads once, and appends to the buffer. Returns 0 or a negative errno. */
static int reader_fill(struct line_reader *r)
{
	struct pollfd readable = {.fd = r->fd, .events = POLLIN};
	size_t room;
	ssize_t n;

	if (r->from)
		reader_compact(r);
	if (r->to == r->room) {
		/* max + 1 holds the longest line and its newline. line_read skips longer lines. */
		room = r->room > r->max / 2 ? r->max + 1 : 2 * r->room;
		if (reader_resize(r, room))
			return -ENOMEM;
	}
	if (r->stop && *r->stop)
		return -EINTR;
	n = read(r->fd, r->data + r->to, r->room - r->to);
	if (n < 0 && errno == EAGAIN) /* another process set O_NONBLOCK on the shared pipe */
		n = poll(&readable, 1, -1) < 0 ? -1 : 0;
	else if (n == 0)
		r->ended = true;
	if (n < 0)
		return errno == EINTR && !(r->stop && *r->stop) ? 0 : -errno;
	r->to += (size_t)n;
	return 0;
}

/* The newline that ends the next line, or NULL if it was not read yet. */
static char *reader_newline(struct line_reader *r)
{
	char *newline = memchr(r->data + r->looked, '\n', r->to - r->looked);

	r->looked = newline ? (size_t)(newline - r->data) : r->to;
	return newline;
}

static void reader_check_eof(struct line_reader *r)
{
	if (r->eof_byte == LINE_NO_EOF_BYTE || r->skipping || r->from == r->to)
		return;
	if ((unsigned char)r->data[r->from] != r->eof_byte)
		return;
	r->ended = true;
	r->to = r->looked = r->from;
}

/* Returns the next len bytes as a line, and skips its newline if there is one. */
static ssize_t reader_take(struct line_reader *r, char **line, size_t len, bool newline)
{
	bool too_long = r->skipping || len > r->max;

	*line = r->data + r->from;
	r->from += len + newline;
	r->looked = r->from;
	r->skipping = false;
	return too_long ? -EMSGSIZE : (ssize_t)len;
}

ssize_t line_read(struct line_reader *r, char **line)
{
	char *newline;
	int err;

	for (;;) {
		reader_check_eof(r);
		newline = reader_newline(r);
		if (newline)
			return reader_take(r, line, (size_t)(newline - r->data) - r->from, true);
		if (r->ended) {
			if (r->from == r->to && !r->skipping)
				return -ENODATA;
			return reader_take(r, line, r->to - r->from, false);
		}
		if (r->skipping || r->to - r->from > r->max) {
			r->skipping = true;
			r->from = r->looked = r->to;
		}
		err = reader_fill(r);
		if (err == -ENOMEM) { /* no memory for a line of this length */
			r->skipping = true;
			r->from = r->looked = r->to;
		} else if (err)
			return err;
	}
}

bool line_ready(struct line_reader *r)
{
	reader_check_eof(r);
	return r->ended || reader_newline(r);
}

bool line_pending(const struct line_reader *r)
{
	return r->ended || r->from < r->to;
}

size_t line_take_rest(struct line_reader *r, const void **data)
{
	size_t size = r->to - r->from;

	*data = r->data + r->from;
	r->from = r->looked = r->to;
	return size;
}

int line_fd(const struct line_reader *r)
{
	return r->fd;
}
