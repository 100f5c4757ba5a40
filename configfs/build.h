/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a new gadget directory by means of libusbgx. */
#ifndef CONFIGFS_BUILD_H
#define CONFIGFS_BUILD_H

#include "configfs/options.h"

#define BUILD_CONFIG "c.1" /* the configuration's directory */

/* Gives the empty gadget directory `dir` its attributes, strings, one FunctionFS function a lane,
 * the configuration and Microsoft's OS descriptors. Returns 0, or a negative errno, logged with the
 * step that failed; what has been made is left to tree_remove(). */
int build_gadget(const struct gadget_options *options, const char *dir);

/* Removes what a build_gadget() that was killed left in ffs_dir. */
void build_clean(const struct gadget_options *options);

#endif
