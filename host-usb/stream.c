/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes descriptors that others share, without waiting. */
#include "host-usb/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum stream_kind {
	STREAM_NONBLOCKING, /* opened again by us, or found so */
	STREAM_SOCKET,
	STREAM_FILE,   /* never waits for another program */
	STREAM_POLLED, /* poll says if it takes or gives something */
};

struct stream {
	int fd;
	int own_fd; /* opened here, -1 if none */
	enum stream_kind kind;
};

/* Only what can be opened without side effects: opening the master of a pseudo-terminal would make
 * another one. */
static int stream_reopen(int fd, int access, mode_t mode)
{
	char path[64];
	int number;

	if (!S_ISFIFO(mode) && !isatty(fd))
		return -1;
	if (S_ISCHR(mode) && ioctl(fd, TIOCGPTN, &number) == 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct stream *stream_new(int fd, int access)
{
	struct stream *stream = malloc(sizeof(*stream));
	struct stat st;
	int flags;

	if (!stream)
		return NULL;
	*stream = (struct stream){fd, -1, STREAM_POLLED};
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) < 0)
		return stream; /* reading or writing will say what is wrong with it */
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode)) {
		stream->kind = STREAM_FILE;
	} else if (S_ISSOCK(st.st_mode)) {
		stream->kind = STREAM_SOCKET;
	} else if (flags & O_NONBLOCK) {
		stream->kind = STREAM_NONBLOCKING;
	} else {
		/* Fails for want of permission after su, without /proc, in exclusive mode. */
		stream->own_fd = stream_reopen(fd, access, st.st_mode);
		if (stream->own_fd >= 0) {
			stream->fd = stream->own_fd;
			stream->kind = STREAM_NONBLOCKING;
		}
	}
	return stream;
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	if (stream->own_fd >= 0)
		close(stream->own_fd);
	free(stream);
}

int stream_fd(const struct stream *stream)
{
	return stream->fd;
}

static int stream_ready(const struct stream *stream, short events)
{
	struct pollfd p = {.fd = stream->fd, .events = events};

	return stream->kind != STREAM_POLLED || poll(&p, 1, 0) != 0;
}

ssize_t stream_read(struct stream *stream, void *data, size_t len)
{
	ssize_t n;

	if (!stream_ready(stream, POLLIN))
		return -EAGAIN;
	do {
		if (stream->kind == STREAM_SOCKET)
			n = recv(stream->fd, data, len, MSG_DONTWAIT);
		else
			n = read(stream->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t stream_write(struct stream *stream, const void *data, size_t len)
{
	ssize_t n;

	if (!stream_ready(stream, POLLOUT))
		return -EAGAIN;
	/* A pipe for which poll says so takes this much without waiting. */
	if (stream->kind == STREAM_POLLED && len > PIPE_BUF)
		len = PIPE_BUF;
	do {
		if (stream->kind == STREAM_SOCKET)
			n = send(stream->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			n = write(stream->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
