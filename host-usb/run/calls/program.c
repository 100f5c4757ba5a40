/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that the tool starts, its working directory, and kernel modules. */
#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/refused.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* The working directory is the workstation's, so relative names can mean the board only if the
 * workstation has a directory of the same name, which is not reached through a link. */
int64_t sys_chdir(const struct call *call)
{
	char path[PATH_MAX], real[PATH_MAX];
	struct rpc_stat st;
	int ours = path_resolve(call, AT_FDCWD, call->args[0], path), err;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	err = remote_stat(call->run->remote, path, true, &st);
	if (err)
		return err;
	if (!S_ISDIR(st.mode))
		return -ENOTDIR;
	if (realpath(path, real) && strcmp(path, real) == 0)
		return CALL_CONTINUE;
	log_warning("%s: cannot be entered: this workstation has no directory of that name", path);
	return -ENOENT;
}
