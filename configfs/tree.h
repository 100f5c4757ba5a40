/* SPDX-License-Identifier: Apache-2.0 */
/* A gadget's tree in configfs: looked at and taken down, also one made half. */
#ifndef CONFIGFS_TREE_H
#define CONFIGFS_TREE_H

#include <stdbool.h>
#include <stddef.h>

/* Looks for a function in the gadget directory `dir` that is not ffs.<name><number>. Returns 1 and
 * its name, 0 if there is none, or a negative errno. */
int tree_foreign_function(const char *dir, const char *name, char *function, size_t size);

/* Removes all of the unbound gadget directory `dir`: links, configurations, functions, strings.
 * Goes on after an error. Returns 0, also if there is none, or the first negative errno, logged. */
int tree_remove(const char *dir);

/* Whether the function is ffs.<name><number>: a lane. */
bool tree_is_lane(const char *function, const char *name);

/* Is called with an entry's path and name. A value other than 0 ends the walk, which returns it. */
typedef int tree_visit(void *arg, const char *path, const char *name);

/* Walk, sorted by name, over the functions of a gadget directory, its configurations, the links to
 * functions in all of these, the links to configurations with OS descriptors, or the gadgets in a
 * directory of gadgets. Return 0, what a visit
 * returned, or a negative errno; a directory that is not there is empty. */
int tree_functions(const char *dir, tree_visit *visit, void *arg);
int tree_configs(const char *dir, tree_visit *visit, void *arg);
int tree_links(const char *dir, tree_visit *visit, void *arg);
int tree_os_configs(const char *dir, tree_visit *visit, void *arg);
int tree_gadgets(const char *root, tree_visit *visit, void *arg);

/* Take the lanes of that name out of the configurations of the gadget directory `dir`; remove their
 * functions. The kernel unbinds a gadget for the first. They go on after an error. Return 0, also
 * if there are none, or the first negative errno, logged. */
int tree_unlink_lanes(const char *dir, const char *name);
int tree_remove_lanes(const char *dir, const char *name);

#endif
