/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on processes by their numbers, under the real filter: refused for a process that the tool
 * has not started, and run by the kernel for its own.
 *
 * The fake board has a process with the number of `victim`, a process of this test that is no
 * descendant of the supervisor. A call that is not refused acts on it. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "host-usb/run/calls/numbers.h"
#include "host-usb/run/processes.h"
#include "tests/unit/live_test.h"
#include "tests/unit/log_capture.h"

#define EVENT	41
#define UNKNOWN 4194305 /* no process has this number: it is above the kernel's limit */

/* What an argument of a call is replaced by. */
enum { VICTIM = -1000, GROUP, CLOCK, BUFFER };

static pid_t victim; /* in a process group of its own */
static char buffer[4096] __attribute__((aligned(8)));

static const struct numbered {
	const char *name;
	long number, args[6];
} refused[] = {
#define CALL(name, ...)             \
	{                           \
#name, __NR_##name, \
		{                   \
			__VA_ARGS__ \
		}                   \
	}
	CALL(kill, VICTIM, SIGTERM),
	CALL(kill, GROUP, SIGTERM),
	CALL(kill, -1, 0),
	CALL(tkill, VICTIM, SIGTERM),
	CALL(tgkill, VICTIM, VICTIM, SIGTERM),
	CALL(rt_sigqueueinfo, VICTIM, SIGTERM, BUFFER),
	CALL(rt_tgsigqueueinfo, VICTIM, VICTIM, SIGTERM, BUFFER),
	CALL(getpriority, PRIO_PROCESS, VICTIM),
	CALL(getpriority, PRIO_PGRP, VICTIM),
	CALL(getpriority, PRIO_USER, 0),
	CALL(setpriority, PRIO_PROCESS, VICTIM, 5),
	CALL(setpriority, PRIO_PGRP, VICTIM, 5),
	CALL(ioprio_get, 1, VICTIM),
	CALL(ioprio_get, 2, VICTIM),
	CALL(ioprio_get, 3, 0),
	CALL(ioprio_set, 1, VICTIM, 3 << 13),
	CALL(sched_getaffinity, VICTIM, 128, BUFFER),
	CALL(sched_getattr, VICTIM, BUFFER, 56, 0),
	CALL(sched_getparam, VICTIM, BUFFER),
	CALL(sched_getscheduler, VICTIM),
	CALL(sched_rr_get_interval, VICTIM, BUFFER),
	CALL(sched_setaffinity, VICTIM, 128, BUFFER),
	CALL(sched_setattr, VICTIM, BUFFER, 0),
	CALL(sched_setparam, VICTIM, BUFFER),
	CALL(sched_setscheduler, VICTIM, SCHED_BATCH, BUFFER),
	CALL(prlimit64, VICTIM, RLIMIT_NOFILE, 0, BUFFER),
	CALL(prlimit64, VICTIM, RLIMIT_MEMLOCK, 0, BUFFER),
	CALL(ptrace, PTRACE_SEIZE, VICTIM, 0, 0),
	CALL(ptrace, PTRACE_ATTACH, VICTIM, 0, 0),
	CALL(process_vm_readv, VICTIM, BUFFER, 0, BUFFER, 0, 0),
	CALL(process_vm_writev, VICTIM, BUFFER, 0, BUFFER, 0, 0),
	CALL(kcmp, VICTIM, VICTIM, 0, 0, 0),
	CALL(getpgid, VICTIM),
	CALL(getsid, VICTIM),
	CALL(get_robust_list, VICTIM, BUFFER, BUFFER),
	CALL(migrate_pages, VICTIM, 0, 0, 0),
	CALL(move_pages, VICTIM, 0, 0, 0, 0, 0),
	CALL(prctl, PR_SCHED_CORE, PR_SCHED_CORE_GET, VICTIM, 0, BUFFER),
	CALL(fcntl, STDERR_FILENO, F_SETOWN, VICTIM),
	CALL(fcntl, STDERR_FILENO, F_SETOWN, GROUP),
	CALL(clock_getres, CLOCK, BUFFER),
	CALL(clock_gettime, CLOCK, BUFFER),
	CALL(clock_nanosleep, CLOCK, 0, BUFFER, 0),
	CALL(timer_create, CLOCK, 0, BUFFER),
#undef CALL
};

