/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp's user notifications: the filter, and the answers to the tool's system calls. */
#include "host-usb/run/calls/notify.h"

#include "core/base/log.h"
#include "host-usb/run/calls/filter.h"
#include "host-usb/run/calls/numbers.h"
#include "host-usb/run/calls/refused_calls.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* On older systems linux/seccomp.h and seccomp.h cannot be included together. */
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, uint64_t)
#endif
#define WAIT_KILLABLE (1UL << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19 */
#define SYNC_WAKE_UP  1UL	 /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux 6.6 */

#define IOCTL_TRIES 4

#define MAP_SHARED_FILE_MASK (MAP_SHARED | MAP_ANONYMOUS)

/* Which calls of a number are notified. The others do not concern the board, and a notification
 * would only make them slower. */
enum filter {
	ALL,
	IOCTLS,		 /* ioctl: requests to perf events and sockets */
	SOCKETS,	 /* socket: netlink, packets, XDP */
	BPF_OPTIONS,	 /* setsockopt: options whose value is a BPF program */
	SHARED_FILES,	 /* mmap: shared mappings of a file */
	SEEN_FDS,	 /* the first argument is a descriptor from fd_base on */
	SEEN_FDS_3,	 /* the third argument is one */
	REWINDS,	 /* lseek: as SEEN_FDS, and to offset 0 of any descriptor */
	STAT_FLAGS_2,	 /* flags are args[2]: all but fstat(2) of descriptors below fd_base */
	STAT_FLAGS_3,	 /* the same; flags are args[3] */
	NOT_0,		 /* the first argument is not 0, which means the caller itself */
	CPU_CLOCKS,	 /* the first argument is the clock of a process's CPU time */
	ATTACHING,	 /* ptrace: to attach to a process */
	CORE_SCHEDULING, /* prctl: PR_SCHED_CORE */
	OWNERS,		 /* fcntl: F_SETOWN, F_SETOWN_EX */
	MEMLOCK,	 /* the first argument is RLIMIT_MEMLOCK */
	LIMITS,		 /* prlimit64: of RLIMIT_MEMLOCK, or of another process */
};

#define RLIMIT_MEMLOCK_NUMBER 8 /* on x86, ARM and RISC-V */

#define ROW(name, handler, filter)                  \
	{                                           \
		__NR_##name, #name, handler, filter \
	}
#define CALL(name, filter) ROW(name, sys_##name, filter)
#define ABSENT(name)	   ROW(name, NULL, ALL) /* fails with ENOSYS */

