/* SPDX-License-Identifier: Apache-2.0 */
/* Writes replies to stdout through a buffer. */
#ifndef CORE_BPFD_REPLY_H
#define CORE_BPFD_REPLY_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_END "END_BPFD_OUTPUT" /* the last line of a reply */

struct reply;

/* Makes a writer to fd, which stays the caller's. A signal handler sets *stop to end a blocking
 * write; stop may be NULL. Returns 0, -ENOMEM. */
int reply_new(struct reply **reply, int fd, const volatile sig_atomic_t *stop);

/* Frees the writer; bytes that were not flushed are lost. NULL is fine. */
void reply_free(struct reply *reply);

/* The first error of the stream, as a negative errno, or 0. -EINTR: stopped. After an error all
 * output is dropped, so only loops that write much data need to check. */
int reply_error(const struct reply *reply);

/* Ends the output with an error: a reply that cannot be completed must not look complete. */
void reply_fail(struct reply *reply, int err);

/* Writes the buffer to the descriptor. Returns reply_error(). */
int reply_flush(struct reply *reply);

/* Write the first and the last line of a reply. */
void reply_begin(struct reply *reply);
void reply_end(struct reply *reply);

/* Append to the body, unchanged. */
void reply_bytes(struct reply *reply, const void *data, size_t size);
void reply_text(struct reply *reply, const char *text);
void reply_printf(struct reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends a number in decimal. */
void reply_number(struct reply *reply, int64_t number);

/* Appends data in base64, without a newline. */
void reply_base64(struct reply *reply, const void *data, size_t size);

/* Appends the line "what: ret=N". */
void reply_ret(struct reply *reply, const char *what, int64_t ret);

#endif
