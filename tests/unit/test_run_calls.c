/* SPDX-License-Identifier: Apache-2.0 */
/* What bpfd-run does with each system call of x86-64 and arm64.
 *
 * The list below is a decision about each call. A call that is missing here, because libseccomp or
 * this program has learnt about a newer kernel, fails the test: decide whether the board answers
 * it, it is refused, or it stays on the workstation, and write that into bpfd-run(1) too. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "tests/unit/live_test.h"
#include "tests/unit/log_capture.h"

#define NUMBERS	  1024
#define NAME_SIZE 64

enum decision {
	ANSWERED, /* by the board if the arguments mean an object, a file or a process of it */
	REFUSED,  /* with a message if the arguments mean something of the board */
	ABSENT,	  /* fails with ENOSYS */
	LOCAL,	  /* stays on the workstation by intent */
};

static const struct group {
	enum decision decision;
	const char *reason;
	const char *calls; /* separated by spaces */
} groups[] = {
	{ANSWERED, "BPF, perf events and waiting for their rings",
		"bpf epoll_ctl ioctl mmap perf_event_open poll ppoll prlimit64 setrlimit"},
	{ANSWERED, "files of the board",
		"access chdir creat faccessat faccessat2 fchdir fstat fstatfs getcwd getdents64 "
		"lseek "
		"lstat mkdir mkdirat name_to_handle_at newfstatat open openat openat2 pwrite64 "
		"read "
		"readlink readlinkat readv "
		"rename renameat renameat2 rmdir stat statfs statx unlink unlinkat write writev"},
	{ANSWERED, "files of the board have no extended attributes",
		"fgetxattr flistxattr getxattr getxattrat lgetxattr listxattr listxattrat "
		"llistxattr"},
	{ANSWERED, "the board, its log and its processes", "kill pidfd_open syslog uname"},
	{REFUSED, "changes to files of the board",
		"chmod chown chroot fallocate fanotify_mark fchmod fchmodat fchmodat2 fchown "
		"fchownat "
		"file_getattr file_setattr fremovexattr fsetxattr fspick ftruncate futimesat "
		"inotify_add_watch lchown link linkat lremovexattr lsetxattr mknod mknodat mount "
		"mount_setattr move_mount open_tree open_tree_attr pivot_root "
		"removexattr removexattrat setxattr setxattrat symlink symlinkat truncate umount2 "
		"utime utimensat utimes"},
	{REFUSED, "other calls that write: programs fall back to write(2)",
		"copy_file_range pwritev pwritev2 sendfile splice"},
	{REFUSED, "programs of the board, and kernel modules",
		"delete_module execve execveat finit_module init_module"},
	{REFUSED, "processes of the board",
		"capget clock_getres clock_gettime clock_nanosleep fcntl get_robust_list getpgid "
		"getpriority getsid ioprio_get ioprio_set kcmp migrate_pages move_pages "
		"pidfd_getfd "
		"pidfd_send_signal prctl process_madvise process_mrelease process_vm_readv "
		"process_vm_writev ptrace rt_sigqueueinfo rt_tgsigqueueinfo sched_getaffinity "
		"sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
		"sched_setaffinity sched_setattr sched_setparam sched_setscheduler setpriority "
		"tgkill "
		"timer_create tkill"},
	{REFUSED, "network interfaces", "setsockopt socket"},
	{REFUSED, "the workstation as a whole",
		"acct fanotify_init kexec_file_load kexec_load reboot setdomainname sethostname "
		"swapoff swapon"},
	{ABSENT, "ways past the filter",
		"getdents io_uring_enter io_uring_register io_uring_setup"},
	{LOCAL, "memory of the tool",
		"brk get_mempolicy madvise map_shadow_stack mbind memfd_create memfd_secret "
		"mincore "
		"mlock mlock2 mlockall mprotect mremap mseal msync munlock munlockall munmap "
		"pkey_alloc pkey_free pkey_mprotect remap_file_pages set_mempolicy "
		"set_mempolicy_home_node userfaultfd"},
	{LOCAL, "processes and threads that the tool starts; the kernel finds no others",
		"arch_prctl clone clone3 exit exit_group fork get_thread_area getcpu getpgrp "
		"getpid "
		"getppid getrusage gettid membarrier modify_ldt personality restart_syscall rseq "
		"sched_get_priority_max sched_get_priority_min sched_yield set_robust_list "
		"set_thread_area set_tid_address setns setpgid setsid times unshare uprobe "
		"uretprobe "
		"vfork wait4 waitid"},
	{LOCAL, "descriptors: files of the board are open as copies",
		"cachestat close close_range dup dup2 dup3 epoll_create epoll_create1 epoll_pwait "
		"epoll_pwait2 epoll_wait eventfd eventfd2 fadvise64 fdatasync flock fsync pipe "
		"pipe2 "
		"pread64 preadv preadv2 pselect6 readahead select sync sync_file_range "
		"syncfs tee vmsplice"},
	{LOCAL, "asynchronous I/O on descriptors",
		"io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit"},
	{LOCAL, "file systems of the workstation, and handles of its files",
		"fsconfig fsmount fsopen inotify_init inotify_init1 inotify_rm_watch listmount "
		"open_by_handle_at quotactl quotactl_fd statmount sysfs umask ustat vhangup"},
	{LOCAL, "sockets that exist",
		"accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom "
		"recvmmsg recvmsg sendmmsg sendmsg sendto shutdown socketpair"},
	{LOCAL, "communication with processes of the workstation",
		"mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl "
		"msgget "
		"msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget"},
	{LOCAL, "futexes", "futex futex_requeue futex_wait futex_waitv futex_wake"},
	{LOCAL, "signals that the tool receives",
		"pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend "
		"rt_sigtimedwait sigaltstack signalfd signalfd4"},
	{LOCAL, "time and timers",
		"adjtimex alarm clock_adjtime clock_settime getitimer gettimeofday nanosleep "
		"setitimer "
		"settimeofday time timer_delete timer_getoverrun timer_gettime timer_settime "
		"timerfd_create timerfd_gettime timerfd_settime"},
	{LOCAL, "identity, rights and limits of the tool",
		"add_key capset getegid geteuid getgid getgroups getresgid getresuid getrlimit "
		"getuid "
		"ioperm iopl keyctl landlock_add_rule landlock_create_ruleset "
		"landlock_restrict_self "
		"lsm_get_self_attr lsm_list_modules lsm_set_self_attr request_key seccomp setfsgid "
		"setfsuid setgid setgroups setregid setresgid setresuid setreuid setuid"},
	{LOCAL, "sizes for the tool's own memory, and random numbers", "getrandom sysinfo"},
	{LOCAL, "calls of kernels before those that bpfd-run needs",
		"_sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms "
		"getpmsg lookup_dcookie nfsservctl putpmsg query_module security tuxcall uselib "
		"vserver"},
};

