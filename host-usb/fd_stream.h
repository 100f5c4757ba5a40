/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes stdin, stdout and stderr without ever waiting for their other end.
 *
 * O_NONBLOCK belongs to the open file, which is shared with the shell and other programs, so it is
 * never set here. A pipe or a terminal is opened again through /proc/self/fd, as an open file of
 * our own. A socket takes MSG_DONTWAIT. Any other descriptor is polled before each call. */
#ifndef HOST_USB_FD_STREAM_H
#define HOST_USB_FD_STREAM_H

#include <sys/types.h>

struct fd_stream;

/* `access` is O_RDONLY or O_WRONLY. The caller keeps `fd`, and closes it after fd_stream_free.
 * Returns NULL if there is no memory. */
struct fd_stream *fd_stream_new(int fd, int access);
void fd_stream_free(struct fd_stream *stream);

/* Returns the descriptor to poll. */
int fd_stream_fd(const struct fd_stream *stream);

/* Read or write as much as is possible now. Return the number of bytes, 0 at the end of the input,
 * or a negative errno: -EAGAIN if nothing is possible now. */
ssize_t fd_stream_read(struct fd_stream *stream, void *data, size_t len);
ssize_t fd_stream_write(struct fd_stream *stream, const void *data, size_t len);

#endif
