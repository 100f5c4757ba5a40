/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on processes by their numbers: refused for processes of the board. */
#include "host-usb/run/calls/process.h"

#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IOPRIO_WHO_PROCESS 1 /* process groups and users follow, as in PRIO_PROCESS */

/* The clock of a process's or thread's CPU time has the inverted number from this bit on. The lower
 * bits are its kind. */
#define CLOCK_PID_SHIFT 3
#define CLOCK_KIND_MASK 7
#define CLOCK_OF_FD	3 /* a kind: the number is that of a descriptor */

/* In a PID namespace that the tool has made, all numbers are those of the tool's processes. */
static bool has_own_numbers(const struct call *call)
{
	char own[64] = "", theirs[64];

	return readlink("/proc/self/ns/pid", own, sizeof(own) - 1) > 0 &&
	       memory_read_link(call, "ns/pid", theirs, sizeof(theirs)) > 0 &&
	       strcmp(own, theirs) != 0;
}

bool process_of_board(const struct call *call, int pid)
{
	return process_is_board(pid) && !has_own_numbers(call);
}

/* Returns 0 if the board has a process of this id, -ESRCH if not, or another negative errno. */
static int find_process(const struct call *call, int pid)
{
	struct rpc_stat st;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	err = remote_stat(call->run->remote, path, true, &st);
	return err == -ENOENT ? -ESRCH : err;
}

/* `what` are the processes that the call names, a string constant. Tools can call it for each
 * process many times, so the warning appears once for each call and kind. */
static int64_t refuse(const struct call *call, const char *what, int number)
{
	char name[16] = "";

	if (number)
		snprintf(name, sizeof(name), " %d", number);
	if (run_is_first(call, what))
		log_warning("%s%s: %s is not supported for processes of the board", what, name,
			notify_name(call->number));
	return -EPERM;
}

int64_t process_check(const struct call *call, int pid)
{
	int err;

	if (pid <= 0 || !process_of_board(call, pid))
		return CALL_CONTINUE;
	err = find_process(call, pid);
	return err ? err : refuse(call, "process", pid);
}

static int64_t check_group(const struct call *call, int group)
{
	int err;

	if (group <= 0 || !process_group_is_board(group) || has_own_numbers(call))
		return CALL_CONTINUE;
	err = find_process(call, group);
	return err ? err : refuse(call, "process group", group);
}

static int64_t check_all(const struct call *call)
{
	return has_own_numbers(call) ? CALL_CONTINUE : refuse(call, "all processes", 0);
}

/* kill(pid, signal). Signal 0: does the process exist? */
int64_t sys_kill(const struct call *call)
{
	int pid = (int)call->args[0];

	if (pid > 0 && call->args[1] == 0)
		return process_of_board(call, pid) ? find_process(call, pid) : CALL_CONTINUE;
	if (pid == -1)
		return check_all(call);
	return pid < 0 ? check_group(call, -pid) : process_check(call, pid);
}

/* Calls with the number of a process or thread; 0 means the caller. */
int64_t sys_process(const struct call *call)
{
	int64_t ret;

	switch (call->number) {
	case __NR_kcmp: /* two processes */
		ret = process_check(call, (int)call->args[0]);
		if (ret != CALL_CONTINUE)
			return ret;
		/* fall through */
	case __NR_ptrace:
		return process_check(call, (int)call->args[1]);
	case __NR_prctl: /* PR_SCHED_CORE */
		return process_check(call, (int)call->args[2]);
	default:
		return process_check(call, (int)call->args[0]);
	}
}

/* getpriority(which, who) and its like: a process, a process group, or all processes of a user. */
static int64_t check_who(const struct call *call, int which, int who)
{
	switch (which) {
	case PRIO_PROCESS:
		return process_check(call, who);
	case PRIO_PGRP:
		return check_group(call, who);
	case PRIO_USER:
		return check_all(call);
	default: /* the kernel reports the error */
		return CALL_CONTINUE;
	}
}

int64_t sys_priority(const struct call *call)
{
	return check_who(call, (int)call->args[0], (int)call->args[1]);
}

/* ioprio_get(which, who), ioprio_set */
int64_t sys_ioprio(const struct call *call)
{
	return check_who(
		call, (int)call->args[0] - IOPRIO_WHO_PROCESS + PRIO_PROCESS, (int)call->args[1]);
}

/* capget(header, data): the header has a process. */
int64_t sys_capget(const struct call *call)
{
	struct __user_cap_header_struct header;

	if (memory_read(call, call->args[0], &header, sizeof(header)))
		return CALL_CONTINUE; /* the kernel reports the error */
	return process_check(call, header.pid);
}

int64_t process_check_owner(const struct call *call, int owner)
{
	return owner < 0 ? check_group(call, -owner) : process_check(call, owner);
}

/* fcntl(fd, F_SETOWN or F_SETOWN_EX, owner): the owner gets signals about the descriptor. */
int64_t sys_fcntl(const struct call *call)
{
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = (int)call->args[2]};

	if (call->args[1] == F_SETOWN_EX) {
		if (memory_read(call, call->args[2], &owner, sizeof(owner)))
			return CALL_CONTINUE;
		if (owner.type == F_OWNER_PGRP)
			return check_group(call, owner.pid);
	}
	return process_check_owner(call, owner.pid);
}

/* Calls on a clock. The filter notifies clocks of a process's CPU time only. */
int64_t sys_cpu_clock(const struct call *call)
{
	int clock = (int)call->args[0];

	if ((clock & CLOCK_KIND_MASK) == CLOCK_OF_FD)
		return CALL_CONTINUE;
	return process_check(call, ~(clock >> CLOCK_PID_SHIFT));
}

/* pidfd_open(pid, flags): tools wait for the end of the process that they trace. The descriptor
 * that they get never becomes readable, as if a process of the board outlived the tool. */
int64_t sys_pidfd_open(const struct call *call)
{
	int pid = (int)call->args[0], fd;
	int64_t ret;

	if (!process_of_board(call, pid))
		return CALL_CONTINUE;
	ret = find_process(call, pid);
	if (ret)
		return ret;
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = notify_give_fd(call, fd, true, false);
	close(fd);
	return ret;
}

/* Returns true for a descriptor of sys_pidfd_open(), and for a process's directory in the board's
 * /proc. The workstation's kernel takes no other eventfd for a process either. */
static bool is_board_pidfd(const struct call *call, int fd)
{
	const struct object *object = object_of(call, fd, OBJECT_DIRECTORY);
	char name[32], link[64];

	if (object)
		return path_is_in_proc(object->path);
	snprintf(name, sizeof(name), "fd/%d", fd);
	return memory_read_link(call, name, link, sizeof(link)) > 0 &&
	       strcmp(link, "anon_inode:[eventfd]") == 0;
}

/* Calls on the descriptor of a process. */
int64_t sys_on_pidfd(const struct call *call)
{
	return is_board_pidfd(call, (int)call->args[0]) ? refuse(call, "descriptor of a process", 0)
							: CALL_CONTINUE;
}
