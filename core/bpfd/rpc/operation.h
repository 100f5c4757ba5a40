/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the binary protocol, and the messages that they send. */
#ifndef CORE_BPFD_RPC_OPERATION_H
#define CORE_BPFD_RPC_OPERATION_H

#include "core/bpfd/session.h"
#include "core/messages/rpc.h"

struct mirror;
struct stream_set;

/* What the operations work on. */
struct rpc {
	struct bpfd *bpfd;
	struct stream_set *streams;
	struct mirror *mirrors; /* a list */
	struct bytes_out out;	/* the message that is being written, nothing else */
	uint16_t op;		/* that is being answered */
	uint32_t tag;
};

/* Reads its request, which it must read whole, and writes the payload of its reply, beginning with
 * `ret`, into rpc->out. Or returns a negative errno: it is then the whole reply. */
typedef int rpc_handler(struct rpc *rpc, struct bytes_in *in);

/* Sends what is in rpc->out as a part of the reply that is not the last one, and begins the next.
 * Returns 0; -ENOMEM; or why nothing can be sent any more. */
int rpc_next_part(struct rpc *rpc);

/* Sends a message of the board's own accord from rpc->out, which holds it whole. */
void rpc_send(struct rpc *rpc);

rpc_handler rpc_bpf, rpc_info, rpc_btf_list, rpc_map_walk, rpc_map_sync, rpc_perf_open,
	rpc_perf_ioctl;
rpc_handler rpc_ring_open, rpc_ring_credit, rpc_file_follow;
rpc_handler rpc_file_stat, rpc_file_access, rpc_file_link, rpc_file_read, rpc_file_list,
	rpc_file_write;

#endif
