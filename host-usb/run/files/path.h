/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which paths of the tool name files of the board. */
#ifndef HOST_USB_RUN_FILES_PATH_H
#define HOST_USB_RUN_FILES_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct call;

/* Resolves a path of the tool. `dirfd` and `path`, an address in the tool, are those of openat(2).
 * `follow`: the call follows a link that is the last component. A link of this workstation that
 * leads into the board's trees means the board. Returns 1 if the path means the board, with the
 * absolute path without "." and ".." in `resolved`; 0 if it means the workstation; or a negative
 * errno, for example for a name that leads out of a directory of the board to the workstation. */
int path_resolve(
	const struct call *call, int dirfd, uint64_t path, bool follow, char resolved[PATH_MAX]);

/* The same for calls that take AT_EMPTY_PATH: with an empty or no path, `dirfd` itself is the file.
 * If it has no path on the board, `resolved` is the target of the descriptor's link. */
int path_resolve_file(const struct call *call, int dirfd, uint64_t path, char resolved[PATH_MAX]);

/* Returns true for a path below /proc. */
bool path_is_in_proc(const char *path);

/* Returns true if the path ends so, and is longer. */
bool path_has_end(const char *path, const char *end);

/* Returns true for a process's file of this name, for example "/ns/mnt". */
bool path_is_of_process(const char *path, const char *name);

/* Returns true for this file of tracefs, below either of its two mount points. */
bool path_is_of_tracefs(const char *path, const char *name);

#endif
