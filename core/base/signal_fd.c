/* SPDX-License-Identifier: Apache-2.0 */
/* Receives signals through signalfd(2). */
#include "core/base/signal_fd.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

int signal_fd_open(const int *list)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (; *list; list++) {
		/* The parent may have ignored SIGCHLD: children would then leave no status. */
		if (*list == SIGCHLD)
			signal(SIGCHLD, SIG_DFL);
		sigaddset(&set, *list);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool signal_fd_read(int fd, struct signalfd_siginfo *info)
{
	return read(fd, info, sizeof(*info)) == (ssize_t)sizeof(*info);
}

int signal_fd_next(int fd)
{
	struct signalfd_siginfo info;

	return signal_fd_read(fd, &info) ? (int)info.ssi_signo : 0;
}
