/* SPDX-License-Identifier: Apache-2.0 */
/* Synced maps: the host mirrors the memory of a map by MAP_SYNC. */
#ifndef CORE_BPFD_RPC_SYNC_H
#define CORE_BPFD_RPC_SYNC_H

#include <stdint.h>

struct rpc;

/* Unmaps the map's memory, because the kernel does not freeze a map that is mapped writable. The
 * next MAP_SYNC maps it again. */
void synced_map_unmap(struct rpc *rpc, uint32_t handle);

/* Frees the synced map of a handle, if there is one, or all. */
void synced_map_close(struct rpc *rpc, uint32_t handle);
void synced_map_close_all(struct rpc *rpc);

#endif
