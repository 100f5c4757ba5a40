/* SPDX-License-Identifier: Apache-2.0 */
/* unlink(2), rmdir(2), mkdir(2), rename(2) and variants: the board serves them in bpffs. */
#include "core/base/log.h"
#include "core/messages/file_tree.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/refused.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A name of the tool. */
struct name {
	char path[PATH_MAX]; /* if it is the board's */
	bool dot, dot_dot;   /* the last component is "." or ".." */
	bool slash;	     /* it ends in a slash: only a directory may have it */
};

/* Returns as path_resolve(). */
static int get_name(const struct call *call, int dirfd, uint64_t path_at, struct name *name)
{
	int ours = path_resolve(call, dirfd, path_at, false, name->path);
	char given[PATH_MAX], *last;
	ssize_t n;

	if (ours <= 0)
		return ours;
	n = memory_read_string(call, path_at, given, sizeof(given));
	if (n < 0)
		return (int)n;
	name->slash = n > 0 && given[n - 1] == '/';
	while (n > 0 && given[n - 1] == '/')
		given[--n] = 0;
	last = strrchr(given, '/');
	last = last ? last + 1 : given;
	name->dot = strcmp(last, ".") == 0;
	name->dot_dot = strcmp(last, "..") == 0;
	return 1;
}

static bool is_in_bpffs(const char *path)
{
	const char *rest = file_tree_below(path, "/sys/fs/bpf");

	return rest && *rest;
}

/* Returns 0 if the board can change the name. Otherwise logs why not and returns -EPERM. */
static int64_t check(const struct call *call, const struct name *name)
{
	if (!is_in_bpffs(name->path))
		return refused(call, name->path);
	if (call->run->board.minor >= RPC_MINOR_BPFFS)
		return 0;
	return run_too_old(call->run, name->path, notify_name(call->number));
}

static int64_t remove_at(const struct call *call, int dirfd, uint64_t path_at, bool directory)
{
	struct name name;
	int ours = get_name(call, dirfd, path_at, &name);
	int64_t err;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	if (name.dot || name.dot_dot)
		return !directory ? -EISDIR : name.dot ? -EINVAL : -ENOTEMPTY;
	err = check(call, &name);
	if (!err && name.slash && !directory)
		err = -ENOTDIR;
	return err ? err : remote_remove(call->run->remote, name.path, directory);
}

int64_t sys_unlink(const struct call *call)
{
	return remove_at(call, AT_FDCWD, call->args[0], false);
}

int64_t sys_rmdir(const struct call *call)
{
	return remove_at(call, AT_FDCWD, call->args[0], true);
}

/* unlinkat(dirfd, path, flags) */
int64_t sys_unlinkat(const struct call *call)
{
	uint32_t flags = (uint32_t)call->args[2];

	if (flags & ~(uint32_t)AT_REMOVEDIR)
		return CALL_CONTINUE; /* the kernel reports the error */
	return remove_at(call, (int)call->args[0], call->args[1], flags & AT_REMOVEDIR);
}

static int64_t mkdir_at(const struct call *call, int dirfd, uint64_t path_at, uint32_t mode)
{
	uint32_t umask = (uint32_t)process_status(call->tid, "Umask:", 8);
	struct rpc_stat st;
	struct name name;
	int ours = get_name(call, dirfd, path_at, &name);
	int64_t err;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	/* "mkdir -p" starts with directories that exist. */
	if (!is_in_bpffs(name.path) && !remote_stat(call->run->remote, name.path, false, &st))
		return -EEXIST;
	err = check(call, &name);
	return err ? err : remote_mkdir(call->run->remote, name.path, mode & 07777 & ~umask);
}

int64_t sys_mkdir(const struct call *call)
{
	return mkdir_at(call, AT_FDCWD, call->args[0], (uint32_t)call->args[1]);
}

/* mkdirat(dirfd, path, mode) */
int64_t sys_mkdirat(const struct call *call)
{
	return mkdir_at(call, (int)call->args[0], call->args[1], (uint32_t)call->args[2]);
}

/* Returns 0, or -ENOTDIR if the name of a file has a slash at its end. */
static int64_t check_slash(const struct call *call, const struct name *name)
{
	struct rpc_stat st;
	int err = name->slash ? remote_stat(call->run->remote, name->path, false, &st) : -ENOENT;

	return !err && !S_ISDIR(st.mode) ? -ENOTDIR : 0;
}

static int64_t rename_at(const struct call *call, int from_fd, uint64_t from_at, int to_fd,
	uint64_t to_at, uint32_t flags)
{
	struct name from, to;
	int ours = get_name(call, from_fd, from_at, &from), theirs;
	int64_t err;

	theirs = ours < 0 ? ours : get_name(call, to_fd, to_at, &to);
	if (theirs < 0 || (!ours && !theirs))
		return theirs < 0 ? theirs : CALL_CONTINUE;
	if (!ours || !theirs) /* the tool may copy the file */
		return -EXDEV;
	if (from.dot || from.dot_dot || to.dot || to.dot_dot)
		return -EBUSY;
	err = check(call, &from);
	if (!err)
		err = check(call, &to);
	if (!err)
		err = check_slash(call, &from);
	return err ? err : remote_rename(call->run->remote, from.path, to.path, flags);
}

int64_t sys_rename(const struct call *call)
{
	return rename_at(call, AT_FDCWD, call->args[0], AT_FDCWD, call->args[1], 0);
}

/* renameat(from_fd, from, to_fd, to), and renameat2 with flags */
int64_t sys_renameat(const struct call *call)
{
	return rename_at(
		call, (int)call->args[0], call->args[1], (int)call->args[2], call->args[3], 0);
}

int64_t sys_renameat2(const struct call *call)
{
	return rename_at(call, (int)call->args[0], call->args[1], (int)call->args[2], call->args[3],
		(uint32_t)call->args[4]);
}
