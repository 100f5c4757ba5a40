/* SPDX-License-Identifier: Apache-2.0 */
/* Large files of boards that do not change are kept: in $XDG_CACHE_HOME/bpfd or ~/.cache/bpfd. */
#ifndef HOST_USB_RUN_FILES_CACHE_H
#define HOST_USB_RUN_FILES_CACHE_H

#include <stdint.h>

struct cache;
struct remote;
struct rpc_hello;

/* `board` is filled in by the time that something is opened. Returns 0, -ENOMEM. */
int cache_new(struct cache **cache, struct remote *remote, const struct rpc_hello *board);
void cache_free(struct cache *cache);

/* A descriptor of the kept copy, which is fetched if there is none. Returns -ENOENT: this file is
 * not one of those that are kept, or it cannot be; or what fetching it fails with. */
int cache_open(struct cache *cache, const char *path);

/* The type information of the kernel or of a module, of that size in bytes: the kept copy or, if it
 * cannot be kept, the board's file. Returns a descriptor, or a negative errno. */
int cache_open_btf(struct cache *cache, const char *name, uint64_t size);

#endif
