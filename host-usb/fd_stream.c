/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes descriptors that other processes share, without waiting. */
#include "host-usb/fd_stream.h"

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

enum fd_stream_kind {
	FD_STREAM_NONBLOCKING, /* opened again by us, or was non-blocking before */
	FD_STREAM_SOCKET,
	FD_STREAM_FILE,	  /* never waits for another process */
	FD_STREAM_POLLED, /* is polled before each call */
};

struct fd_stream {
	int fd;
	int own_fd; /* opened here; -1: none */
	enum fd_stream_kind kind;
};

/* Opens the file of `fd` again if that has no side effects. Opening the master of a pseudo-terminal
 * would create another pseudo-terminal. Returns -1 if it was not opened. */
static int fd_stream_reopen(int fd, int access, mode_t mode)
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

struct fd_stream *fd_stream_new(int fd, int access)
{
	struct fd_stream *stream = malloc(sizeof(*stream));
	struct stat st;
	int flags;

	if (!stream)
		return NULL;
	*stream = (struct fd_stream){fd, -1, FD_STREAM_POLLED};
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) < 0)
		return stream; /* read or write will report the error */
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode)) {
		stream->kind = FD_STREAM_FILE;
	} else if (S_ISSOCK(st.st_mode)) {
		stream->kind = FD_STREAM_SOCKET;
	} else if (flags & O_NONBLOCK) {
		stream->kind = FD_STREAM_NONBLOCKING;
	} else {
		/* Fails without permission (after su), without /proc, and with TIOCEXCL. */
		stream->own_fd = fd_stream_reopen(fd, access, st.st_mode);
		if (stream->own_fd >= 0) {
			stream->fd = stream->own_fd;
			stream->kind = FD_STREAM_NONBLOCKING;
		}
	}
	return stream;
}

void fd_stream_free(struct fd_stream *stream)
{
	if (!stream)
		return;
	if (stream->own_fd >= 0)
		close(stream->own_fd);
	free(stream);
}

int fd_stream_fd(const struct fd_stream *stream)
{
	return stream->fd;
}

static int fd_stream_ready(const struct fd_stream *stream, short events)
{
	struct pollfd p = {.fd = stream->fd, .events = events};

	return stream->kind != FD_STREAM_POLLED || poll(&p, 1, 0) != 0;
}

ssize_t fd_stream_read(struct fd_stream *stream, void *data, size_t len)
{
	ssize_t n;

	if (!fd_stream_ready(stream, POLLIN))
		return -EAGAIN;
	do {
		if (stream->kind == FD_STREAM_SOCKET)
			n = recv(stream->fd, data, len, MSG_DONTWAIT);
		else
			n = read(stream->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t fd_stream_write(struct fd_stream *stream, const void *data, size_t len)
{
	ssize_t n;

	if (!fd_stream_ready(stream, POLLOUT))
		return -EAGAIN;
	/* A pipe that poll reports as writable takes this much without waiting. */
	if (stream->kind == FD_STREAM_POLLED && len > PIPE_BUF)
		len = PIPE_BUF;
	do {
		if (stream->kind == FD_STREAM_SOCKET)
			n = send(stream->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			n = write(stream->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
