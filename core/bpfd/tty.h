/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a terminal on stdin carry command lines of any length, and restores it. */
#ifndef CORE_BPFD_TTY_H
#define CORE_BPFD_TTY_H

#include <stdbool.h>
#include <termios.h>

struct tty {
	int fd;
	bool changed;
	struct termios before;
};

/* If fd is a terminal, switches line editing, echo and the change of CR to NL off; Ctrl-C stays a
 * signal. Returns 0, also for what is no terminal; what tcsetattr(3) failed with. */
int tty_raw(struct tty *tty, int fd);

/* The character that means end of input on this terminal, -1 for what is none. */
int tty_eof_byte(const struct tty *tty);

/* Sets the terminal back to what it was, if tty_raw changed it. */
void tty_restore(struct tty *tty);

#endif
