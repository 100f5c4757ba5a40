/* SPDX-License-Identifier: Apache-2.0 */
/* The command that connects to bpfd on the board, over its stdin and stdout. */
#ifndef HOST_USB_RUN_VIA_H
#define HOST_USB_RUN_VIA_H

#include <sys/types.h>

#define VIA_IDENTITY_SIZE 4096 /* bytes; a longer command is cut */

/* In its environment bpfd-usb finds the descriptor of the file for the board's serial number. */
#define VIA_BOARD_VARIABLE "BPFD_BOARD_FD"

struct via {
	pid_t pid;
	int in, out; /* we read its stdout from `in` and write its stdin to `out` */
	int board;   /* memory file for the serial number of the board; -1 if there is none */
};

/* Starts the command with /bin/sh in a session of its own. So Ctrl-C reaches only the tool, which
 * still needs the board after it. Returns 0 or a negative errno. */
int via_start(struct via *via, const char *command);

/* Waits for bpfd's banner and switches the stream to the binary protocol. Returns 0, or -EPROTO
 * after logging why. */
int via_handshake(const struct via *via, const char *command);

/* Writes the text that identifies the board among others: the serial number or bus path that
 * bpfd-usb has reported, or else the command. To be called after the handshake. */
void via_identity(const struct via *via, const char *command, char text[VIA_IDENTITY_SIZE]);

/* Closes the command's stdin, waits a while for it to exit, then kills it. Returns its wait status,
 * or -1 if it is unknown. */
int via_end(struct via *via);

#endif
