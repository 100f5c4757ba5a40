/* SPDX-License-Identifier: Apache-2.0 */
/* One daemon at a time has the directory of the mounts. */
#ifndef CONFIGFS_LOCK_H
#define CONFIGFS_LOCK_H

#include "configfs/options.h"

/* Makes and locks ffs_dir; waits a second for a dying process. Returns a descriptor for
 * lock_release() or a negative errno, logged: -EBUSY if another daemon has it. */
int lock_take(const struct gadget_options *options);

/* Removes the directory unless somebody keeps something there. */
void lock_release(const struct gadget_options *options, int fd);

#endif