static const struct syscall_entry {
	int number;
	const char *name;
	call_handler *handler;
	enum filter filter;
} table[] = {
	CALL(bpf, ALL),
	CALL(perf_event_open, ALL),
	CALL(ioctl, IOCTLS),
	CALL(socket, SOCKETS),
	CALL(setsockopt, BPF_OPTIONS),
	CALL(mmap, SHARED_FILES),
	CALL(ppoll, ALL),
	CALL(epoll_ctl, ALL),
	CALL(openat, ALL),
	CALL(openat2, ALL),
	CALL(newfstatat, STAT_FLAGS_3),
	CALL(statx, STAT_FLAGS_2),
	CALL(statfs, ALL),
	CALL(fstatfs, ALL),
	CALL(faccessat, ALL),
	ROW(faccessat2, sys_faccessat, ALL),
	CALL(readlinkat, ALL),
	CALL(unlinkat, ALL),
	CALL(mkdirat, ALL),
	CALL(renameat2, ALL),
#ifdef __NR_renameat
	CALL(renameat, ALL),
#endif
	CALL(fstat, SEEN_FDS),
	CALL(getdents64, ALL), /* libraries read directories through low-numbered duplicates */
	CALL(lseek, REWINDS),
	CALL(read, SEEN_FDS),
	{__NR_readv, "readv", sys_read, SEEN_FDS},
	CALL(write, SEEN_FDS),
	CALL(pwrite64, SEEN_FDS),
	CALL(writev, SEEN_FDS),
	ROW(copy_file_range, sys_write_other, SEEN_FDS_3),
	ROW(pwritev, sys_write_other, SEEN_FDS),
	ROW(pwritev2, sys_write_other, SEEN_FDS),
	ROW(sendfile, sys_write_other, SEEN_FDS),
	ROW(splice, sys_write_other, SEEN_FDS_3),
	CALL(kill, NOT_0),
	CALL(pidfd_open, ALL),
	CALL(capget, ALL),
	CALL(fcntl, OWNERS),
	ROW(getpriority, sys_priority, ALL),
	ROW(setpriority, sys_priority, ALL),
	ROW(ioprio_get, sys_ioprio, ALL),
	ROW(ioprio_set, sys_ioprio, ALL),
	ROW(clock_getres, sys_cpu_clock, CPU_CLOCKS),
	ROW(clock_gettime, sys_cpu_clock, CPU_CLOCKS),
	ROW(clock_nanosleep, sys_cpu_clock, CPU_CLOCKS),
	ROW(get_robust_list, sys_process, NOT_0),
	ROW(getpgid, sys_process, NOT_0),
	ROW(getsid, sys_process, NOT_0),
	ROW(kcmp, sys_process, ALL),
	ROW(migrate_pages, sys_process, NOT_0),
	ROW(move_pages, sys_process, NOT_0),
	ROW(pidfd_getfd, sys_on_pidfd, ALL),
	ROW(pidfd_send_signal, sys_on_pidfd, ALL),
	ROW(prctl, sys_process, CORE_SCHEDULING),
	ROW(process_madvise, sys_on_pidfd, ALL),
	ROW(process_mrelease, sys_on_pidfd, ALL),
	ROW(process_vm_readv, sys_process, NOT_0),
	ROW(process_vm_writev, sys_process, NOT_0),
	ROW(ptrace, sys_process, ATTACHING),
	ROW(rt_sigqueueinfo, sys_process, NOT_0),
	ROW(rt_tgsigqueueinfo, sys_process, NOT_0),
	ROW(sched_getaffinity, sys_process, NOT_0),
	ROW(sched_getattr, sys_process, NOT_0),
	ROW(sched_getparam, sys_process, NOT_0),
	ROW(sched_getscheduler, sys_process, NOT_0),
	ROW(sched_rr_get_interval, sys_process, NOT_0),
	ROW(sched_setaffinity, sys_process, NOT_0),
	ROW(sched_setattr, sys_process, NOT_0),
	ROW(sched_setparam, sys_process, NOT_0),
	ROW(sched_setscheduler, sys_process, NOT_0),
	ROW(tgkill, sys_process, NOT_0),
	ROW(timer_create, sys_cpu_clock, CPU_CLOCKS),
	ROW(tkill, sys_process, NOT_0),
	ROW(acct, sys_workstation, ALL),
	ROW(fanotify_init, sys_workstation, ALL),
	ROW(kexec_file_load, sys_workstation, ALL),
	ROW(kexec_load, sys_workstation, ALL),
	ROW(reboot, sys_workstation, ALL),
	ROW(setdomainname, sys_workstation, ALL),
	ROW(sethostname, sys_workstation, ALL),
	ROW(swapoff, sys_workstation, ALL),
	ROW(swapon, sys_workstation, ALL),
	CALL(uname, ALL),
	CALL(syslog, ALL),
	CALL(name_to_handle_at, ALL),
	CALL(chdir, ALL),
	CALL(fchdir, ALL),
	CALL(getcwd, ALL),
	CALL(execve, ALL),
	CALL(execveat, ALL),
	ROW(init_module, sys_module, ALL),
	ROW(finit_module, sys_module, ALL),
	ROW(delete_module, sys_module, ALL),
	CALL(prlimit64, LIMITS),
	/* With io_uring a tool could open, read and poll files past the filter. Libraries that use
	 * it fall back to other calls if the kernel lacks it. */
	ABSENT(io_uring_setup),
	ABSENT(io_uring_enter),
	ABSENT(io_uring_register),
#ifdef __NR_getdents
	ABSENT(getdents), /* of old programs: it would show directories of the board as empty */
#endif
#ifdef __NR_setrlimit
	CALL(setrlimit, MEMLOCK),
#endif
#ifdef __NR_open /* architectures older than arm64 also have these */
	CALL(open, ALL),
	CALL(creat, ALL),
	CALL(stat, ALL),
	CALL(lstat, ALL),
	CALL(access, ALL),
	CALL(readlink, ALL),
	CALL(unlink, ALL),
	CALL(rmdir, ALL),
	CALL(mkdir, ALL),
	CALL(rename, ALL),
	CALL(poll, ALL),
#endif
};