#define REFUSED_COUNT (sizeof(refused) / sizeof(refused[0]))

static long argument(long arg, pid_t pid)
{
	switch (arg) {
	case VICTIM:
		return pid;
	case GROUP:
		return -pid;
	case CLOCK:
		return (long)(~(unsigned int)pid << 3 | 2);
	case BUFFER:
		return (long)buffer;
	default:
		return arg;
	}
}

/* Makes the call for a process. Returns its result or a negative errno. */
static long make_call(const struct numbered *call, pid_t pid)
{
	long arg[6], ret;

	for (int i = 0; i < 6; i++)
		arg[i] = argument(call->args[i], pid);
	memset(buffer, 0, sizeof(buffer));
	ret = syscall(call->number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	return ret < 0 ? -errno : ret;
}

/* Exits with the number of the first call that is not refused, counting from 1. */
static void tool_refused(void)
{
	for (size_t i = 0; i < REFUSED_COUNT; i++)
		if (make_call(&refused[i], victim) != -EPERM)
			_exit((int)i + 1);
}

static void reply_processes(struct board *board, unsigned int count)
{
	const struct rpc_stat st = {.mode = S_IFDIR | 0555};

	while (count--) {
		rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
		board_ready(board);
	}
}

/* Returns how many of the first `count` refused calls ask whether the process exists: all but those
 * on all processes. */
static unsigned int count_questions(void)
{
	unsigned int count = 0;

	for (size_t i = 0; i < REFUSED_COUNT; i++) {
		const long *arg = refused[i].args;

		for (int j = 0; j < 6; j++)
			if (arg[j] == VICTIM || arg[j] == GROUP || arg[j] == CLOCK) {
				count++;
				break;
			}
	}
	return count;
}

/* Of this process, which may run at a low priority. */
static int own_nice;

static bool is_victim_unchanged(void)
{
	cpu_set_t cpus, own;

	CPU_ZERO(&cpus);
	CPU_ZERO(&own);
	return kill(victim, 0) == 0 && getpriority(PRIO_PROCESS, (id_t)victim) == own_nice &&
	       sched_getscheduler(victim) == SCHED_OTHER &&
	       process_status(victim, "TracerPid:", 10) == 0 &&
	       sched_getaffinity(victim, sizeof(cpus), &cpus) == 0 &&
	       sched_getaffinity(0, sizeof(own), &own) == 0 && CPU_EQUAL(&cpus, &own);
}

static void test_refused(void **state)
{
	struct board *board = live_start();
	const char *log;
	int status;

	reply_processes(board, count_questions());
	log_begin();
	status = run_tool(board, tool_refused);
	log = log_end();
	if (status)
		print_message("# call %d: %s\n", WEXITSTATUS(status),
			refused[(WEXITSTATUS(status) - 1) % (int)REFUSED_COUNT].name);
	assert_int_equal(status, 0);
	assert_true(is_victim_unchanged());
	for (size_t i = 0; i < REFUSED_COUNT; i++) {
		char wanted[128];

		snprintf(wanted, sizeof(wanted), ": %s is not supported for processes of the board",
			refused[i].name);
		if (!strstr(log, wanted))
			print_message("# not logged: %s\n", wanted);
		assert_non_null(strstr(log, wanted));
	}
	live_stop(board);
}

/* A process that neither side has. The warning is for processes of the board only. */
static void tool_unknown(void)
{
	MUST(kill(UNKNOWN, 0) == -1 && errno == ESRCH);
	MUST(kill(UNKNOWN, SIGTERM) == -1 && errno == ESRCH);
	MUST(kill(-UNKNOWN, SIGTERM) == -1 && errno == ESRCH);
	MUST(sched_getscheduler(UNKNOWN) == -1 && errno == ESRCH);
}

static void test_unknown(void **state)
{
	struct board *board = live_start();

	for (int i = 0; i < 4; i++)
		board_reply_ret(board, RPC_FILE_STAT, -ENOENT);
	log_begin();
	assert_int_equal(run_tool(board, tool_unknown), 0);
	assert_string_equal(log_end(), "");
	live_stop(board);
}

static void wait_long(void)
{
	alarm(60);
	for (;;)
		pause();
}

/* Starts a process in a group of its own that waits to be killed. */
static pid_t start_waiting(void)
{
	pid_t child = fork();

	if (child == 0) {
		setpgid(0, 0);
		wait_long();
	}
	setpgid(child, child);
	return child;
}

static void expect_killed(pid_t child)
{
	int status;

	MUST(waitpid(child, &status, 0) == child);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Its children: the calls do the same as without bpfd-run. */
static void tool_own_child(void)
{
	pid_t child = start_waiting();
	struct iovec local = {buffer, 8}, remote = {&victim, sizeof(victim)};
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, child};
	struct __user_cap_data_struct capabilities[2];
	struct rlimit limit;
	cpu_set_t cpus;
	int fd;

	MUST(child > 0 && kill(child, 0) == 0 && kill(-child, 0) == 0);
	MUST(getpgid(child) == child && getsid(child) == getsid(0));
	MUST(setpriority(PRIO_PROCESS, (id_t)child, own_nice + 3) == 0);
	MUST(getpriority(PRIO_PROCESS, (id_t)child) == own_nice + 3);
	MUST(setpriority(PRIO_PGRP, (id_t)child, own_nice + 4) == 0);
	MUST(getpriority(PRIO_PGRP, (id_t)child) == own_nice + 4);
	MUST(sched_getaffinity(child, sizeof(cpus), &cpus) == 0);
	MUST(sched_setaffinity(child, sizeof(cpus), &cpus) == 0);
	MUST(sched_getscheduler(child) == SCHED_OTHER);
	MUST(syscall(SYS_ioprio_get, 1, child) >= 0 && syscall(SYS_ioprio_get, 2, child) >= 0);
	MUST(syscall(SYS_capget, &header, capabilities) == 0);
	MUST(prlimit(child, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY);
	MUST(prlimit(child, RLIMIT_MEMLOCK, NULL, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY);
	MUST(process_vm_readv(child, &local, 1, &remote, 1, 0) == sizeof(victim));
	MUST(memcmp(buffer, &victim, sizeof(victim)) == 0);
	fd = (int)syscall(SYS_pidfd_open, child, 0);
	MUST(fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0);
	expect_killed(child);
	child = start_waiting();
	MUST(ptrace(PTRACE_SEIZE, child, NULL, NULL) == 0);
	MUST(kill(-child, SIGKILL) == 0);
	expect_killed(child);
}

static void *be_thread(void *arg)
{
	*(pid_t *)arg = gettid();
	pause();
	return NULL;
}

/* Itself, its threads, its parent and its group. */
static void tool_own_thread(void)
{
	struct timespec now;
	volatile pid_t tid = 0;
	pthread_t thread;
	clockid_t clock;
	cpu_set_t cpus;

	MUST(pthread_create(&thread, NULL, be_thread, (void *)&tid) == 0);
	while (!tid)
		usleep(1000);
	MUST(syscall(SYS_tgkill, getpid(), tid, 0) == 0 && syscall(SYS_tkill, tid, 0) == 0);
	MUST(pthread_getaffinity_np(thread, sizeof(cpus), &cpus) == 0);
	MUST(pthread_setaffinity_np(thread, sizeof(cpus), &cpus) == 0);
	MUST(pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &now) == 0);
	MUST(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
	MUST(clock_getcpuclockid(getpid(), &clock) == 0 && clock_gettime(clock, &now) == 0);
	MUST(setpriority(PRIO_PROCESS, (id_t)tid, own_nice + 2) == 0);
	MUST(getpriority(PRIO_PROCESS, (id_t)tid) == own_nice + 2);
	MUST(getpriority(PRIO_PROCESS, 0) == own_nice);
	MUST(fcntl(STDERR_FILENO, F_SETOWN, getpid()) == 0);
	MUST(fcntl(STDERR_FILENO, F_SETOWN, -getpgrp()) == 0);
	MUST(kill(0, 0) == 0 && kill(-getpgrp(), 0) == 0 && kill(getppid(), 0) == 0);
	errno = 0;
	MUST(getpriority(PRIO_PGRP, 0) <= own_nice && errno == 0 && getsid(0) == getsid(getppid()));
	MUST(prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, buffer) == 0 || errno != EPERM);
}

/* Starts a process in a group of its own whose parent exits a moment later. Returns its number, and
 * that of its group. */
static pid_t start_orphan(pid_t *group)
{
	int ends[2];
	pid_t orphan = 0;

	MUST(pipe(ends) == 0);
	*group = fork();
	if (*group == 0) {
		setpgid(0, 0);
		orphan = fork();
		if (orphan == 0)
			wait_long();
		MUST(write(ends[1], &orphan, sizeof(orphan)) == sizeof(orphan));
		_exit(0);
	}
	MUST(read(ends[0], &orphan, sizeof(orphan)) == sizeof(orphan));
	close(ends[0]);
	close(ends[1]);
	return orphan;
}

/* A process whose parent exits while the supervisor looks for its ancestors, and the group of a
 * process that has exited. */
static void tool_orphans(void)
{
	pid_t orphan, group;

	signal(SIGCHLD, SIG_IGN); /* nobody waits for the parent: its number is free at once */
	for (int i = 0; i < 200; i++) {
		orphan = start_orphan(&group);
		for (int j = 0; j < 10; j++)
			MUST(kill(orphan, 0) == 0);
		MUST(kill(i % 2 ? -group : orphan, SIGKILL) == 0);
	}
}

/* In a PID namespace the numbers start at 1. */
static void tool_pid_namespace(void)
{
	pid_t first, child;
	int status;

	if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
		_exit(77);
	first = fork();
	if (first == 0) {
		child = start_waiting();
		MUST(getpid() == 1 && child == 2);
		MUST(kill(2, 0) == 0 && sched_getscheduler(2) == SCHED_OTHER);
		MUST(kill(-1, SIGKILL) == 0); /* all others in this namespace */
		expect_killed(child);
		_exit(0);
	}
	MUST(waitpid(first, &status, 0) == first);
	_exit(WEXITSTATUS(status));
}

/* The board is not asked: it would have no answer. */
static void test_own(void **state)
{
	void (*const tools[])(void) = {tool_own_child, tool_own_thread};
	struct board *board = live_start();

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		assert_int_equal(run_tool(board, tools[i]), 0);
	live_stop(board);
}

static void test_orphans(void **state)
{
	struct board *board = live_start();

	assert_int_equal(run_tool(board, tool_orphans), 0);
	live_stop(board);
}

static void test_pid_namespace(void **state)
{
	struct board *board = live_start();
	int status = run_tool(board, tool_pid_namespace);

	live_stop(board);
	if (WEXITSTATUS(status) == 77)
		skip_because("no permission to make a PID namespace");
	assert_int_equal(status, 0);
}

static void tool_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, victim, 0);
	struct pollfd polled = {.fd = fd, .events = POLLIN};

	MUST(fd >= 0 && poll(&polled, 1, 0) == 0);
	MUST(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == -1 && errno == EPERM);
	MUST(syscall(SYS_pidfd_getfd, fd, 0, 0) == -1 && errno == EPERM);
	MUST(syscall(SYS_process_madvise, fd, NULL, 0, 0, 0) == -1 && errno == EPERM);
	MUST(syscall(__NR_process_mrelease, fd, 0) == -1 && errno == EPERM);
}

