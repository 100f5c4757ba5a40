/* SPDX-License-Identifier: Apache-2.0 */
/* The stderr of the board's process, written to ours. A reader who does not empty it may hold the
 * session for a moment, but not for ever: then text is thrown away, and counted. */
#ifndef HOST_USB_NOTES_H
#define HOST_USB_NOTES_H

#include <stddef.h>
#include <stdint.h>

struct notes;

/* Returns NULL when memory is short. `fd` stays the caller's. */
struct notes *notes_new(int fd);
void notes_free(struct notes *notes);

/* Writes what is possible. Returns the number of bytes that are dealt with, written or thrown away;
 * less than len: the rest is to be given again, when notes_fd can be written or at the deadline. */
size_t notes_write(struct notes *notes, const void *data, size_t len, uint64_t now_ms);

/* Until when the last rest may wait; UINT64_MAX if there is none. */
uint64_t notes_deadline(const struct notes *notes);

/* The descriptor to poll for POLLOUT while there is a rest. */
int notes_fd(const struct notes *notes);

#endif
