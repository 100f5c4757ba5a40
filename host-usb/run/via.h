/* SPDX-License-Identifier: Apache-2.0 */
/* The way to the board: a command whose standard input and output are those of bpfd there. */
#ifndef HOST_USB_RUN_VIA_H
#define HOST_USB_RUN_VIA_H

#include <sys/types.h>

struct via {
	pid_t pid;
	int in, out; /* what it writes, what it reads */
};

/* Starts the command, by /bin/sh and in a session of its own: Ctrl-C is for the tool, which then
 * still has to talk to the board. Returns 0 or a negative errno. */
int via_start(struct via *via, const char *command);

/* Waits for bpfd's banner and turns its stream into the binary protocol. Returns 0, or -EPROTO
 * having said why. */
int via_handshake(const struct via *via, const char *command);

/* Ends its input and waits for it, for a while, then ends it. Returns its wait status, -1: unknown.
 */
int via_end(struct via *via);

#endif
