/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of the cache: a user's private files by name, within a quota. */
#ifndef HOST_USB_RUN_FILES_STORE_H
#define HOST_USB_RUN_FILES_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct store;

/* Names of entries that belong to one run start with this. Such a file or directory is removed by
 * the next run, unless a lock (flock(2)) is held on it. */
#define STORE_TEMPORARY "tmp."

/* Opens $XDG_CACHE_HOME/bpfd or ~/.cache/bpfd, and makes it if needed. Removes entries that were
 * not used for long, and what killed runs have left. Returns NULL if there is no such place, or if
 * another user owns the directory or can write it; logs the reason. */
struct store *store_open(void);
void store_close(struct store *store);

/* Opens an entry for reading and renews its time of use. Returns a descriptor or -ENOENT. */
int store_get(struct store *store, const char *name);

/* Adds a copy of the contents of `fd`, and removes the least recently used entries if the quota
 * requires it. A failure is logged and has no other effect. */
void store_put(struct store *store, const char *name, int fd);

/* Returns the path of the directory, where the caller may make entries of its own run. */
const char *store_path(const struct store *store);

/* Returns true if `size` bytes do not exceed the quota. */
bool store_has_room(const struct store *store, uint64_t size);

/* Opens an entry that is a directory, and renews its time of use. It is not removed until the
 * descriptor is closed. Returns the descriptor or -ENOENT. */
int store_get_directory(struct store *store, const char *name);

/* Renames a complete directory of this run to an entry, or removes it if there is such an entry.
 * Returns 0 or a negative errno. */
int store_put_directory(struct store *store, const char *name, const char *temporary);

/* Removes an entry. */
void store_remove(struct store *store, const char *name);

/* Removes all entries whose names start with `prefix`, except `keep`. */
void store_remove_others(struct store *store, const char *prefix, const char *keep);

#endif
