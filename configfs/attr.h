/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of the kernel's file trees: short texts, read and written whole. */
#ifndef CONFIGFS_ATTR_H
#define CONFIGFS_ATTR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Writes a path as by printf. Returns 0 or -ENAMETOOLONG; the path is then "". */
int attr_path(char path[static PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether the text is one component of a path: no '/', not empty, not "." or "..", and no longer
 * than a file name may be. */
bool attr_is_name(const char *text);

/* Reads the first line, without its newline; what follows a NUL or does not fit is dropped. Returns
 * its length, or a negative errno; the value is then "". */
int attr_read(const char *path, char *value, size_t size);

/* Writes a text in one write(2) to an existing file. Returns 0 or a negative errno. */
int attr_write(const char *path, const char *value);

/* What the user can do about an errno of these trees, to be put behind its text; "" for most. */
const char *attr_hint(int err);

#endif
