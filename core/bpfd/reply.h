/* SPDX-License-Identifier: Apache-2.0 */
/* Writes replies to stdout through one buffer, which goes out when it is full or is flushed. */
#ifndef CORE_BPFD_REPLY_H
#define CORE_BPFD_REPLY_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_END "END_BPFD_OUTPUT" /* the line that closes a reply */

struct reply;

/* Makes a writer on fd, which stays the caller's. *stop (may be NULL) ends a write that blocks when
 * a signal handler sets it. Returns 0, -ENOMEM. */
int reply_new(struct reply **reply, int fd, const volatile sig_atomic_t *stop);

/* Frees it; what is not flushed is lost. NULL is fine. */
void reply_free(struct reply *reply);

/* The first error of the stream, as a negative errno, or 0: after it all that is written is
 * dropped, so that only loops over much data need to look. -EINTR: stopped. */
int reply_error(const struct reply *reply);

/* Writes the buffer out. Returns reply_error(). */
int reply_flush(struct reply *reply);

/* The line that opens a reply and the one that closes it. */
void reply_begin(struct reply *reply);
void reply_end(struct reply *reply);

/* Add to the body, as is. */
void reply_bytes(struct reply *reply, const void *data, size_t size);
void reply_text(struct reply *reply, const char *text);
void reply_printf(struct reply *reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A number in decimal. */
void reply_number(struct reply *reply, int64_t number);

/* Data in base64, without a newline. */
void reply_base64(struct reply *reply, const void *data, size_t size);

/* The line "what: ret=N". */
void reply_ret(struct reply *reply, const char *what, int64_t ret);

#endif
