/* SPDX-License-Identifier: Apache-2.0 */
/* Tests signals through a descriptor: pending ones, and SIGCHLD that the parent ignored. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/signal_fd.h"

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

static void test_signals(void **state)
{
	int fd = signal_fd_open((const int[]){SIGUSR1, SIGUSR2, 0});

	assert_true(fd >= 0);
	assert_int_equal(signal_fd_next(fd), 0);
	raise(SIGUSR2);
	raise(SIGUSR2);
	wait_readable(fd);
	assert_int_equal(signal_fd_next(fd), SIGUSR2);
	assert_int_equal(signal_fd_next(fd), 0);
	close(fd);
}

/* If SIGCHLD stayed ignored, it would not be received and a child would leave no status. */
static void test_ignored_child(void **state)
{
	int fd, status;
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	fd = signal_fd_open((const int[]){SIGCHLD, 0});
	assert_true(fd >= 0);
	pid = fork();
	if (pid == 0)
		_exit(7);
	wait_readable(fd);
	assert_int_equal(signal_fd_next(fd), SIGCHLD);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_ignored_child),
	};

	return cmocka_run_group_tests_name("signal_fd", tests, NULL, NULL);
}