#undef CALL

/* Calls that are refused for files of the board, and calls that read extended attributes. */
static const struct syscall_entry file_table[] = {
#define CALL(name, ...) {__NR_##name, #name, sys_refused, ALL},
	REFUSED_CALLS(CALL) REFUSED_OLD_CALLS(CALL)
#undef CALL
#define CALL(name, ...) {__NR_##name, #name, sys_attributes, ALL},
		ATTRIBUTE_CALLS(CALL)
#undef CALL
};

#define TABLE_SIZE	(sizeof(table) / sizeof(table[0]))
#define FILE_TABLE_SIZE (sizeof(file_table) / sizeof(file_table[0]))

/* Returns entry i of both tables, NULL after the last one. */
static const struct syscall_entry *entry_at(size_t i)
{
	if (i < TABLE_SIZE)
		return &table[i];
	return i - TABLE_SIZE < FILE_TABLE_SIZE ? &file_table[i - TABLE_SIZE] : NULL;
}

static const struct syscall_entry *entry_of(int number)
{
	const struct syscall_entry *entry;

	for (size_t i = 0; (entry = entry_at(i)); i++)
		if (entry->number == number)
			break;
	return entry;
}

enum notify_treatment notify_treatment(int number)
{
	const struct syscall_entry *entry = entry_of(number);

	if (number > NOTIFY_LAST || (entry && !entry->handler))
		return TREATMENT_ABSENT;
	return entry ? TREATMENT_NOTIFIED : TREATMENT_LOCAL;
}

const char *notify_name(int number)
{
	const struct syscall_entry *entry = entry_of(number);

	return entry ? entry->name : "system call";
}

/* Stores the comparisons for a filter: a call is notified if one of them holds. Returns their
 * number. */
