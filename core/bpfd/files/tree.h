/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the files of the board that a client may see.
 *
 * Of /proc and /sys these are the files that tracing needs; elsewhere they are programs and
 * libraries. core/messages/file_tree.h has the table. */
#ifndef CORE_BPFD_FILES_TREE_H
#define CORE_BPFD_FILES_TREE_H

#include "core/bpfd/bpf/probe_event.h"
#include "core/messages/file_tree.h"

#include <limits.h>
#include <stdbool.h>

/* Paths have the form of file_tree.h and name the usual places, which `paths` can redirect. A path
 * of another form has no rights. */

/* Returns the rights that the name of a path gives, as bits of enum tree_right. */
unsigned int tree_rights(const struct paths *paths, const char *path);

/* Opens a path as O_PATH, if it has the right `want`. Without `follow` a link at its end is opened
 * itself. Returns the descriptor; -EACCES: the client may not see it; or a negative errno. */
int tree_open(const struct paths *paths, const char *path, enum tree_right want, bool follow);

/* Opens a file for reading. Returns the descriptor, which never blocks; -EACCES; -EINVAL: the file
 * has no end; -EISDIR; or a negative errno. */
int tree_open_read(const struct paths *paths, const char *path);

/* Opens a directory for reading. Returns the descriptor or a negative errno. */
int tree_open_directory(const struct paths *paths, const char *path);

/* True for the kernel's log, /dev/kmsg. */
bool tree_is_log(const char *path);

/* Opens a file that has no end. Returns the descriptor, which never blocks; -EACCES: the path is
 * not such a file; or a negative errno. */
int tree_open_follow(const struct paths *paths, const char *path);

/* Finds the kind of events that a client may define by writing to a path. Returns 0, -EACCES. */
int tree_writable(const char *path, enum probe_event_kind *kind);

/* Checks a path like access(2), with a mode of that call. Returns 0 or a negative errno. */
int tree_access(const struct paths *paths, const char *path, int mode);

/* Opens the directory in bpffs that holds a path below /sys/fs/bpf, as O_PATH; *name is the last
 * component, a pointer into the path. Returns the descriptor; -EACCES: the path is elsewhere, a
 * link leads out of /sys/fs/bpf, or the directory is not in bpffs; or a negative errno. */
int tree_open_bpffs(const struct paths *paths, const char *path, const char **name);

/* Writes the redirected name of a path below /sys/fs/bpf. Returns 0, -EACCES, -ENAMETOOLONG. */
int tree_bpffs(const struct paths *paths, const char *path, char real[PATH_MAX]);

#endif
