/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps large constant files of boards in $XDG_CACHE_HOME/bpfd or ~/.cache/bpfd. */
#ifndef HOST_USB_RUN_FILES_CACHE_H
#define HOST_USB_RUN_FILES_CACHE_H

#include <stdint.h>

struct cache;
struct remote;
struct rpc_hello;

/* Makes a cache. `board` is not copied and must be filled in before the first open. Returns 0 or
 * -ENOMEM. */
int cache_new(struct cache **cache, struct remote *remote, const struct rpc_hello *board);
void cache_free(struct cache *cache);

/* Opens the kept copy of a file, and fetches it first if there is none. Returns a descriptor;
 * -ENOENT: files of this kind are not kept, or there is no place for copies; or the errno of
 * fetching it. */
int cache_open(struct cache *cache, const char *path);

/* Opens the BTF of the kernel or a module, `size` bytes: the kept copy, or the board's file if it
 * cannot be kept. Returns a descriptor or a negative errno. */
int cache_open_btf(struct cache *cache, const char *name, uint64_t size);

#endif
