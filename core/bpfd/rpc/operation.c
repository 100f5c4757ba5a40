/* SPDX-License-Identifier: Apache-2.0 */
/* Sends the messages of operations: replies, parts of replies, streams. */
#include "core/bpfd/rpc/operation.h"

#include "core/bpfd/reply.h"

#include <errno.h>

#define OUT_KEEP (1024 * 1024) /* bytes of memory kept for the next message */

void rpc_send(struct rpc *rpc)
{
	reply_bytes(rpc->bpfd->reply, rpc->out.data, rpc->out.size);
	rpc->out.size = 0;
	if (rpc->out.room > OUT_KEEP)
		bytes_out_free(&rpc->out);
}

int rpc_next_part(struct rpc *rpc)
{
	struct rpc_header header = {.tag = rpc->tag, .op = rpc->op};

	if (rpc->out.failed)
		return -ENOMEM;
	header.length = (uint32_t)(rpc->out.size - RPC_HEADER_SIZE);
	header.flags = RPC_FLAG_REPLY | RPC_FLAG_MORE;
	rpc_header_put(rpc->out.data, &header);
	rpc_send(rpc);
	rpc_begin(&rpc->out, rpc->op, RPC_FLAG_REPLY, rpc->tag);
	return reply_error(rpc->bpfd->reply);
}
