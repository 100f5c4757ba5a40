/* SPDX-License-Identifier: Apache-2.0 */
/* Whole directory trees of the workstation that only this user can write. */
#ifndef HOST_USB_RUN_FILES_DIRTREE_H
#define HOST_USB_RUN_FILES_DIRTREE_H

#include <stdint.h>

/* Returns the disk space that a file or a tree takes, in bytes. */
uint64_t dirtree_size(const char *path);

/* Removes a file or a tree, as far as possible. */
void dirtree_remove(const char *path);

/* Removes everything from a tree but directories, regular files, and symbolic links to these.
 * Returns 0 or a negative errno. */
int dirtree_confine(const char *path);

#endif
