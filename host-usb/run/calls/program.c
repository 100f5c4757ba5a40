/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that the tool starts, and kernel modules. */
#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/refused.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* Programs that load or remove kernel modules. */
static bool is_module_program(const char *path)
{
	static const char *const names[] = {"insmod", "kmod", "modprobe", "rmmod"};
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int64_t execute(const struct call *call, int directory, uint64_t path_at)
{
	char path[PATH_MAX];
	int ours = path_resolve_file(call, directory, path_at, path);

	if (ours < 0)
		return ours;
	if (ours) {
		refused(call, path);
		return -EACCES;
	}
	if (memory_read_string(call, path_at, path, sizeof(path)) >= 0 && is_module_program(path))
		log_warning("%s: runs on this workstation and cannot change the board's modules; "
			    "load them on the board",
			path);
	return CALL_CONTINUE;
}

int64_t sys_execve(const struct call *call)
{
	return execute(call, AT_FDCWD, call->args[0]);
}

/* execveat(dirfd, path, argv, envp, flags) */
int64_t sys_execveat(const struct call *call)
{
	return execute(call, (int)call->args[0], call->args[1]);
}

/* The tool would load a module into the workstation's kernel, or remove one from it. */
int64_t sys_module(const struct call *call)
{
	log_warning("%s is not supported: the tool cannot load or remove modules of the board",
		notify_name(call->number));
	return -EPERM;
}
