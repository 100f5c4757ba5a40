/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts FunctionFS instances, one for each lane, and unmounts them. */
#ifndef CONFIGFS_FUNCTIONFS_H
#define CONFIGFS_FUNCTIONFS_H

#include "configfs/options.h"

/* Makes the directory and mounts the instance on it. Returns 0, or a negative errno, logged, after
 * removing the directory. */
int functionfs_mount(const char *instance, const char *dir);

/* Unmounts and removes the directory. Waits up to a second for a process that is exiting to close
 * its files. Returns 0, also if nothing was mounted, or a negative errno, logged: -EBUSY if files
 * are still open. */
int functionfs_unmount(const char *dir);

/* Unmounts all that a daemon with these options has left: every instance mounted below ffs_dir, and
 * the instances of the lanes in `gadget`, wherever they are mounted. Returns like
 * functionfs_unmount() and stops at the first error. */
int functionfs_unmount_leftovers(const struct gadget_options *options, const char *gadget);

#endif
