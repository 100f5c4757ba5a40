/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over a gadget's tree in configfs and removes it, even if it is incomplete. */
#ifndef CONFIGFS_GADGET_TREE_H
#define CONFIGFS_GADGET_TREE_H

#include <stdbool.h>
#include <stddef.h>

/* Looks for a function in the gadget directory `dir` that is not a lane, ffs.<name><number>.
 * Returns 1 and its name in `function`, 0 if there is none, or a negative errno. */
int gadget_tree_foreign_function(const char *dir, const char *name, char *function, size_t size);

/* Removes the unbound gadget directory `dir` and all in it: links, configurations, functions,
 * strings. Continues after an error. Returns 0, also if there is no such directory, or the first
 * negative errno, logged. */
int gadget_tree_remove(const char *dir);

/* Returns true if the function is a lane, ffs.<name><number>. */
bool gadget_tree_is_lane(const char *function, const char *name);

/* Called with the path and the name of an entry. If it returns another value than 0, the walk ends
 * and returns that value. */
typedef int gadget_tree_visit(void *arg, const char *path, const char *name);

/* Walk, sorted by name, over the functions of the gadget directory `dir`, over its configurations,
 * over the links to functions in all configurations, over the links to configurations with OS
 * descriptors, or over the languages of its strings; gadget_tree_gadgets() over the gadgets in
 * `root`. A missing directory counts as empty. Return 0, the value of the visit that ended the
 * walk, or a negative errno. */
int gadget_tree_functions(const char *dir, gadget_tree_visit *visit, void *arg);
int gadget_tree_configs(const char *dir, gadget_tree_visit *visit, void *arg);
int gadget_tree_links(const char *dir, gadget_tree_visit *visit, void *arg);
int gadget_tree_os_configs(const char *dir, gadget_tree_visit *visit, void *arg);
int gadget_tree_languages(const char *dir, gadget_tree_visit *visit, void *arg);
int gadget_tree_gadgets(const char *root, gadget_tree_visit *visit, void *arg);

/* Remove the lanes of that name in the gadget directory `dir`: gadget_tree_unlink_lanes() from the
 * configurations, for which the kernel unbinds the gadget, and gadget_tree_remove_lanes() the
 * functions. Both continue after an error. Return 0, also if there are none, or the first negative
 * errno, logged. */
int gadget_tree_unlink_lanes(const char *dir, const char *name);
int gadget_tree_remove_lanes(const char *dir, const char *name);

#endif
