/* SPDX-License-Identifier: Apache-2.0 */
/* Small calls: uname, processes and limits of the board; the warning for unsupported calls. */
#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
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

/* kill(pid, 0): does the process exist? */
int64_t sys_kill(const struct call *call)
{
	int pid = (int)call->args[0];

	return process_is_board(pid) ? find_process(call, pid) : CALL_CONTINUE;
}

/* pidfd_open(pid, flags): tools wait for the end of the process that they trace. The descriptor
 * that they get never becomes readable, as if a process of the board outlived the tool. */
int64_t sys_pidfd_open(const struct call *call)
{
	int pid = (int)call->args[0], fd;
	int64_t ret;

	if (!process_is_board(pid))
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

/* Tools raise RLIMIT_MEMLOCK to make maps. The maps are on the board, so there is nothing to do. */
int64_t sys_setrlimit(const struct call *call)
{
	return 0;
}

/* prlimit64(pid, resource, new, old) */
int64_t sys_prlimit64(const struct call *call)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	return call->args[3] ? memory_write(call, call->args[3], &unlimited, sizeof(unlimited)) : 0;
}

void run_unsupported(const struct call *call, const char *what)
{
	const char **logged = call->run->unsupported;
	size_t i = 0;

	while (i < RUN_UNSUPPORTED_MAX && logged[i] && logged[i] != what)
		i++;
	if (i < RUN_UNSUPPORTED_MAX && logged[i])
		return;
	if (i < RUN_UNSUPPORTED_MAX)
		logged[i] = what;
	log_warning("%s: not supported: %s", notify_name(call->number), what);
}