/* Calls that old versions of libseccomp do not know. */
static const struct {
	int number;
	const char *name;
} later[] = {{450, "set_mempolicy_home_node"}, {451, "cachestat"}, {452, "fchmodat2"},
	{453, "map_shadow_stack"}, {454, "futex_wake"}, {455, "futex_wait"}, {456, "futex_requeue"},
	{457, "statmount"}, {458, "listmount"}, {459, "lsm_get_self_attr"},
	{460, "lsm_set_self_attr"}, {461, "lsm_list_modules"}, {462, "mseal"}, {463, "setxattrat"},
	{464, "getxattrat"}, {465, "listxattrat"}, {466, "removexattrat"}, {467, "open_tree_attr"},
	{468, "file_getattr"}, {469, "file_setattr"}};

/* Copies the name of a call. Returns false if there is none of this number. */
static bool name_of(uint32_t arch, int number, char name[NAME_SIZE])
{
	char *known = seccomp_syscall_resolve_num_arch(arch, number);

	snprintf(name, NAME_SIZE, "%s", known ? known : "");
	free(known);
	for (size_t i = 0; !*name && i < sizeof(later) / sizeof(later[0]); i++)
		if (later[i].number == number)
			snprintf(name, NAME_SIZE, "%s", later[i].name);
	return *name;
}

