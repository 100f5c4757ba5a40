/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of the cache: a user's private files by name, within a quota. */
#ifndef HOST_USB_RUN_FILES_STORE_H
#define HOST_USB_RUN_FILES_STORE_H

struct store;

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

/* Removes an entry. */
void store_remove(struct store *store, const char *name);

/* Removes all entries whose names start with `prefix`, except `keep`. */
void store_remove_others(struct store *store, const char *prefix, const char *keep);

#endif
