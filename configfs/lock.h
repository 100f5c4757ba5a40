/* SPDX-License-Identifier: Apache-2.0 */
/* A lock on ffs_dir, so that only one daemon at a time uses it. */
#ifndef CONFIGFS_LOCK_H
#define CONFIGFS_LOCK_H

#include "configfs/options.h"

/* Makes and locks ffs_dir. Waits up to a second for a process that is exiting. Returns a descriptor
 * for lock_release(), or a negative errno, logged: -EBUSY if another daemon has the lock. */
int lock_take(const struct gadget_options *options);

/* Removes the directory if it is empty, and releases the lock. */
void lock_release(const struct gadget_options *options, int fd);

#endif
