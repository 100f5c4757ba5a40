/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a new gadget directory in configfs with libusbgx. */
#ifndef CONFIGFS_BUILD_H
#define CONFIGFS_BUILD_H

#include "configfs/options.h"

#define BUILD_CONFIG "c.1" /* directory of the configuration */

/* Fills the empty gadget directory `dir`: attributes, strings, one FunctionFS function for each
 * lane, the configuration and Microsoft OS descriptors. Returns 0, or a negative errno after
 * logging the step that failed. After an error the caller removes the gadget with
 * gadget_tree_remove(). */
int build_gadget(const struct gadget_options *options, const char *dir);

/* Removes what a build_gadget() left in ffs_dir when it was killed. */
void build_clean(const struct gadget_options *options);

#endif
