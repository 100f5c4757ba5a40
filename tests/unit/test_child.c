/* SPDX-License-Identifier: Apache-2.0 */
/* Tests processes of sessions: pipes, status, a failed exec, their end, the run that cleans up. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "gadget/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 60000

static char *shell_argv[] = {(char *)"/bin/sh", (char *)"-c", NULL, NULL};

static struct children *shell(const char *script)
{
	struct children *all;

	shell_argv[2] = (char *)script;
	all = children_new(shell_argv);
	assert_non_null(all);
	return all;
}

static int start_shell(struct children *all, struct child **child)
{
	return child_start(all, shell_argv, child);
}

static void wait_end(struct children *all, struct child *child, int *code, int *signal)
{
	uint64_t end = clock_boottime_ms() + WAIT_MS;

	while (!child_ended(child, code, signal)) {
		assert_true(clock_boottime_ms() < end);
		poll(NULL, 0, 5);
		children_tick(all, clock_boottime_ms());
	}
}

static ssize_t read_some(int fd, char *buffer, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	return read(fd, buffer, size);
}

/* Waits until no child of this process is left. */
static void wait_none(struct children *all)
{
	uint64_t end = clock_boottime_ms() + WAIT_MS;

	do {
		assert_true(clock_boottime_ms() < end);
		children_tick(all, clock_boottime_ms());
		poll(NULL, 0, 5);
	} while (waitpid(-1, NULL, WNOHANG) >= 0); /* reaps those of earlier tests, too */
	assert_int_equal(errno, ECHILD);
}

static void test_pipes_and_status(void **state)
{
	struct children *all = shell("read line; echo \"got $line\"; echo oops >&2; exit 7");
	struct child *child;
	char buffer[64];
	int code, signal;
	ssize_t n;

	assert_int_equal(start_shell(all, &child), 0);
	assert_int_equal(write(child_stdin(child), "it\n", 3), 3);
	n = read_some(child_stdout(child), buffer, sizeof(buffer));
	assert_int_equal(n, 7);
	assert_memory_equal(buffer, "got it\n", 7);
	n = read_some(child_stderr(child), buffer, sizeof(buffer));
	assert_int_equal(n, 5);
	wait_end(all, child, &code, &signal);
	assert_int_equal(code, 7);
	assert_int_equal(signal, 0);
	child_release(all, child);
	children_free(all);
}

static void test_killed_by_signal(void **state)
{
	struct children *all = shell("kill -9 $$");
	struct child *child;
	int code, signal;

	assert_int_equal(start_shell(all, &child), 0);
	wait_end(all, child, &code, &signal);
	assert_int_equal(signal, SIGKILL);
	child_release(all, child);
	children_free(all);
}

static void test_failed_exec(void **state)
{
	char *argv[] = {(char *)"/no/such/program", NULL};
	struct children *all = children_new(argv);
	struct child *child = NULL;

	assert_int_equal(child_start(all, argv, &child), -ENOENT);
	assert_null(child);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no process is left to reap */
	children_free(all);
}

/* A process that ignores SIGTERM is killed, and child_release() does not wait for that. */
static void test_sigterm_ignored(void **state)
{
	struct children *all = shell("trap '' TERM; echo up; while :; do sleep 0.1; done");
	struct child *child;
	char buffer[8];
	uint64_t start;

	assert_int_equal(start_shell(all, &child), 0);
	assert_int_equal(read_some(child_stdout(child), buffer, sizeof(buffer)), 3);
	start = clock_boottime_ms();
	child_release(all, child);
	assert_true(clock_boottime_ms() - start < 1000);
	assert_true(children_deadline(all) <= clock_boottime_ms() + CHILD_GRACE_MS);
	children_free(all);
	assert_true(clock_boottime_ms() - start >= CHILD_GRACE_MS);
}

/* After a process that a signal killed, the program runs once more without input, and only once. */
static void test_cleanup_run(void **state)
{
	char path[] = "/tmp/test_child.XXXXXX", script[128], line[16] = "";
	struct children *all;
	struct child *child;
	int code, signal, fd = mkstemp(path);

	assert_true(fd >= 0);
	snprintf(script, sizeof(script), "echo run >>%s; cat >/dev/null; kill -9 $$", path);
	all = shell(script);
	assert_int_equal(start_shell(all, &child), 0);
	child_close_stdin(child);
	wait_end(all, child, &code, &signal);
	child_release(all, child);
	wait_none(all);
	assert_int_equal(read(fd, line, sizeof(line)), 8); /* "run" twice */
	close(fd);
	unlink(path);
	children_free(all);
}

/* A host that opens sessions without end does not fill the board with processes. */
static void test_process_limit(void **state)
{
	struct children *all = shell("kill -9 $$");
	struct child *child;
	int err = 0, started;
	uint64_t end;

	for (started = 0; started < 2 * CHILDREN_MAX; started++) {
		err = start_shell(all, &child);
		if (err < 0)
			break;
		child_release(all, child);
	}
	assert_int_equal(started, CHILDREN_MAX);
	assert_int_equal(err, -EAGAIN);
	end = clock_boottime_ms() + WAIT_MS;
	while (start_shell(all, &child) == -EAGAIN) {
		assert_true(clock_boottime_ms() < end);
		poll(NULL, 0, 5);
		children_tick(all, clock_boottime_ms());
	}
	children_free(all);
}

/* The process inherits only its pipes, and what this test has inherited without close-on-exec. */
static void test_inherited_descriptors(void **state)
{
	struct children *all = shell("ls /proc/self/fd | wc -l");
	struct child *child;
	char buffer[16] = "";
	int inherited = 3;

	for (int fd = 3; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		inherited += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	assert_int_equal(start_shell(all, &child), 0);
	read_some(child_stdout(child), buffer, sizeof(buffer) - 1);
	assert_int_equal(atoi(buffer), inherited + 1); /* ls has the directory open */
	child_release(all, child);
	children_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipes_and_status),
		cmocka_unit_test(test_killed_by_signal),
		cmocka_unit_test(test_failed_exec),
		cmocka_unit_test(test_sigterm_ignored),
		cmocka_unit_test(test_cleanup_run),
		cmocka_unit_test(test_process_limit),
		cmocka_unit_test(test_inherited_descriptors),
	};

	log_open("test_child", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
