/* SPDX-License-Identifier: Apache-2.0 */
/* Lets the event loop restore the terminal and close the session before a signal acts. */
#include "host-usb/signals.h"

#include "core/base/signal_fd.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

int signals_open(void)
{
	static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT};
	int list[sizeof(handled) / sizeof(handled[0]) + 1] = {0}, count = 0;
	struct sigaction old;

	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++) {
		/* nohup or a shell with a background job ignores it, but a signalfd would receive
		 * it. */
		if (sigaction(handled[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		list[count++] = handled[i];
	}
	return signal_fd_open(list);
}

static void raise_default(int number, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, old);
}

void signals_stop(int number)
{
	sigset_t old;

	raise_default(number, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void signals_die(int number)
{
	raise_default(number, NULL);
	_exit(128 + number); /* the first process of a container ignores default actions */
}
