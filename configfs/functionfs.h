/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of FunctionFS: a lane's files. */
#ifndef CONFIGFS_FUNCTIONFS_H
#define CONFIGFS_FUNCTIONFS_H

#include "configfs/options.h"

/* Makes the directory and mounts the instance there. Returns 0 or a negative errno, logged, with
 * nothing left. */
int functionfs_mount(const char *instance, const char *dir);

/* Unmounts and removes the directory. Waits up to a second for a process that is ending. Returns
 * 0, also if nothing was mounted, or a negative errno, logged: -EBUSY if its files are open. */
int functionfs_unmount(const char *dir);

/* The same for all that a daemon with these options has left: what is mounted below ffs_dir or
 * belongs to a lane in the gadget, wherever it is mounted. */
int functionfs_unmount_leftovers(const struct gadget_options *options, const char *gadget);

#endif
