/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's clocks, set forward and back, by root and by an ordinary user. The supervisor must
 * keep its access to the tool's memory and descriptors. */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host-usb/run/calls/memory.h"
#include "host-usb/run/timens.h"
#include "tests/unit/run_test.h"
#include "tests/unit/skip.h"

#define S	1000000000LL /* ns */
#define NOBODY	65534
#define NO_TIME 77 /* exit status: the kernel or its settings do not allow time namespaces */

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * S + now.tv_nsec;
}

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x)) {                                                    \
			dprintf(2, "%s:%d: %s, %m\n", __FILE__, __LINE__, #x); \
			_exit(1);                                              \
		}                                                              \
	} while (0)

static bool is_near(int64_t value, int64_t wanted)
{
	return value > wanted - 2 * S && value < wanted + 2 * S;
}

/* Runs as the tool: checks that its clocks are ahead by these nanoseconds and its ids unchanged. */
static void be_tool(
	const int *fds, int count, int64_t monotonic, int64_t boottime, int ready, int wait_fd)
{
	int64_t was = now_ns(CLOCK_MONOTONIC), was_boot = now_ns(CLOCK_BOOTTIME),
		was_real = now_ns(CLOCK_REALTIME);
	unsigned int uid = getuid(), gid = getgid();
	char byte;

	MUST(timens_enter(fds, count) == 0);
	MUST(is_near(now_ns(CLOCK_MONOTONIC), was + monotonic));
	MUST(is_near(now_ns(CLOCK_BOOTTIME), was_boot + boottime));
	MUST(is_near(now_ns(CLOCK_REALTIME), was_real));
	MUST(getuid() == uid && getgid() == gid);
	MUST(write(ready, "r", 1) == 1);
	MUST(read(wait_fd, &byte, 1) == 1);
	/* A program that it executes has the same clocks. */
	char text[64];

	snprintf(text, sizeof(text), "%lld", (long long)((was_boot + boottime) / S));
	execl("/usr/bin/python3", "python3", "-c",
		"import sys, time; sys.exit(not -2 < time.clock_gettime(time.CLOCK_BOOTTIME) - "
		"int(sys.argv[1]) < 5)",
		text, NULL);
	_exit(2);
}

/* Starts a tool with these offsets, in nanoseconds. Returns a status for exit(3). */
static int run_tool(int64_t monotonic, int64_t boottime)
{
	int fds[TIMENS_FDS], ready[2], go[2], status, count = timens_make(monotonic, boottime, fds),
						      copy;
	char text[8] = "", known[8] = "known", byte;
	struct run run = {.listener = -1};
	struct call call = {.run = &run};
	pid_t pid;

	if (count == -EPERM || count == -EINVAL || count == -ENOSPC || count == -EACCES)
		return NO_TIME;
	MUST(count == (geteuid() ? 2 : 1));
	MUST(pipe(ready) == 0 && pipe(go) == 0);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		/* bpfd-run sets this as well. */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		be_tool(fds, count, monotonic, boottime, ready[1], go[0]);
	}
	close(ready[1]);
	MUST(read(ready[0], &byte, 1) == 1);
	/* The supervisor reads the tool's memory and duplicates its descriptors. */
	call.tid = pid;
	MUST(memory_read(&call, (uintptr_t)known, text, sizeof(text)) == 0);
	MUST(strcmp(text, known) == 0);
	copy = memory_get_fd(&call, go[1]);
	MUST(copy >= 0);
	MUST(write(copy, "g", 1) == 1);
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void run_as(unsigned int uid, int64_t monotonic, int64_t boottime)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (uid != getuid()) {
			MUST(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
				setresuid(uid, uid, uid) == 0);
			MUST(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
		}
		_exit(run_tool(monotonic, boottime));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_TIME)
		skip_because("no right to make time namespaces");
	assert_int_equal(status, 0);
}

static void test_forward(void **state)
{
	run_as(getuid(), 3600 * S + 5, 7200 * S);
}

static void test_back(void **state)
{
	int64_t back = now_ns(CLOCK_MONOTONIC) / 2;

	run_as(getuid(), -back, -back - 1);
}

static void test_ordinary_user(void **state)
{
	if (getuid())
		skip_because("needs root to become another user");
	run_as(NOBODY, 86400 * S, 100000 * S);
}

/* Offsets that would make a clock negative or too large are refused. */
static void test_offset_out_of_range(void **state)
{
	int fds[TIMENS_FDS], count = timens_make(-now_ns(CLOCK_MONOTONIC) - 1000 * S, 0, fds);

	if (count == -EPERM)
		skip_because("no right to make time namespaces");
	assert_int_equal(count, -ERANGE);
	assert_int_equal(timens_make(0, INT64_MAX, fds), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_ordinary_user),
		cmocka_unit_test(test_offset_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
