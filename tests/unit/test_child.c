/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of sessions: pipes, statuses, a failed exec, ending, the sweep after a violent end. */
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

#define WAIT_MS 10000

static struct children *shell(const char *script)
{
	static char *argv[] = {(char *)"/bin/sh", (char *)"-c", NULL, NULL};
	struct children *all;

	argv[2] = (char *)script;
	all = children_new(argv);
	assert_non_null(all);
	return all;
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

/* True once no process of ours is left. */
static void wait_none(struct children *all)
{
	uint64_t end = clock_boottime_ms() + WAIT_MS;

	do {
		assert_true(clock_boottime_ms() < end);
		children_tick(all, clock_boottime_ms());
		poll(NULL, 0, 5);
	} while (waitpid(-1, NULL, WNOHANG) >= 0); /* also those that an earlier test has left */
	assert_int_equal(errno, ECHILD);
}

static void test_pipes_and_status(void **state)
{
	struct children *all = shell("read line; echo \"got $line\"; echo oops >&2; exit 7");
	struct child *child;
	char buffer[64];
	int code, signal;
	ssize_t n;

	assert_int_equal(child_start(all, &child), 0);
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

static void test_signal(void **state)
{
	struct children *all = shell("kill -9 $$");
	struct child *child;
	int code, signal;

	assert_int_equal(child_start(all, &child), 0);
	wait_end(all, child, &code, &signal);
	assert_int_equal(signal, SIGKILL);
	child_release(all, child);
	children_free(all);
}

static void test_exec_fails(void **state)
{
	char *argv[] = {(char *)"/no/such/program", NULL};
	struct children *all = children_new(argv);
	struct child *child = NULL;

	assert_int_equal(child_start(all, &child), -ENOENT);
	assert_null(child);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
	children_free(all);
}

/* A process that ignores SIGTERM is killed, and meanwhile nobody waits for it. */
static void test_stubborn(void **state)
{
	struct children *all = shell("trap '' TERM; echo up; while :; do sleep 0.1; done");
	struct child *child;
	char buffer[8];
	uint64_t start;

	assert_int_equal(child_start(all, &child), 0);
	assert_int_equal(read_some(child_stdout(child), buffer, sizeof(buffer)), 3);
	start = clock_boottime_ms();
	child_release(all, child);
	assert_true(clock_boottime_ms() - start < 1000);
	assert_true(children_deadline(all) <= clock_boottime_ms() + CHILD_GRACE_MS);
	children_free(all);
	assert_true(clock_boottime_ms() - start >= CHILD_GRACE_MS);
}

/* After a violent end the program runs once more without input, and only once. */
static void test_sweep(void **state)
{
	char path[] = "/tmp/test_child.XXXXXX", script[128], line[16] = "";
	struct children *all;
	struct child *child;
	int code, signal, fd = mkstemp(path);

	assert_true(fd >= 0);
	snprintf(script, sizeof(script), "echo run >>%s; cat >/dev/null; kill -9 $$", path);
	all = shell(script);
	assert_int_equal(child_start(all, &child), 0);
	child_close_stdin(child);
	wait_end(all, child, &code, &signal);
	child_release(all, child);
	wait_none(all);
	assert_int_equal(read(fd, line, sizeof(line)), 8); /* "run" twice */
	close(fd);
	unlink(path);
	children_free(all);
}

/* A host that opens session after session does not fill the board with processes. */
static void test_limit(void **state)
{
	struct children *all = shell("kill -9 $$");
	struct child *child;
	int err = 0, started;
	uint64_t end;

	for (started = 0; started < 2 * CHILDREN_MAX; started++) {
		err = child_start(all, &child);
		if (err < 0)
			break;
		child_release(all, child);
	}
	assert_int_equal(started, CHILDREN_MAX);
	assert_int_equal(err, -EAGAIN);
	end = clock_boottime_ms() + WAIT_MS;
	while (child_start(all, &child) == -EAGAIN) {
		assert_true(clock_boottime_ms() < end);
		poll(NULL, 0, 5);
		children_tick(all, clock_boottime_ms());
	}
	children_free(all);
}

/* Nothing of ours but the pipes reaches the process; what this test inherited itself does. */
static void test_descriptors_stay_here(void **state)
{
	struct children *all = shell("ls /proc/self/fd | wc -l");
	struct child *child;
	char buffer[16] = "";
	int inherited = 3;

	for (int fd = 3; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		inherited += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	assert_int_equal(child_start(all, &child), 0);
	read_some(child_stdout(child), buffer, sizeof(buffer) - 1);
	assert_int_equal(atoi(buffer), inherited + 1); /* ls has the directory open */
	child_release(all, child);
	children_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipes_and_status),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_exec_fails),
		cmocka_unit_test(test_stubborn),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_descriptors_stay_here),
	};

	log_open("test_child", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