/* Returns the last group that has the call, and counts them. */
static const struct group *group_of(const char *name, int *count)
{
	const struct group *found = NULL;
	size_t length = strlen(name);

	*count = 0;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		const char *at = groups[i].calls;

		while ((at = strstr(at, name))) {
			if ((at == groups[i].calls || at[-1] == ' ') &&
				(at[length] == ' ' || !at[length])) {
				found = &groups[i];
				++*count;
			}
			at += length;
		}
	}
	return found;
}

/* The numbers of the filter are those of this machine. */
static bool is_as_decided(const char *name, enum decision decision)
{
	int number = seccomp_syscall_resolve_name(name);
	enum notify_treatment treatment;

	for (size_t i = 0; number < 0 && i < sizeof(later) / sizeof(later[0]); i++)
		if (strcmp(later[i].name, name) == 0)
			number = later[i].number;
	if (number < 0)
		return true;
	treatment = notify_treatment(number);
	switch (decision) {
	case LOCAL:
		return treatment == TREATMENT_LOCAL;
	case ABSENT:
		return treatment == TREATMENT_ABSENT;
	default:
		return treatment == TREATMENT_NOTIFIED;
	}
}

static int check_call(uint32_t arch, int number)
{
	const struct group *group;
	char name[NAME_SIZE];
	int count;

	if (!name_of(arch, number, name))
		return 0;
	if (number > NOTIFY_LAST) {
		print_message("# %s, %d: above NOTIFY_LAST; decide about it\n", name, number);
		return 1;
	}
	group = group_of(name, &count);
	if (count != 1) {
		print_message("# %s, %d: has %d decisions\n", name, number, count);
		return 1;
	}
	if (is_as_decided(name, group->decision))
		return 0;
	print_message(
		"# %s, %d: the filter does not do as decided: %s\n", name, number, group->reason);
	return 1;
}

static void test_each_call(void **state)
{
	static const uint32_t archs[] = {SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64};
	int wrong = 0;

	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++)
		for (int number = 0; number < NUMBERS; number++)
			wrong += check_call(archs[i], number);
	assert_int_equal(wrong, 0);
}

/* From 424 on each number is a call on all architectures. */
static void test_no_gap(void **state)
{
	char name[NAME_SIZE];

	for (int number = 424; number <= NOTIFY_LAST; number++)
		if (!name_of(SCMP_ARCH_AARCH64, number, name))
			fail_msg("%d has no name", number);
}

/* Calls above NOTIFY_LAST fail with ENOSYS, also if the kernel has them: here an earlier filter
 * gives them another error. */
static void tool_newer(void)
{
	MUST(syscall(NOTIFY_LAST + 1, 0, 0, 0) == -1 && errno == ENOSYS);
	MUST(syscall(NUMBERS - 1, 0, 0, 0) == -1 && errno == ENOSYS);
	MUST(syscall(NUMBERS, 0, 0, 0) == -1 && errno == EXFULL);
}

static void test_newer(void **state)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the number of the call */
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NOTIFY_LAST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SCMP_ACT_ERRNO(EXFULL)),
		BPF_STMT(BPF_RET | BPF_K, SCMP_ACT_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	struct board *board = live_start();

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
	assert_int_equal(run_tool(board, tool_newer), 0);
	live_stop(board);
}

/* Without the filter each of these calls fails or changes nothing. */
static void tool_workstation(void)
{
	char name[HOST_NAME_MAX + 1] = "";

	gethostname(name, sizeof(name));
	MUST(sethostname(name, strlen(name)) == -1 && errno == EPERM);
	MUST(syscall(SYS_setdomainname, "", -1) == -1 && errno == EPERM);
	MUST(syscall(SYS_swapon, "/none", 0) == -1 && errno == EPERM);
	MUST(syscall(SYS_swapoff, "/none") == -1 && errno == EPERM);
	MUST(syscall(SYS_acct, "/none") == -1 && errno == EPERM);
	MUST(syscall(SYS_fanotify_init, 0, 0) == -1 && errno == EPERM);
	MUST(syscall(SYS_reboot, 0, 0, 0, 0) == -1 && errno == EPERM);
	MUST(syscall(SYS_kexec_load, 0, 0, 0, -1) == -1 && errno == EPERM);
	MUST(syscall(SYS_kexec_file_load, -1, -1, 0, "", -1) == -1 && errno == EPERM);
}

