/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a session: text commands first, and binary messages once the client asks for them. */
#ifndef CORE_BPFD_SERVE_H
#define CORE_BPFD_SERVE_H

struct bpfd;

/* Greets the client, then answers commands, and messages after BPFD_RPC, until "exit" or the end of
 * input. Returns 0; -EPIPE: the client no longer reads the replies; -EINTR: stopped by a signal;
 * -EPROTO: a message is malformed; or the errno of reading or writing. */
int bpfd_serve(struct bpfd *bpfd);

#endif