static unsigned int comparisons_of(enum filter filter, int fd_base, struct scmp_arg_cmp compare[3])
{
	compare[0] = SCMP_A0_32(SCMP_CMP_GE, (uint32_t)fd_base);
	switch (filter) {
	case ALL:
		return 0;
	case IOCTLS:
		compare[0] =
			SCMP_A1_64(SCMP_CMP_MASKED_EQ, RUN_IOCTL_TYPE_MASK, RUN_IOCTL_TYPE_PERF);
		compare[1] =
			SCMP_A1_64(SCMP_CMP_MASKED_EQ, RUN_IOCTL_TYPE_MASK, RUN_IOCTL_TYPE_SOCKET);
		return 2;
	case SOCKETS:
		compare[0] = SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK);
		compare[1] = SCMP_A0_32(SCMP_CMP_EQ, AF_PACKET);
		compare[2] = SCMP_A0_32(SCMP_CMP_EQ, AF_XDP);
		return 3;
	case BPF_OPTIONS:
		compare[0] = SCMP_A2_32(SCMP_CMP_EQ, SO_ATTACH_BPF);
		compare[1] = SCMP_A2_32(SCMP_CMP_EQ, SO_ATTACH_REUSEPORT_EBPF);
		return 2;
	case SHARED_FILES:
		compare[0] = SCMP_A3_64(SCMP_CMP_MASKED_EQ, MAP_SHARED_FILE_MASK, MAP_SHARED);
		return 1;
	case SEEN_FDS:
	case REWINDS: /* another rule follows */
		return 1;
	case SEEN_FDS_3:
		compare[0] = SCMP_A2_32(SCMP_CMP_GE, (uint32_t)fd_base);
		return 1;
	case STAT_FLAGS_2:
	case STAT_FLAGS_3:
		/* A relative name may start at such a descriptor. AT_FDCWD, unsigned, is above all
		 * of them. */
		compare[1] = SCMP_CMP32(
			filter == STAT_FLAGS_2 ? 2U : 3U, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0);
		return 2;
	case NOT_0:
		compare[0] = SCMP_A0_32(SCMP_CMP_NE, 0);
		return 1;
	case CPU_CLOCKS: /* they are negative */
		compare[0] = SCMP_A0_32(SCMP_CMP_GT, INT_MAX);
		return 1;
	case ATTACHING:
		compare[0] = SCMP_A0_32(SCMP_CMP_EQ, PTRACE_ATTACH);
		compare[1] = SCMP_A0_32(SCMP_CMP_EQ, PTRACE_SEIZE);
		return 2;
	case CORE_SCHEDULING:
		compare[0] = SCMP_A0_32(SCMP_CMP_EQ, PR_SCHED_CORE);
		return 1;
	case OWNERS:
		compare[0] = SCMP_A1_32(SCMP_CMP_EQ, F_SETOWN);
		compare[1] = SCMP_A1_32(SCMP_CMP_EQ, F_SETOWN_EX);
		return 2;
	case MEMLOCK:
		compare[0] = SCMP_A0_32(SCMP_CMP_EQ, RLIMIT_MEMLOCK_NUMBER);
		return 1;
	case LIMITS:
		compare[0] = SCMP_A0_32(SCMP_CMP_NE, 0);
		compare[1] = SCMP_A1_32(SCMP_CMP_EQ, RLIMIT_MEMLOCK_NUMBER);
		return 2;
	}
	return 0;
}

static void make_rule(struct filter_rule *rule, const struct syscall_entry *entry, int fd_base)
{
	*rule = (struct filter_rule){.number = entry->number, .action = SCMP_ACT_NOTIFY};
	if (!entry->handler)
		rule->action = SCMP_ACT_ERRNO(ENOSYS);
	else
		rule->count = comparisons_of(entry->filter, fd_base, rule->compare);
	if (entry->filter == REWINDS) {
		rule->all_count = 2;
		rule->all[0] = SCMP_A1_64(SCMP_CMP_EQ, 0);
		rule->all[1] = SCMP_A2_32(SCMP_CMP_EQ, SEEK_SET);
	}
}

/* With the flag WAIT_KILLABLE, only fatal signals interrupt a call that the supervisor has
 * received. bpf(2) and similar calls are never interrupted without bpfd-run either. */
static int load(const struct sock_fprog *program)
{
	long listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	listener = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE, program);
	if (listener < 0 && errno == EINVAL) /* before Linux 5.19 */
		listener = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_NEW_LISTENER, program);
	return listener < 0 ? -errno : (int)listener;
}

int notify_install(int fd_base, bool as_root)
{
	static struct filter_program program;
	static struct filter_rule rules[FILTER_RULES_MAX];
	struct sock_fprog loaded = {.filter = program.code};
	const struct syscall_entry *entry;
	size_t count = 0;
	int err;

	_Static_assert(TABLE_SIZE + FILE_TABLE_SIZE + 2 <= FILTER_RULES_MAX, "all rules fit");
	while ((entry = entry_at(count)))
		make_rule(&rules[count++], entry, fd_base);
	/* An errno of 0 makes the call return 0. */
	if (as_root) {
		rules[count++] =
			(struct filter_rule){.number = __NR_geteuid, .action = SCMP_ACT_ERRNO(0)};
		rules[count++] =
			(struct filter_rule){.number = __NR_getuid, .action = SCMP_ACT_ERRNO(0)};
	}
	err = filter_make(&program, rules, count, NOTIFY_LAST);
	loaded.len = (unsigned short)program.count;
	return err ? err : load(&loaded);
}

