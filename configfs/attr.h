/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of the kernel's file trees: short texts, read and written whole. */
#ifndef CONFIGFS_ATTR_H
#define CONFIGFS_ATTR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns true if the text is a single component of a path: not empty, without '/', not "." or
 * "..", and at most NAME_MAX bytes. */
bool attr_is_name(const char *text);

/* Reads the first line without its newline. Ignores everything after a NUL, and what does not fit
 * into `size` bytes. Returns the length, or a negative errno with an empty value. */
int attr_read(const char *path, char *value, size_t size);

/* Writes a text in one write(2) to an existing file. Returns 0 or a negative errno. */
int attr_write(const char *path, const char *value);

/* Returns advice about a negative errno of these trees, to be appended to the error's text; "" for
 * most errors. */
const char *attr_hint(int err);

#endif
