/* SPDX-License-Identifier: Apache-2.0 */
/* Reads lines of any length up to a limit, in place. */
#ifndef CORE_BPFD_LINE_H
#define CORE_BPFD_LINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LINE_NO_EOF_BYTE (-1)

struct line_reader;

/* Makes a reader of fd, which stays the caller's, for lines of at most max bytes. A signal handler
 * sets *stop to end a blocking read; stop may be NULL. Returns 0, -ENOMEM. */
int line_reader_new(
	struct line_reader **reader, int fd, size_t max, const volatile sig_atomic_t *stop);

/* Frees the reader. NULL is fine. */
void line_reader_free(struct line_reader *reader);

/* Sets the byte that ends the input when a line begins with it: a terminal in raw mode passes
 * Ctrl-D on as a byte. LINE_NO_EOF_BYTE: no byte does. */
void line_reader_set_eof(struct line_reader *reader, int byte);

/* Waits for the next line. *line excludes the newline and is valid until the next call; the caller
 * may write to it and to one byte after it. The last line needs no newline. Returns the length;
 * -ENODATA: end of input; -EMSGSIZE: the line was longer than max and is skipped; -EINTR: stopped;
 * or the errno of read(2) or poll(2). */
ssize_t line_read(struct line_reader *reader, char **line);

/* Whether line_read would return without waiting. */
bool line_ready(struct line_reader *reader);

/* Whether the reader holds input that line_read has not returned, or the input has ended. */
bool line_pending(const struct line_reader *reader);

/* Takes the bytes that were read but not returned, for a stream that continues in another format.
 * *data lives as long as the reader, which must not read lines afterwards. Returns the size. */
size_t line_take_rest(struct line_reader *reader, const void **data);

/* The descriptor that the reader reads. */
int line_fd(const struct line_reader *reader);

#endif
