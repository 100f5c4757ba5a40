/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal as stdin: passes lines of any length, unchanged and without echo. */
#ifndef HOST_USB_TTY_H
#define HOST_USB_TTY_H

#include <stdbool.h>
#include <termios.h>

struct tty {
	int fd;
	bool is_terminal, changed;
	struct termios saved;
};

/* `fd` need not be a terminal; if it is not, the other functions have no effect. */
void tty_init(struct tty *tty, int fd);

/* Switches ICANON, ECHO and ICRNL off and leaves ISIG as it is. Does nothing while another job owns
 * the terminal, so it must be called again after the program was continued. */
void tty_raw(struct tty *tty);

/* False while another job owns the terminal: reading from it would stop this program. */
bool tty_may_read(const struct tty *tty);

/* Restores the settings of the terminal. */
void tty_restore(struct tty *tty);

#endif
