/* SPDX-License-Identifier: Apache-2.0 */
/* Small calls: uname and limits of the board, ioctl; the warning for unsupported calls. */
#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/process.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static void set_name(char *to, size_t size, const char *from)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	memset(to + length, 0, size - length);
}

int64_t sys_uname(const struct call *call)
{
	const struct rpc_hello *board = &call->run->board;
	struct utsname uts;

	if (uname(&uts) < 0)
		return -errno;
	set_name(uts.sysname, sizeof(uts.sysname), board->sysname);
	set_name(uts.nodename, sizeof(uts.nodename), board->nodename);
	set_name(uts.release, sizeof(uts.release), board->release);
	set_name(uts.version, sizeof(uts.version), board->version);
	set_name(uts.machine, sizeof(uts.machine), board->machine);
	return memory_write(call, call->args[0], &uts, sizeof(uts));
}

/* Tools raise RLIMIT_MEMLOCK to make maps. The maps are on the board, so there is nothing to do. */
int64_t sys_setrlimit(const struct call *call)
{
	return 0;
}

/* prlimit64(pid, resource, new, old) */
int64_t sys_prlimit64(const struct call *call)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	int64_t ret = process_check(call, (int)call->args[0]);

	if (ret != CALL_CONTINUE || call->args[1] != RLIMIT_MEMLOCK)
		return ret;
	return call->args[3] ? memory_write(call, call->args[3], &unlimited, sizeof(unlimited)) : 0;
}

/* Calls that change or watch the whole machine. */
int64_t sys_workstation(const struct call *call)
{
	log_warning("%s is not supported: it would act on this workstation, not on the board",
		notify_name(call->number));
	return -EPERM;
}

/* ioctl(fd, request, arg) */
int64_t sys_ioctl(const struct call *call)
{
	return (call->args[1] & RUN_IOCTL_TYPE_MASK) == RUN_IOCTL_TYPE_SOCKET
		       ? sys_socket_ioctl(call)
		       : sys_perf_ioctl(call);
}

bool run_is_first(const struct call *call, const char *what)
{
	struct run_warning *given = call->run->warnings;
	size_t i = 0;

	while (i < RUN_WARNINGS_MAX && given[i].what &&
		(given[i].what != what || given[i].number != call->number))
		i++;
	if (i < RUN_WARNINGS_MAX && given[i].what)
		return false;
	if (i < RUN_WARNINGS_MAX)
		given[i] = (struct run_warning){what, call->number};
	return true;
}

int64_t run_too_old(const struct run *run, const char *path, const char *call)
{
	log_warning("%s: %s: the board's bpfd (version %s) cannot do this; install the bpfd of "
		    "this release on the board",
		path, call, run->board.program);
	return -EPERM;
}

void run_unsupported(const struct call *call, const char *what)
{
	if (run_is_first(call, what))
		log_warning("%s: not supported: %s", notify_name(call->number), what);
}
