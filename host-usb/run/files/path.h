/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: which ones of the tool name files of the board. */
#ifndef HOST_USB_RUN_FILES_PATH_H
#define HOST_USB_RUN_FILES_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct call;

/* Whether a path of the tool means the board, and which: absolute, without "." and "..". dirfd and
 * path are as for openat(2). Returns 1 if so, 0 if it is the workstation's, or a negative errno. */
int path_resolve(const struct call *call, int dirfd, uint64_t path, char resolved[PATH_MAX]);

/* Whether it is below /proc. */
bool path_is_in_proc(const char *path);

/* Whether it is a file of that name of a process, such as "/ns/mnt". */
bool path_is_of_process(const char *path, const char *name);

/* Whether it is that file of tracefs, at either of its mount points. */
bool path_is_of_tracefs(const char *path, const char *name);

#endif
