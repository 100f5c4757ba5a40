/* SPDX-License-Identifier: Apache-2.0 */
/* Small calls that say something of the board, or make sense only there. */
#include "core/log.h"
#include "host-usb/run/memory.h"
#include "host-usb/run/notify.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

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
	return memory_write(call->tid, call->args[0], &uts, sizeof(uts));
}

/* Tools raise their limit of locked memory for maps, which are not theirs here. */
int64_t sys_setrlimit(const struct call *call)
{
	return 0;
}

/* prlimit64(pid, resource, new, old) */
int64_t sys_prlimit64(const struct call *call)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	return call->args[3] ? memory_write(call->tid, call->args[3], &unlimited, sizeof(unlimited))
			     : 0;
}

void run_unsupported(const struct call *call, const char *what)
{
	const char **told = call->run->unsupported;
	size_t i = 0;

	while (i < RUN_UNSUPPORTED_MAX && told[i] && told[i] != what)
		i++;
	if (i < RUN_UNSUPPORTED_MAX && told[i])
		return;
	if (i < RUN_UNSUPPORTED_MAX)
		told[i] = what;
	log_warning("the tool asks for %s (%s), which is not supported from afar", what,
		notify_name(call->number));
}
