/* SPDX-License-Identifier: Apache-2.0 */
/* Names of paths, for the two files that implement the trees. */
#ifndef CORE_BPFD_FILES_TREE_PRIVATE_H
#define CORE_BPFD_FILES_TREE_PRIVATE_H

#include <limits.h>
#include <stdbool.h>

/* Whether a path is absolute, not too long, and without empty components, "." and "..". */
bool tree_is_valid(const char *path);

/* What comes behind the directory in a path, "" if it is the directory itself, NULL if it is not in
 * it. */
const char *tree_below(const char *path, const char *directory);

/* The same for tracefs, which has two names. */
const char *tree_tracefs_rest(const char *path);

/* What comes behind /proc/PID/root, or NULL; never "". */
const char *tree_root_rest(const char *path);

/* Whether a path in a root is what just-in-time compilers write their symbols to. */
bool tree_is_symbols(const char *path);

/* Opens a path as O_PATH as if the directory `root` were "/", whatever links say; without `follow`
 * a link at its end is opened itself, without `links` there must be none. Returns the descriptor;
 * -ELOOP: a link that must not be, or too many; or the errno. */
int tree_walk(int root, const char *path, bool follow, bool links);

#endif
