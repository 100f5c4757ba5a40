/* SPDX-License-Identifier: Apache-2.0 */
/* stdin, stdout and stderr without ever waiting for their other end.
 *
 * O_NONBLOCK belongs to the open file, which these share with the shell and with other programs, so
 * it is never set on them. A pipe or a terminal is opened again through /proc/self/fd, which gives
 * an open file of our own; a socket has MSG_DONTWAIT; what remains is asked with poll first. */
#ifndef HOST_USB_FD_STREAM_H
#define HOST_USB_FD_STREAM_H

#include <sys/types.h>

struct fd_stream;

/* `access` is O_RDONLY or O_WRONLY. `fd` stays the caller's and must stay open. Returns NULL when
 * memory is short. */
struct fd_stream *fd_stream_new(int fd, int access);
void fd_stream_free(struct fd_stream *stream);

/* The descriptor to poll. */
int fd_stream_fd(const struct fd_stream *stream);

/* As read(2) and write(2), of whatever part is possible now, or a negative errno: -EAGAIN when that
 * is nothing. */
ssize_t fd_stream_read(struct fd_stream *stream, void *data, size_t len);
ssize_t fd_stream_write(struct fd_stream *stream, const void *data, size_t len);

#endif
