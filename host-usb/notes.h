/* SPDX-License-Identifier: Apache-2.0 */
/* Copies the stderr of the board's process to ours.
 *
 * A reader that does not empty it can delay the session briefly. After that, text is dropped and
 * counted. If it is a terminal, control characters are shown as '?'. */
#ifndef HOST_USB_NOTES_H
#define HOST_USB_NOTES_H

#include <stddef.h>
#include <stdint.h>

struct notes;

/* The caller keeps `fd`, and closes it after notes_free. Returns NULL if there is no memory. */
struct notes *notes_new(int fd);
void notes_free(struct notes *notes);

/* Writes as much as possible without waiting. Returns the number of bytes written or dropped. If
 * that is less than `len`, call it again with the rest, when notes_fd is writable or at the
 * deadline. */
size_t notes_write(struct notes *notes, const void *data, size_t len, uint64_t now_ms);

/* Returns when the rest will be dropped, in ms, or UINT64_MAX if there is no rest. */
uint64_t notes_deadline(const struct notes *notes);

/* Returns the descriptor to poll for POLLOUT while there is a rest. */
int notes_fd(const struct notes *notes);

#endif
