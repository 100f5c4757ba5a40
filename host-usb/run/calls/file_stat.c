/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that query a file by its name: stat(2), access(2), readlink(2) and variants. */
#include "core/messages/file_tree.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define CGROUPS "/sys/fs/cgroup"

#ifndef TRACEFS_MAGIC
#define TRACEFS_MAGIC 0x74726163
#endif

static void fill_stat(struct stat *to, const struct rpc_stat *from)
{
	*to = (struct stat){
		.st_dev = makedev(from->dev_major, from->dev_minor),
		.st_ino = from->ino,
		.st_mode = from->mode,
		.st_nlink = from->nlink,
		.st_uid = from->uid,
		.st_gid = from->gid,
		.st_rdev = makedev(from->rdev_major, from->rdev_minor),
		.st_size = (off_t)from->size,
		.st_blksize = from->block_size,
		.st_blocks = (blkcnt_t)from->blocks,
		.st_atim = {from->atime_s, from->atime_ns},
		.st_mtim = {from->mtime_s, from->mtime_ns},
		.st_ctim = {from->ctime_s, from->ctime_ns},
	};
}

/* Gets the status of the board's file at a path. Returns 0, CALL_CONTINUE if the path is not of the
 * board, or a negative errno. */
static int64_t look_at(
	const struct call *call, int dirfd, uint64_t path_at, int flags, struct rpc_stat *st)
{
	const struct object *object;
	char path[PATH_MAX], first;
	int ours;

	/* With an empty path this is fstat(2) of dirfd. */
	if (flags & AT_EMPTY_PATH && !memory_read(call, path_at, &first, 1) && !first) {
		object = object_of(call, dirfd, OBJECT_DIRECTORY | OBJECT_STREAM);
		return object ? remote_stat(call->run->remote, object->path, true, st)
			      : CALL_CONTINUE;
	}
	ours = path_resolve(call, dirfd, path_at, !(flags & AT_SYMLINK_NOFOLLOW), path);
	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	return remote_stat(call->run->remote, path, !(flags & AT_SYMLINK_NOFOLLOW), st);
}

static int64_t stat_at(const struct call *call, int dirfd, uint64_t path, uint64_t to, int flags)
{
	struct rpc_stat from;
	struct stat st;
	int64_t ret = look_at(call, dirfd, path, flags, &from);

	if (ret)
		return ret;
	fill_stat(&st, &from);
	return memory_write(call, to, &st, sizeof(st));
}

int64_t sys_stat(const struct call *call)
{
	return stat_at(call, AT_FDCWD, call->args[0], call->args[1], 0);
}

int64_t sys_lstat(const struct call *call)
{
	return stat_at(call, AT_FDCWD, call->args[0], call->args[1], AT_SYMLINK_NOFOLLOW);
}

/* fstat(fd, to) */
int64_t sys_fstat(const struct call *call)
{
	const struct object *object =
		object_of(call, (int)call->args[0], OBJECT_DIRECTORY | OBJECT_STREAM);
	struct rpc_stat from;
	struct stat st;
	int err;

	if (!object)
		return CALL_CONTINUE;
	err = remote_stat(call->run->remote, object->path, true, &from);
	if (err)
		return err;
	fill_stat(&st, &from);
	return memory_write(call, call->args[1], &st, sizeof(st));
}

/* newfstatat(dirfd, path, to, flags) */
int64_t sys_newfstatat(const struct call *call)
{
	return stat_at(call, (int)call->args[0], call->args[1], call->args[2], (int)call->args[3]);
}

/* statx(dirfd, path, flags, mask, to) */
int64_t sys_statx(const struct call *call)
{
	struct rpc_stat from;
	struct statx st;
	int64_t ret = look_at(call, (int)call->args[0], call->args[1], (int)call->args[2], &from);

	if (ret)
		return ret;
	memset(&st, 0, sizeof(st));
	st.stx_mask = STATX_BASIC_STATS;
	st.stx_blksize = from.block_size;
	st.stx_nlink = from.nlink;
	st.stx_uid = from.uid;
	st.stx_gid = from.gid;
	st.stx_mode = (uint16_t)from.mode;
	st.stx_ino = from.ino;
	st.stx_size = from.size;
	st.stx_blocks = from.blocks;
	st.stx_atime = (struct statx_timestamp){.tv_sec = from.atime_s, .tv_nsec = from.atime_ns};
	st.stx_mtime = (struct statx_timestamp){.tv_sec = from.mtime_s, .tv_nsec = from.mtime_ns};
	st.stx_ctime = (struct statx_timestamp){.tv_sec = from.ctime_s, .tv_nsec = from.ctime_ns};
	st.stx_rdev_major = from.rdev_major;
	st.stx_rdev_minor = from.rdev_minor;
	st.stx_dev_major = from.dev_major;
	st.stx_dev_minor = from.dev_minor;
	return memory_write(call, call->args[4], &st, sizeof(st));
}