static void tool_owner(void)
{
	struct f_owner_ex owner = {F_OWNER_PID, victim};
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, victim};

	MUST(fcntl(STDERR_FILENO, F_SETOWN_EX, &owner) == -1 && errno == EPERM);
	owner.type = F_OWNER_PGRP;
	MUST(fcntl(STDERR_FILENO, F_SETOWN_EX, &owner) == -1 && errno == EPERM);
	MUST(syscall(SYS_capget, &header, buffer) == -1 && errno == EPERM);
}

static void test_pidfd(void **state)
{
	struct board *board = live_start();
	const char *log;

	reply_processes(board, 1);
	log_begin();
	assert_int_equal(run_tool(board, tool_pidfd), 0);
	log = log_end();
	assert_non_null(strstr(log, "pidfd_send_signal is not supported"));
	assert_non_null(strstr(log, "pidfd_getfd is not supported"));
	assert_true(is_victim_unchanged());
	live_stop(board);
}

static void test_pointers(void **state)
{
	struct board *board = live_start();

	reply_processes(board, 3);
	assert_int_equal(run_tool(board, tool_owner), 0);
	live_stop(board);
}

static int open_event(bool disabled, pid_t pid, unsigned long flags)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.disabled = disabled};

	return (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, flags);
}

static void tool_events(void)
{
	union bpf_attr attr = {.task_fd_query = {.pid = (uint32_t)getpid()}};
	pid_t child = start_waiting();
	int fd;

	MUST(open_event(true, child, 0) == -1 && errno == ESRCH);
	kill(child, SIGKILL);
	MUST(open_event(true, getpid(), 0) == -1 && errno == ESRCH);
	MUST(open_event(false, 0, 0) == -1 && errno == ESRCH);
	MUST(open_event(true, STDERR_FILENO, PERF_FLAG_PID_CGROUP) == -1 && errno == EOPNOTSUPP);
	fd = open_event(true, 0, 0); /* is this event supported? */
	MUST(fd >= 0);
	MUST(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == -1 && errno == EOPNOTSUPP);
	close(fd);
	MUST(open_event(false, victim, 0) >= 0);
	MUST(syscall(SYS_bpf, BPF_TASK_FD_QUERY, &attr, sizeof(attr)) == -1 && errno == EOPNOTSUPP);
}

