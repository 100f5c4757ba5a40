/* SPDX-License-Identifier: Apache-2.0 */
/* A gadget's tree in configfs: looked at and taken down, also one made half. */
#ifndef CONFIGFS_TREE_H
#define CONFIGFS_TREE_H

#include <stddef.h>

/* Looks for a function in the gadget directory `dir` that is not ffs.<name><number>. Returns 1 and
 * its name, 0 if there is none, or a negative errno. */
int tree_foreign_function(const char *dir, const char *name, char *function, size_t size);

/* Removes all of the unbound gadget directory `dir`: links, configurations, functions, strings.
 * Goes on after an error. Returns 0, also if there is none, or the first negative errno, logged. */
int tree_remove(const char *dir);

#endif