static void test_workstation(void **state)
{
	static const char *const names[] = {"sethostname", "setdomainname", "swapon", "swapoff",
		"acct", "fanotify_init", "reboot", "kexec_load", "kexec_file_load"};
	struct board *board = live_start();
	const char *log;

	log_begin();
	assert_int_equal(run_tool(board, tool_workstation), 0);
	log = log_end();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char wanted[128];

		snprintf(wanted, sizeof(wanted), ": %s is not supported: it would act on this",
			names[i]);
		assert_non_null(strstr(log, wanted));
	}
	live_stop(board);
}

/* Calls that write go to the board, or fail so that programs use write(2). */
static void tool_writes(void)
{
	int to = open("/sys/kernel/tracing/kprobe_events", O_WRONLY | O_APPEND);
	int from = open("/etc/passwd", O_RDONLY), ends[2];
	struct iovec part = {(char *)"p:a b\n", 6};

	MUST(to >= 0 && from >= 0 && pipe(ends) == 0 && write(ends[1], "p:a b\n", 6) == 6);
	MUST(sendfile(to, from, NULL, 10) == -1 && errno == EINVAL);
	MUST(copy_file_range(from, NULL, to, NULL, 10, 0) == -1 && errno == EINVAL);
	MUST(splice(ends[0], NULL, to, NULL, 6, 0) == -1 && errno == EINVAL);
	MUST(pwritev(to, &part, 1, 0) == -1 && errno == EINVAL);
	MUST(pwritev2(to, &part, 1, 0, 0) == -1 && errno == EINVAL);
	MUST(writev(to, &part, 1) == 6);
}

static void test_writes(void **state)
{
	struct board *board = live_start();

	board_reply_ret(board, RPC_FILE_ACCESS, 0);
	board_reply_ret(board, RPC_FILE_WRITE, 6);
	assert_int_equal(run_tool(board, tool_writes), 0);
	live_stop(board);
}

/* The linker replaces ioctl() by this; see the Makefile. */
int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

static int answer_error, answers; /* of SECCOMP_IOCTL_NOTIF_SEND; 0: none fails */
static bool fails_once;

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	if (request != SECCOMP_IOCTL_NOTIF_SEND || !answer_error)
		return __real_ioctl(fd, request, arg);
	answers++;
	if (fails_once && answers > 1)
		return 0;
	errno = answer_error;
	return -1;
}

/* Returns what notify_answer() logs while the kernel refuses one or all answers. */
static const char *answer(bool once, int err)
{
	const struct run run = {.listener = -1};
	const char *log;

	answers = 0;
	fails_once = once;
	answer_error = err;
	log_begin();
	notify_answer(&run, 1, 0);
	log = log_end();
	answer_error = 0;
	return log;
}

/* A tool without an answer would wait forever. */
static void test_answer_fails(void **state)
{
	assert_string_equal(answer(true, EINTR), "");
	assert_int_equal(answers, 2);
	assert_string_equal(answer(true, EIO), "");
	assert_int_equal(answers, 2);
	assert_string_equal(answer(false, ENOENT), "");
	assert_int_equal(answers, 1);
	assert_non_null(strstr(answer(false, EIO), "cannot be answered: Input/output error\n"));
	assert_in_range(answers, 2, 10);
}

int main(void)
{
	const struct CMUnitTest decisions[] = {
		cmocka_unit_test(test_each_call),
		cmocka_unit_test(test_no_gap),
		cmocka_unit_test(test_answer_fails),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workstation), cmocka_unit_test(test_writes),
		cmocka_unit_test(test_newer), /* the last one: its filter stays */
	};
	int failed = cmocka_run_group_tests(decisions, NULL, NULL);

	return failed ? failed : live_run(tests);
}