/* The board's kernel can count only the events of its own processes. */
static void test_events(void **state)
{
	struct board *board = live_start();
	struct bytes_in in;
	enum rpc_op op;
	const char *log;
	size_t size;

	board_reply_ret(board, RPC_PERF_OPEN, EVENT);
	board_reply_ret(board, RPC_PERF_OPEN, EVENT + 1);
	log_begin();
	assert_int_equal(run_tool(board, tool_events), 0);
	log = log_end();
	assert_non_null(strstr(log, "it runs on this workstation"));
	assert_non_null(strstr(log, "not supported: events of a control group"));
	assert_non_null(strstr(log, "not supported: events of the tool itself"));
	in = board_asked(board, RPC_PERF_OPEN);
	rpc_get_bytes(&in, &size);
	assert_int_equal(bytes_get_u32(&in), 0);
	do
		in = board_asked_any(board, &op);
	while (op != RPC_PERF_OPEN);
	rpc_get_bytes(&in, &size);
	assert_int_equal(bytes_get_u32(&in), victim);
	live_stop(board);
}

static int test_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_pid_namespace),
		cmocka_unit_test(test_pidfd),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_events),
	};

	return live_run(tests);
}

/* The victim is a sibling of the process that runs the tests. */
int main(void)
{
	pid_t runner;
	int status = 0;

	own_nice = getpriority(PRIO_PROCESS, 0);
	victim = fork();
	if (victim == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	setpgid(victim, victim);
	runner = fork();
	if (runner == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(test_all());
	}
	waitpid(runner, &status, 0);
	kill(victim, SIGKILL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
