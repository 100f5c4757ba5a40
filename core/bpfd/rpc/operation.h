/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the binary protocol, and what they work on. */
#ifndef CORE_BPFD_RPC_OPERATION_H
#define CORE_BPFD_RPC_OPERATION_H

#include "core/bpfd/session.h"
#include "core/messages/rpc.h"

struct stream_set;
struct synced_map;

/* A session in the binary protocol. */
struct rpc {
	struct bpfd *bpfd;
	struct stream_set *streams;
	struct synced_map *synced_maps; /* a list */
	struct bytes_out out;		/* the message being written, and nothing else */
	uint16_t op;			/* the operation being answered */
	uint32_t tag;			/* its tag */
};

/* An operation. It must read its request to the end. It writes the payload of its reply, which
 * begins with `ret`, into rpc->out and returns 0; or it returns a negative errno, which becomes the
 * whole reply. */
typedef int rpc_handler(struct rpc *rpc, struct bytes_in *in);

rpc_handler rpc_bpf, rpc_info, rpc_btf_list, rpc_map_walk, rpc_map_sync, rpc_perf_open,
	rpc_perf_ioctl;
rpc_handler rpc_ring_open, rpc_ring_credit, rpc_ring_sync, rpc_file_follow;
rpc_handler rpc_file_stat, rpc_file_access, rpc_file_link, rpc_file_read, rpc_file_list,
	rpc_file_write;
rpc_handler rpc_file_hash;
rpc_handler rpc_file_remove, rpc_file_mkdir, rpc_file_rename;

/* Sends rpc->out as a part of the reply, and begins the next part. Returns 0; -ENOMEM; or the error
 * that keeps the session from sending. */
int rpc_next_part(struct rpc *rpc);

/* Sends rpc->out, which must hold one whole message, and empties it. */
void rpc_send(struct rpc *rpc);

#endif
