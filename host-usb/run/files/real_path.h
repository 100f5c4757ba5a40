/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where the symbolic links and mounts of this workstation lead. */
#ifndef HOST_USB_RUN_FILES_REAL_PATH_H
#define HOST_USB_RUN_FILES_REAL_PATH_H

#include <limits.h>
#include <stdbool.h>

/* Follows the links of an absolute path, as far as it exists here. What does not exist stays as it
 * is, because it may exist on the board. `follow`: also a link that is the last component. Returns
 * 1 with the path without links in `real`, and in *of_kernel whether a kernel shows itself in its
 * file system, as in sysfs; 0 if it is a file in a file system that has no such names; or a
 * negative errno. */
int real_path(const char *path, bool follow, char real[PATH_MAX], bool *of_kernel);

/* Returns the path of an open file, without links. Returns 0, or a negative errno: -ENOENT if it
 * has none. */
int real_path_of(int fd, char name[PATH_MAX]);

#endif
