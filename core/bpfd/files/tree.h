/* SPDX-License-Identifier: Apache-2.0 */
/* The files of the board that a remote client may see: of the kernel's own trees what tracing
 * needs, and of all others programs and libraries only. */
#ifndef CORE_BPFD_FILES_TREE_H
#define CORE_BPFD_FILES_TREE_H

#include "core/bpfd/bpf/probe_event.h"

#include <limits.h>
#include <stdbool.h>

/* What may be done with a path, as bits. */
enum tree_right {
	TREE_STAT = 1,
	TREE_READ = 2, /* the contents of a file */
	TREE_LIST = 4, /* the names in a directory */
	TREE_LINK = 8, /* readlink(2) */
	TREE_CODE =
		16 /* TREE_READ of ELF files and of the symbols of just-in-time compilers only */
};

/* Paths are absolute and have no empty component, "." or ".."; they name the usual places, which
 * `paths` may put elsewhere. */

/* The rights that a path's name gives. */
unsigned int tree_rights(const struct paths *paths, const char *path);

/* Opens a path as O_PATH for what `want`, one right, says; without `follow` the last component is
 * taken as it is. Returns the descriptor; -EACCES: it may not be seen; or the errno. */
int tree_open(const struct paths *paths, const char *path, enum tree_right want, bool follow);

/* Opens a file for reading. Returns the descriptor, which never blocks; -EACCES; -EINVAL: reading
 * it has no end; -EISDIR; or the errno. */
int tree_open_read(const struct paths *paths, const char *path);

/* Opens a directory for reading. Returns the descriptor or an errno. */
int tree_open_directory(const struct paths *paths, const char *path);

/* Opens a file whose reading has no end. Returns the descriptor, which never blocks; -EACCES: it is
 * none of those; or the errno. */
int tree_open_follow(const struct paths *paths, const char *path);

/* Which events a client may define by writing to that path. Returns 0, -EACCES. */
int tree_writable(const char *path, enum probe_event_kind *kind);

/* Checks a path for access(2) with a mode of that call. Returns 0 or the errno. */
int tree_access(const struct paths *paths, const char *path, int mode);

/* The real name of a path below /sys/fs/bpf. Returns 0, -EACCES, -ENAMETOOLONG. */
int tree_bpffs(const struct paths *paths, const char *path, char real[PATH_MAX]);

#endif
