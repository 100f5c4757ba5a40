/* SPDX-License-Identifier: Apache-2.0 */
/* Large files of boards that do not change are kept: in $XDG_CACHE_HOME/bpfd or ~/.cache/bpfd. */
#ifndef HOST_USB_RUN_FILES_CACHE_H
#define HOST_USB_RUN_FILES_CACHE_H

#include <stdint.h>

struct cache;
struct files;

int cache_new(struct cache **cache, struct files *files);
void cache_free(struct cache *cache);

/* A descriptor of the kept copy, which is fetched if there is none. Returns -ENOENT: this file is
 * not one of those that are kept, or it cannot be; or what fetching it fails with. */
int cache_open(struct cache *cache, const char *path);

/* The same for a file of /sys/kernel/btf whose size is known. */
int cache_open_btf(struct cache *cache, const char *path, uint64_t size);

#endif
