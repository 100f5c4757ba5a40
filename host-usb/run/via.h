/* SPDX-License-Identifier: Apache-2.0 */
/* The command that connects to bpfd on the board, over its stdin and stdout. */
#ifndef HOST_USB_RUN_VIA_H
#define HOST_USB_RUN_VIA_H

#include <sys/types.h>

struct via {
	pid_t pid;
	int in, out; /* we read its stdout from `in` and write its stdin to `out` */
};

/* Starts the command with /bin/sh in a session of its own. So Ctrl-C reaches only the tool, which
 * still needs the board after it. Returns 0 or a negative errno. */
int via_start(struct via *via, const char *command);

/* Waits for bpfd's banner and switches the stream to the binary protocol. Returns 0, or -EPROTO
 * after logging why. */
int via_handshake(const struct via *via, const char *command);

/* Closes the command's stdin, waits a while for it to exit, then kills it. Returns its wait status,
 * or -1 if it is unknown. */
int via_end(struct via *via);

#endif
