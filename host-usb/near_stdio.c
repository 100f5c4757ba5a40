/* SPDX-License-Identifier: Apache-2.0 */
/* The near end that uses stdin and stdout. */
#include "host-usb/fd_stream.h"
#include "host-usb/near.h"
#include "host-usb/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct near_stdio {
	struct near_end near;
	struct fd_stream *in, *out;
	const struct tty *tty;
};

static ssize_t stdio_read(void *context, void *data, size_t room)
{
	const struct near_stdio *stdio = context;
	ssize_t n = fd_stream_read(stdio->in, data, room);

	/* A terminal that was hung up returns EIO at its end. */
	return n == -EIO && stdio->tty->is_terminal ? 0 : n;
}

static ssize_t stdio_write(void *context, const void *data, size_t len)
{
	const struct near_stdio *stdio = context;

	return fd_stream_write(stdio->out, data, len);
}

/* close() may report an error of the disk or of a network file system that write() did not. */
static int stdio_finish(void *context)
{
	return close(STDOUT_FILENO) < 0 && errno != EINTR && errno != EBADF ? -errno : 0;
}

struct near_end *near_stdio_new(const struct tty *tty)
{
	struct near_stdio *stdio = malloc(sizeof(*stdio));

	if (!stdio)
		return NULL;
	stdio->tty = tty;
	stdio->in = fd_stream_new(STDIN_FILENO, O_RDONLY);
	stdio->out = fd_stream_new(STDOUT_FILENO, O_WRONLY);
	stdio->near = (struct near_end){
		.context = stdio,
		.accounts = true,
		.read = stdio_read,
		.write = stdio_write,
		.finish = stdio_finish,
	};
	if (!stdio->in || !stdio->out) {
		near_stdio_free(&stdio->near);
		return NULL;
	}
	stdio->near.in_fd = fd_stream_fd(stdio->in);
	stdio->near.out_fd = fd_stream_fd(stdio->out);
	return &stdio->near;
}

void near_stdio_free(struct near_end *near)
{
	struct near_stdio *stdio;

	if (!near)
		return;
	stdio = near->context;
	fd_stream_free(stdio->out);
	fd_stream_free(stdio->in);
	free(stdio);
}
