/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the binary protocol (PROTOCOL.md, part 3). */
#ifndef CORE_BPFD_RPC_SERVER_H
#define CORE_BPFD_RPC_SERVER_H

struct bpfd;

/* Answers requests until the session's input ends. Returns 0; -EPROTO: the input is not a message,
 * or ends within one; or an error of bpfd_serve(). */
int rpc_serve(struct bpfd *bpfd);

#endif
