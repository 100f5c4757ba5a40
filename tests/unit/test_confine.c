/* SPDX-License-Identifier: Apache-2.0 */
/* What a confined session can and cannot do: each call runs in a process with the filter. */
#include "core/base/caps.h"
#include "core/base/profile.h"
#include "core/bpfd/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/skip.h"

#define NO_FILTER 250
#define FINE	  251

/* Builds with sanitizers allow all calls, because sanitizers make their own. */
#if defined(__SANITIZE_ADDRESS__)
#define REFUSES 0
#else
#define REFUSES 1
#endif

/* Runs the call in a process with the filter. Returns its errno, 0 if it succeeded, or the negative
 * number of the signal that killed the process. */
static int with_filter_of(int (*call)(void), bool names)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		int err = caps_no_new_privileges();

		if (!err)
			err = confine_calls(names);
		if (err)
			_exit(NO_FILTER);
		errno = FINE;
		_exit(call() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	assert_int_not_equal(WEXITSTATUS(status), NO_FILTER);
	return WEXITSTATUS(status);
}

static int with_filter(int (*call)(void))
{
	return with_filter_of(call, false);
}

static int read_file(void)
{
	char line[100];
	FILE *file = fopen("/proc/self/status", "re");

	return file && fgets(line, sizeof(line), file) && !fclose(file) ? 0 : -1;
}
static int read_target(void)
{
	char path[100];

	return readlink("/proc/self/exe", path, sizeof(path)) > 0 && !access("/proc", X_OK) ? 0
											    : -1;
}
static int wait_a_little(void)
{
	struct timespec wait = {.tv_nsec = 1000000}, now;

	return poll(NULL, 0, 1) || nanosleep(&wait, NULL) || clock_gettime(CLOCK_REALTIME, &now)
		       ? -1
		       : 0;
}
static int use_memory(void)
{
	char *memory = malloc(10 << 20);

	if (!memory)
		return -1;
	memset(memory, 1, 10 << 20);
	memory = realloc(memory, 20 << 20);
	free(memory);
	return memory ? 0 : -1;
}
static int ask_terminal(void)
{
	struct termios modes;

	return tcgetattr(0, &modes) && errno != ENOTTY ? -1 : 0;
}
/* The calls that tcgetattr(3) and tcsetattr(3) of glibc 2.42 make. */
static int use_termios2(void)
{
	static const unsigned char numbers[] = {0x2b, 0x2c, 0x2d}; /* TCSETS2, TCSETSW2, TCSETSF2 */
	char modes[64] = "";
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (!ioctl(fd, _IOR('T', 0x2a, char[44]), modes) || errno != ENOTTY)
		return -1;
	for (size_t i = 0; i < sizeof(numbers); i++)
		if (!ioctl(fd, _IOW('T', numbers[i], char[44]), modes) || errno != ENOTTY)
			return -1;
	return 0;
}
static int ask_perf(void)
{
	return ioctl(0, PERF_EVENT_IOC_DISABLE, 0) && errno != ENOTTY && errno != EINVAL ? -1 : 0;
}
static int stay_on_cpu(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) ||
			       sched_setaffinity(0, sizeof(cpus), &cpus)
		       ? -1
		       : 0;
}
static int use_descriptor(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	return fd < 3 || fcntl(fd, F_GETFD) < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL)) ? -1 : 0;
}
static int rename_self(void)
{
	return prctl(PR_SET_NAME, "renamed");
}
static int ask_system(void)
{
	struct utsname uts;
	struct rlimit limit;

	return uname(&uts) || getrlimit(RLIMIT_NOFILE, &limit) || sysconf(_SC_NPROCESSORS_CONF) < 1
		       ? -1
		       : 0;
}
static int die(void)
{
	return raise(SIGTERM);
}

static void test_allowed(void **state)
{
	int (*const calls[])(void) = {read_file, read_target, wait_a_little, use_memory,
		ask_terminal, use_termios2, ask_perf, stay_on_cpu, use_descriptor, rename_self,
		ask_system};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (with_filter(calls[i]))
			fail_msg("call %zu: %s", i, strerror(with_filter(calls[i])));
	assert_int_equal(with_filter(die), -SIGTERM); /* the filter allows raise(3) */
}

