/* SPDX-License-Identifier: Apache-2.0 */
/* The board's side of the binary protocol (PROTOCOL.md, part 3). */
#ifndef CORE_BPFD_RPC_SERVER_H
#define CORE_BPFD_RPC_SERVER_H

struct bpfd;

/* Answers messages on the streams of the session until the input ends. Returns 0; -EPROTO: the
 * input is not a message, or ends within one; and the errors of bpfd_serve(). */
int rpc_serve(struct bpfd *bpfd);

#endif
