/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal on stdin: in canonical mode the kernel cuts lines at 4095 bytes and echoes them. */
#include "core/bpfd/tty.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* A process in the background that changes its terminal is stopped with SIGTTOU, and one that
 * ends must not be stopped half-way: the signal is held back during the change. */
static int tty_set(int fd, const struct termios *modes)
{
	sigset_t ttou, before;
	int err;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &before);
	do
		err = tcsetattr(fd, TCSANOW, modes) < 0 ? -errno : 0;
	while (err == -EINTR);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

int tty_raw(struct tty *tty, int fd)
{
	struct termios raw;
	int err;

	tty->fd = fd;
	tty->changed = false;
	if (!isatty(fd) || tcgetattr(fd, &tty->before) < 0)
		return 0;
	raw = tty->before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ECHONL);
	raw.c_iflag &= (tcflag_t)~ICRNL;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	err = tty_set(fd, &raw);
	tty->changed = err == 0;
	return err;
}

int tty_eof_byte(const struct tty *tty)
{
	return tty->changed && tty->before.c_cc[VEOF] != _POSIX_VDISABLE ? tty->before.c_cc[VEOF]
									 : -1;
}

void tty_restore(struct tty *tty)
{
	if (tty->changed)
		tty_set(tty->fd, &tty->before);
	tty->changed = false;
}