/* Refused arguments of calls that are allowed. */
static int write_file(void)
{
	return open("/dev/null", O_WRONLY);
}
static int change_file(void)
{
	return open("/dev/null", O_RDWR);
}
static int create_file(void)
{
	return open("/tmp/bpfd-test-confine", O_CREAT, 0600);
}
static int cut_file(void)
{
	return open("/dev/null", O_TRUNC);
}
static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}
static int make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static int type_on_terminal(void)
{
	return ioctl(0, TIOCSTI, "x");
}
static int become_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}
static int move_parent(void)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	return sched_setaffinity(getppid(), sizeof(cpus), &cpus);
}
static int limit_parent(void)
{
	struct rlimit limit;

	return (int)syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &limit);
}
static int own_by_parent(void)
{
	return fcntl(0, F_SETOWN, getppid());
}
static int signal_parent(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static void test_refused_arguments(void **state)
{
	int (*const calls[])(void) = {map_code, make_code, type_on_terminal, become_dumpable,
		move_parent, limit_parent, own_by_parent, signal_parent, write_file, change_file,
		create_file, cut_file};
	size_t count = sizeof(calls) / sizeof(calls[0]) - (REFUSES ? 0 : 4);

	for (size_t i = 0; i < count; i++)
		if (with_filter(calls[i]) != EPERM)
			fail_msg("call %zu: %d", i, with_filter(calls[i]));
}

static long refused_call;
static int make_refused_call(void)
{
	return (int)syscall(refused_call, 0L, 0L, 0L, 0L, 0L, 0L);
}

static const struct {
	const char *name;
	long number;
} refused_calls[] = {
#define CALL(name)                \
	{                         \
#name, SYS_##name \
	}
	CALL(execve),
	CALL(execveat),
	CALL(clone),
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(kill),
	CALL(socket),
	CALL(socketpair),
	CALL(connect),
	CALL(bind),
	CALL(mount),
	CALL(umount2),
	CALL(pivot_root),
	CALL(chroot),
	CALL(setns),
	CALL(unshare),
	CALL(setuid),
	CALL(setgid),
	CALL(setfsuid),
	CALL(setresuid),
	CALL(setgroups),
	CALL(capset),
	CALL(seccomp),
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(reboot),
	CALL(swapon),
	CALL(swapoff),
	CALL(sethostname),
	CALL(settimeofday),
	CALL(clock_settime),
	CALL(adjtimex),
	CALL(acct),
	CALL(quotactl),
	CALL(syslog),
	CALL(add_key),
	CALL(keyctl),
	CALL(unlinkat),
	CALL(renameat2),
	CALL(mkdirat),
	CALL(mknodat),
	CALL(symlinkat),
	CALL(linkat),
	CALL(fchmodat),
	CALL(fchownat),
	CALL(truncate),
	CALL(ftruncate),
	CALL(fallocate),
	CALL(setxattr),
	CALL(open_by_handle_at),
	CALL(fanotify_init),
	CALL(memfd_create),
	CALL(userfaultfd),
	CALL(io_setup),
	CALL(shmget),
	CALL(personality),
	CALL(vhangup),
#ifdef SYS_kexec_load
	CALL(kexec_load),
#endif
#ifdef SYS_openat2
	CALL(openat2),
#endif
#ifdef SYS_clone3
	CALL(clone3),
#endif
#ifdef SYS_io_uring_setup
	CALL(io_uring_setup),
#endif
#ifdef SYS_pidfd_getfd
	CALL(pidfd_getfd),
	CALL(pidfd_open),
#endif
#ifdef SYS_fork
	CALL(fork),
	CALL(vfork),
	CALL(creat),
#endif
	{"a call that no kernel has", 5000},
};

static void test_refused_calls(void **state)
{
	if (!REFUSES)
		skip_because("sanitizers and gcov make calls of their own");
	for (size_t i = 0; i < sizeof(refused_calls) / sizeof(refused_calls[0]); i++) {
		refused_call = refused_calls[i].number;
		if (with_filter(make_refused_call) != ENOSYS)
			fail_msg("%s: %d", refused_calls[i].name, with_filter(make_refused_call));
	}
}

/* Where names may be changed: these three calls, and no other call that changes files. */
static void test_names(void **state)
{
	static const long allowed[] = {SYS_unlinkat, SYS_mkdirat, SYS_renameat2};
	static const long refused[] = {SYS_linkat, SYS_symlinkat, SYS_mknodat, SYS_fchmodat,
		SYS_fchownat, SYS_truncate, SYS_utimensat, SYS_setxattr};

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		refused_call = allowed[i];
		assert_int_equal(with_filter_of(make_refused_call, true), EFAULT);
	}
	if (!REFUSES)
		skip_because("sanitizers and gcov make calls of their own");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		refused_call = refused[i];
		assert_int_equal(with_filter_of(make_refused_call, true), ENOSYS);
	}
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		refused_call = allowed[i];
		assert_int_equal(with_filter(make_refused_call), ENOSYS);
	}
	assert_true(profile_changes_names(profile_find("trace")));
	assert_false(profile_changes_names(profile_find("minimal")));
}

static void test_profiles(void **state)
{
	const struct profile *trace = profile_find("trace"), *minimal = profile_find("minimal");
	const uint64_t old = CAP_BIT(CAP_SYS_ADMIN);

	assert_ptr_equal(profile_find(NULL), trace);
	assert_null(profile_find("Trace"));
	assert_null(profile_find(""));
	assert_string_equal(profile_name(minimal), "minimal");
	assert_true(profile_caps(minimal, true) == 0xc000000000);
	assert_true(profile_caps(trace, true) == 0xc400280004);
	assert_true(profile_caps(minimal, false) == old);
	assert_true(profile_caps(trace, false) == 0x400280004);
	assert_true(profile_start_caps() == 0xc401280104);
}

/* A user without capabilities has none to give up; root has all of them before. */
static void test_caps(void **state)
{
	const uint64_t wanted = CAP_BIT(CAP_SYSLOG) | CAP_BIT(CAP_SYS_PTRACE);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		uint64_t before = 0, after = 0;

		if (caps_permitted(&before) || caps_keep(wanted, 0) || caps_permitted(&after))
			_exit(1);
		if (after != (before & wanted))
			_exit(2);
		if (before & CAP_BIT(CAP_SETPCAP) && prctl(PR_CAPBSET_READ, CAP_SYSLOG) != 0)
			_exit(3);
		/* They cannot be regained. */
		if (caps_keep(before, before) || caps_permitted(&after) ||
			after != (before & wanted))
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(caps_known(CAP_CHOWN));
	assert_false(caps_known(63));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused_arguments),
		cmocka_unit_test(test_refused_calls),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
