/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps large files of boards that rarely change, see store.h for where. */
#ifndef HOST_USB_RUN_FILES_CACHE_H
#define HOST_USB_RUN_FILES_CACHE_H

struct cache;
struct remote;
struct rpc_hello;
struct store;

/* Makes a cache. `board` is not copied and must be filled in before the first open. Returns 0 or
 * -ENOMEM. */
int cache_new(struct cache **cache, struct remote *remote, const struct rpc_hello *board);
void cache_free(struct cache *cache);

/* Sets the text that identifies the board among others: its serial number, or the command that
 * connects to it. Until then files that depend on the board's boot are not kept. */
void cache_identify(struct cache *cache, const char *board);

/* Returns the directory of the cache, or NULL if there is no place for copies. */
struct store *cache_store(const struct cache *cache);

/* Opens a file of the board: the kept copy, which is made if there is none, or for a program the
 * workstation's own file with the same contents. Returns a descriptor; -ENOENT: files of this kind
 * are not kept, or there is no place for copies; or the errno of fetching it. */
int cache_open(struct cache *cache, const char *path);

/* Opens the BTF of the kernel or a module: the kept copy, or the board's file if it cannot be kept.
 * Returns a descriptor or a negative errno. */
int cache_open_btf(struct cache *cache, const char *name);

#endif
