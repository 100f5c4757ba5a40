/* SPDX-License-Identifier: Apache-2.0 */
/* Lets a terminal on stdin carry command lines of any length, and restores it afterwards. */
#ifndef CORE_BPFD_TERMINAL_H
#define CORE_BPFD_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
	int fd;
	bool is_changed;
	struct termios before;
};

/* If fd is a terminal, switches off line editing, echo, and the translation of CR to NL. Ctrl-C
 * still raises a signal. Returns 0, also if fd is not a terminal, or the errno of tcsetattr(3). */
int terminal_open(struct terminal *terminal, int fd);

/* The character that means end of input on this terminal; -1 if there is none. */
int terminal_eof_byte(const struct terminal *terminal);

/* Restores the modes that terminal_open changed. */
void terminal_restore(struct terminal *terminal);

#endif
