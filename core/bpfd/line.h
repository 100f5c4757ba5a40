/* SPDX-License-Identifier: Apache-2.0 */
/* Reads lines of any length up to a limit, each once, in place. */
#ifndef CORE_BPFD_LINE_H
#define CORE_BPFD_LINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LINE_NO_EOF_BYTE (-1)

struct line_reader;

/* Makes a reader of fd, which stays the caller's, for lines of at most max bytes. *stop (may be
 * NULL) ends a read that blocks when a signal handler sets it. Returns 0, -ENOMEM. */
int line_reader_new(
	struct line_reader **reader, int fd, size_t max, const volatile sig_atomic_t *stop);

/* Frees it; NULL is fine. */
void line_reader_free(struct line_reader *reader);

/* Makes a line that begins with this byte the end of input: a terminal in raw mode hands Ctrl-D
 * through. LINE_NO_EOF_BYTE: there is none. */
void line_reader_set_eof(struct line_reader *reader, int byte);

/* Reads the next line, waiting for it. *line has no newline, may be changed, has one more byte
 * of room behind it, and lives until the next call. The last line needs no newline. Returns its
 * length; -ENODATA: end of input; -EMSGSIZE: a line longer than max, which is skipped whole;
 * -EINTR: stopped; -ENOMEM, or read(2)'s errno. */
ssize_t line_read(struct line_reader *reader, char **line);

/* Whether line_read would answer without waiting. */
bool line_ready(struct line_reader *reader);

/* Whether any input is there that line_read has not handed out, or its end. */
bool line_pending(const struct line_reader *reader);

/* Hands over what was read and is in no line yet, for a stream that goes on in another form. *data
 * lives as long as the reader, which is not to be used for lines again. Returns the size. */
size_t line_take_rest(struct line_reader *reader, const void **data);

/* The descriptor that is read. */
int line_fd(const struct line_reader *reader);

#endif
