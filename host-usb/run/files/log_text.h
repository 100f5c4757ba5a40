/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's log as the text that syslog(2) reads. */
#ifndef HOST_USB_RUN_FILES_LOG_TEXT_H
#define HOST_USB_RUN_FILES_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Converts records of /dev/kmsg, of `size` bytes, into lines such as "<6>[    0.000000] text".
 * Without `times` they have no time. Returns 0, with *text, of *length bytes, which the caller
 * frees; or -ENOMEM. */
int log_text(const char *records, size_t size, bool times, char **text, size_t *length);

/* Returns the last lines of a text that have room in `room` bytes, and changes *length to theirs.
 */
const char *log_text_end(const char *text, size_t *length, size_t room);

#endif
