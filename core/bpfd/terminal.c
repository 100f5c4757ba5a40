/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal on stdin. In canonical mode the kernel cuts lines at 4095 bytes and echoes them. */
#include "core/bpfd/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* The kernel stops a background process that changes its terminal with SIGTTOU. Blocked, so that a
 * session that is ending is not stopped halfway. */
static int set_modes(int fd, const struct termios *modes)
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

int terminal_open(struct terminal *terminal, int fd)
{
	struct termios raw;
	int err;

	terminal->fd = fd;
	terminal->is_changed = false;
	if (!isatty(fd) || tcgetattr(fd, &terminal->before) < 0)
		return 0;
	raw = terminal->before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ECHONL);
	raw.c_iflag &= (tcflag_t)~ICRNL;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	err = set_modes(fd, &raw);
	terminal->is_changed = err == 0;
	return err;
}

int terminal_eof_byte(const struct terminal *terminal)
{
	cc_t byte = terminal->before.c_cc[VEOF];

	return terminal->is_changed && byte != _POSIX_VDISABLE ? byte : -1;
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->is_changed)
		set_modes(terminal->fd, &terminal->before);
	terminal->is_changed = false;
}