/* The type of the file system of a path: tools check it for bpffs and tracefs. */
static const struct file_system {
	const char *prefix;
	long type;
} file_systems[] = {
	{"/sys/kernel/debug/tracing", TRACEFS_MAGIC},
	{"/sys/kernel/debug", DEBUGFS_MAGIC},
	{"/sys/kernel/tracing", TRACEFS_MAGIC},
	{"/sys/fs/bpf", BPF_FS_MAGIC},
	{"/sys", SYSFS_MAGIC},
	{"/proc", PROC_SUPER_MAGIC},
};

/* A board with version 1 of control groups has a tmpfs, in which each hierarchy is mounted. */
static long cgroup_type(struct remote *remote, const char *path)
{
	struct rpc_stat st;

	if (!remote_stat(remote, CGROUPS "/cgroup.controllers", true, &st))
		return CGROUP2_SUPER_MAGIC;
	return strcmp(path, CGROUPS) == 0 ? TMPFS_MAGIC : CGROUP_SUPER_MAGIC;
}

static int64_t statfs_of(const struct call *call, const char *path, uint64_t to)
{
	struct statfs fs = {.f_bsize = 4096, .f_namelen = 255, .f_frsize = 4096};
	struct rpc_stat st;
	int err = remote_stat(call->run->remote, path, true, &st);

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++) {
		fs.f_type = file_systems[i].type;
		if (file_tree_below(path, file_systems[i].prefix))
			break;
	}
	if (file_tree_below(path, CGROUPS))
		fs.f_type = cgroup_type(call->run->remote, path);
	return memory_write(call, to, &fs, sizeof(fs));
}

/* statfs(path, to) */
int64_t sys_statfs(const struct call *call)
{
	char path[PATH_MAX];
	int ours = path_resolve(call, AT_FDCWD, call->args[0], true, path);

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	return statfs_of(call, path, call->args[1]);
}

/* fstatfs(fd, to) */
int64_t sys_fstatfs(const struct call *call)
{
	const struct object *object =
		object_of(call, (int)call->args[0], OBJECT_DIRECTORY | OBJECT_WRITER);

	return object ? statfs_of(call, object->path, call->args[1]) : CALL_CONTINUE;
}

static int64_t access_at(const struct call *call, int dirfd, uint64_t path_at, uint32_t mode)
{
	char path[PATH_MAX];
	int ours = path_resolve(call, dirfd, path_at, true, path);

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	return remote_access(call->run->remote, path, mode);
}

int64_t sys_access(const struct call *call)
{
	return access_at(call, AT_FDCWD, call->args[0], (uint32_t)call->args[1]);
}

/* faccessat(dirfd, path, mode), and faccessat2 with flags */
int64_t sys_faccessat(const struct call *call)
{
	return access_at(call, (int)call->args[0], call->args[1], (uint32_t)call->args[2]);
}

static int64_t link_at(
	const struct call *call, int dirfd, uint64_t path_at, uint64_t to, uint64_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	int ours = path_resolve(call, dirfd, path_at, false, path), err;
	int64_t length;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	if (size == 0 || size > INT_MAX)
		return -EINVAL;
	length = remote_link(call, path, target, sizeof(target));
	if (length < 0)
		return length;
	if ((uint64_t)length > size)
		length = (int64_t)size;
	err = memory_write(call, to, target, (size_t)length);
	return err ? err : length;
}

int64_t sys_readlink(const struct call *call)
{
	return link_at(call, AT_FDCWD, call->args[0], call->args[1], (uint32_t)call->args[2]);
}

int64_t sys_readlinkat(const struct call *call)
{
	return link_at(
		call, (int)call->args[0], call->args[1], call->args[2], (uint32_t)call->args[3]);
}
