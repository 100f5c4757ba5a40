/* SPDX-License-Identifier: Apache-2.0 */
/* Changes and restores the settings of the terminal of stdin. */
#include "host-usb/tty.h"

#include <unistd.h>

void tty_init(struct tty *tty, int fd)
{
	*tty = (struct tty){.fd = fd};
	tty->is_terminal = tcgetattr(fd, &tty->saved) == 0;
}

/* tcsetattr stops a background job, and stops it again each time that it is continued in the
 * background. If the terminal is not our controlling terminal, tcgetpgrp fails and there are no
 * jobs. */
static bool tty_is_ours(const struct tty *tty)
{
	pid_t foreground = tcgetpgrp(tty->fd);

	return foreground < 0 || foreground == getpgrp();
}

void tty_raw(struct tty *tty)
{
	struct termios raw;

	if (!tty->is_terminal || !tty_is_ours(tty) || tcgetattr(tty->fd, &raw) < 0)
		return;
	if (!tty->changed)
		tty->saved = raw;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_iflag &= ~(tcflag_t)ICRNL;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* TCSAFLUSH would discard input that was typed ahead. */
	if (tcsetattr(tty->fd, TCSANOW, &raw) == 0)
		tty->changed = true;
}

bool tty_may_read(const struct tty *tty)
{
	return !tty->is_terminal || tty_is_ours(tty);
}

void tty_restore(struct tty *tty)
{
	/* TCSADRAIN would wait for a terminal that was stopped with Ctrl-S. */
	if (tty->changed && tty_is_ours(tty))
		tcsetattr(tty->fd, TCSANOW, &tty->saved);
	tty->changed = false;
}
