/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the file tree share: forms of paths, and the walk along links. */
#ifndef CORE_BPFD_FILES_TREE_PRIVATE_H
#define CORE_BPFD_FILES_TREE_PRIVATE_H

#include <limits.h>
#include <stdbool.h>

struct paths;

/* True if a path is absolute, shorter than PATH_MAX, and has no empty component, "." or "..". */
bool tree_is_valid(const char *path);

/* Returns the part of a path after /proc/PID/root, or NULL; never "". */
const char *tree_root_rest(const char *path);

/* True if a path in a root is a file to which JIT compilers write symbols: /tmp/perf-PID.map. */
bool tree_is_symbols(const char *path);

/* True if a client may follow all links on a path in /sys that leads to /sys/devices. Without
 * `follow` a link at the end of the path is not followed. */
bool tree_links_allowed(const struct paths *paths, const char *path, bool follow);

/* Opens a path as O_PATH. `root` is a descriptor of the directory that serves as "/", also for the
 * targets of links. Without `follow` a link at the end of the path is opened itself; without
 * `links` no component may be a link. Returns the descriptor; -ELOOP: a link that is not allowed,
 * or too many; or a negative errno. */
int tree_walk(int root, const char *path, bool follow, bool links);

#endif
