/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the worker process: start, reports, reaping, stop, and that it dies with its parent. */
#include "gadget/worker.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 30000

static bool ends_within_limit(struct worker *w, int *status)
{
	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (worker_ended(w, status))
			return true;
		usleep(10000);
	}
	return false;
}

/* Starts a worker that exits with `exit_status`, or waits for a signal if that is negative. */
static void start(struct worker *w, int exit_status)
{
	int unbound_fd, n;

	*w = (struct worker){.unbound = -1};
	n = worker_start(w, &unbound_fd);
	if (n == 1) {
		if (write(unbound_fd, "uu", 2) != 2)
			_exit(99);
		if (exit_status >= 0)
			_exit(exit_status);
		for (;;)
			pause();
	}
	assert_int_equal(n, 0);
	assert_true(w->pid > 0);
}

static void test_no_worker(void **state)
{
	struct worker w = {.unbound = -1};
	int status;

	assert_false(worker_ended(&w, &status));
	assert_false(worker_unbound(&w));
	worker_stop(&w);
}

static void test_exits(void **state)
{
	struct worker w;
	int status;

	start(&w, 3);
	assert_true(ends_within_limit(&w, &status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(w.pid, 0);
	assert_int_equal(w.unbound, -1);
	assert_false(worker_ended(&w, &status));
}

static void test_killed(void **state)
{
	struct worker w;
	int status;

	start(&w, -1);
	assert_false(worker_ended(&w, &status));
	while (!worker_unbound(&w))
		usleep(1000);
	assert_false(worker_unbound(&w));
	kill(w.pid, SIGKILL);
	assert_true(ends_within_limit(&w, &status));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* A stopped worker is ended, too: it handles SIGTERM only after SIGCONT. */
static void test_stop_stopped(void **state)
{
	struct worker w;
	pid_t pid;

	start(&w, -1);
	pid = w.pid;
	kill(pid, SIGSTOP);
	worker_stop(&w);
	assert_int_equal(w.pid, 0);
	assert_int_equal(kill(pid, 0), -1);
}

/* If the parent is killed, the worker dies. It has a pipe open, whose end shows that. */
static void test_parent_dies(void **state)
{
	int held[2];
	struct worker w;
	pid_t parent;
	char byte;

	assert_int_equal(pipe(held), 0);
	parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		close(held[0]);
		start(&w, -1);
		if (write(held[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(held[1]);
	assert_int_equal(read(held[0], &byte, 1), 1);
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	alarm(WAIT_MS / 1000);
	assert_int_equal(read(held[0], &byte, 1), 0);
	alarm(0);
	close(held[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_worker),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_stop_stopped),
		cmocka_unit_test(test_parent_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
