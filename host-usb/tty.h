/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal as stdin: lines of any length must pass, unchanged and without echo. */
#ifndef HOST_USB_TTY_H
#define HOST_USB_TTY_H

#include <stdbool.h>
#include <termios.h>

struct tty {
	int fd;
	bool is_terminal, changed;
	struct termios saved;
};

/* Looks at `fd`, which need not be a terminal; then the others have no effect. */
void tty_init(struct tty *tty, int fd);

/* Switches ICANON, ECHO and ICRNL off; ISIG stays as it is. Also to be called after the program was
 * continued. Leaves the terminal alone while another job has it. */
void tty_raw(struct tty *tty);

/* False while stdin is a terminal that another job has: reading from it would stop the program. */
bool tty_may_read(const struct tty *tty);

/* Gives the terminal its first settings back. */
void tty_restore(struct tty *tty);

#endif