void notify_tune(const struct run *run)
{
	/* The tool and the supervisor run in turns, so each should wake the other on the same CPU.
	 * Kernels before 6.6 lack this and are slower. */
	if (ioctl(run->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) < 0)
		log_debug("seccomp: no synchronous wake-ups: %s", strerror(errno));
}

int notify_check(void)
{
	return seccomp_api_get() < 5 ? -ENOSYS : 0;
}

bool notify_waiting(const struct run *run, uint64_t id)
{
	/* The result is the same whether the thread has gone or the question failed. */
	for (int i = 0; i < IOCTL_TRIES; i++)
		if (seccomp_notify_id_valid(run->listener, id) == 0)
			return true;
	return false;
}

void notify_answer(const struct run *run, uint64_t id, int64_t value)
{
	struct seccomp_notif_resp response = {.id = id};
	int err = -EINTR;

	if (value == CALL_CONTINUE)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (value < 0)
		response.error = (int)value;
	else
		response.val = value;
	/* After ENOENT and EINPROGRESS the thread was interrupted or killed and needs no answer.
	 * Otherwise it would wait for one forever. */
	for (int i = 0; err && err != -ENOENT && err != -EINPROGRESS && i < IOCTL_TRIES; i++)
		err = ioctl(run->listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 ? -errno : 0;
	if (err && err != -ENOENT && err != -EINPROGRESS)
		log_error("seccomp: a call of the tool cannot be answered: %s", strerror(-err));
}

/* Returns the tool's highest free descriptor from fd_base on, or -EMFILE. Tools that use
 * descriptors from 3 upwards then do not collide with it. */
static int free_number(const struct run *run, pid_t tid)
{
	char path[64], target[8];

	for (int fd = run->fd_base + FD_SEEN_COUNT - 1; fd >= run->fd_base; fd--) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, fd);
		if (readlink(path, target, sizeof(target)) < 0 && errno == ENOENT)
			return fd;
	}
	return -EMFILE;
}

int64_t notify_give_fd(const struct call *call, int fd, bool cloexec, bool seen)
{
	struct seccomp_notif_addfd add = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = cloexec ? O_CLOEXEC : 0,
	};
	int number;

	if (seen) {
		number = free_number(call->run, call->tid);
		if (number < 0)
			return number;
		add.flags |= SECCOMP_ADDFD_FLAG_SETFD;
		add.newfd = (uint32_t)number;
	}
	while (ioctl(call->run->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0) {
		if (errno == ENOENT || errno == EINPROGRESS) /* the thread is gone */
			return CALL_ANSWERED;
		if (errno == EINVAL)
			log_error("this kernel is too old; use Linux 5.14 or later");
		if (errno != EINTR)
			return -errno;
	}
	return CALL_ANSWERED;
}

int notify_receive(const struct run *run, struct seccomp_notif **request)
{
	int err = seccomp_notify_alloc(request, NULL);

	if (err)
		return err;
	if (seccomp_notify_receive(run->listener, *request) == 0)
		return 0;
	seccomp_notify_free(*request, NULL);
	return -ENOENT;
}

void notify_handle(struct run *run, struct seccomp_notif *request)
{
	const struct syscall_entry *entry = entry_of(request->data.nr);
	const struct call call = {
		.run = run,
		.id = request->id,
		.tid = (pid_t)request->pid,
		.number = request->data.nr,
		.args = (const uint64_t *)request->data.args,
	};
	int64_t value;

	run->lookup_error = 0;
	value = entry ? entry->handler(&call) : CALL_CONTINUE;
	/* The call may be the board's: a local one would have a wrong result. */
	if (value == CALL_CONTINUE && run->lookup_error) {
		log_error("%s: the tool's memory or descriptors cannot be read: %s",
			notify_name(request->data.nr), strerror(-run->lookup_error));
		value = run->lookup_error;
	}
	if (value != CALL_ANSWERED && value != CALL_HELD)
		notify_answer(run, call.id, value);
	seccomp_notify_free(request, NULL);
}
