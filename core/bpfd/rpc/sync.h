/* SPDX-License-Identifier: Apache-2.0 */
/* Maps whose memory a program on the host has mapped: see MAP_SYNC in rpc_sync.c. */
#ifndef CORE_BPFD_RPC_SYNC_H
#define CORE_BPFD_RPC_SYNC_H

#include <stdint.h>

struct rpc;

/* Lets go of the map's memory, which cannot be frozen while it may be written; it is mapped again
 * when it is next needed. */
void mirror_unmap(struct rpc *rpc, uint32_t handle);

/* Ends the mirror of a handle, if there is one, or all. */
void mirror_close(struct rpc *rpc, uint32_t handle);
void mirror_close_all(struct rpc *rpc);

#endif
