/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that name a file: those of the board are answered here, all others go on as they
 * are. */
#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/files.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/tool_ring.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TRACEFS_MAGIC
#define TRACEFS_MAGIC 0x74726163
#endif

#define STREAM_CREDIT (1U << 20)  /* bytes of a followed file on their way, a power of 2 */
#define WRITE_MAX     (64U << 10) /* one line of kprobe_events is far shorter */
#define VECTOR_MAX    64

static int64_t give_directory(const struct call *call, const char *path, int flags)
{
	struct object *object;
	int err = object_new(&object, call->run->objects, OBJECT_DIRECTORY, RPC_NO_HANDLE);

	if (err)
		return err;
	object->path = strdup(path);
	if (!object->path) {
		object_end(object);
		return -ENOMEM;
	}
	return object_give(object, call, flags & O_CLOEXEC);
}

/* What is written is seen by us, and goes to the board call by call, so that errors are those of
 * that write. */
static int64_t give_writer(const struct call *call, const char *path, int flags)
{
	struct object *object;
	int err;

	if (flags & O_TRUNC) {
		/* It would remove the events of all who trace there. */
		log_warning("%s: it is not emptied on the board", path);
		return -EACCES;
	}
	err = files_access(call->run->files, path, W_OK);
	if (err) {
		if (err == -EACCES)
			log_warning("%s: it is not written on the board", path);
		return err;
	}
	err = object_new(&object, call->run->objects, OBJECT_WRITER, RPC_NO_HANDLE);
	if (err)
		return err;
	object->path = strdup(path);
	if (!object->path) {
		object_end(object);
		return -ENOMEM;
	}
	return object_give(object, call, flags & O_CLOEXEC);
}

/* Tools write the memory of a process to count up the semaphores of its USDT probes (usdt.h), each
 * right before it attaches there. The board's kernel does that with the uprobe, and undoes it,
 * whatever ends the tool: what is written is only taken. */
static int64_t give_memory(const struct call *call, char *path, int flags)
{
	struct rpc_stat st;
	int64_t ret;
	int fd;

	*strrchr(path, '/') = 0; /* the process */
	ret = files_stat(call->run->files, path, true, &st);
	if (ret)
		return ret;
	fd = memfd_create("bpfd:mem", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* All addresses can be read: nothing is counted there. */
	ret = ftruncate(fd, INT64_MAX) ? -errno
				       : notify_give_fd(call, fd, flags & O_CLOEXEC, false);
	close(fd);
	if (ret == CALL_ANSWERED)
		call->run->semaphores = true;
	return ret;
}

static bool is_pipe_file(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && strcmp(name, "/trace_pipe") == 0;
}

/* A file that yields what happens: the tool gets a pipe. When it has closed that, writing fails. */
static int64_t give_stream(const struct call *call, const char *path, int flags)
{
	struct client *client = call->run->client;
	struct bytes_out *out = client_begin(client, RPC_FILE_FOLLOW);
	struct object *object;
	struct bytes_in reply;
	int64_t ret;
	int ends[2], err;

	rpc_put_string(out, path);
	bytes_put_u64(out, STREAM_CREDIT);
	client_note(client, "%s", path);
	ret = client_call(client, &reply);
	if (ret < 0)
		return ret;
	err = object_new(&object, call->run->objects, OBJECT_STREAM, (uint32_t)ret);
	if (err)
		return err;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		err = -errno;
		object_end(object);
		return err;
	}
	if (flags & O_NONBLOCK)
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	err = tool_ring_open_pipe(object, ends[1], STREAM_CREDIT);
	ret = err ? err : notify_give_fd(call, ends[0], flags & O_CLOEXEC, false);
	close(ends[0]);
	if (ret != CALL_ANSWERED)
		object_end(object);
	return ret;
}

static int64_t give_contents(const struct call *call, const char *path, int flags)
{
	int fd = files_open(call->run->files, path);
	int64_t ret;
	char own[64];
	int readable;

	if (fd == -EISDIR)
		return give_directory(call, path, flags);
	if (fd < 0)
		return fd;
	/* A file of its own, from the start, that cannot be written. */
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	readable = open(own, O_RDONLY | O_CLOEXEC);
	ret = readable < 0 ? -errno : notify_give_fd(call, readable, flags & O_CLOEXEC, false);
	if (readable >= 0)
		close(readable);
	close(fd);
	return ret;
}

/* The tool's own namespace stands for the board's first one, see files_link(). */
static int64_t give_namespace(const struct call *call, const char *path, int flags)
{
	char target[256], own[64], link[256];
	int64_t ret = files_link(call->run->files, call, path, target, sizeof(target));
	ssize_t n;
	int fd;

	if (ret < 0)
		return ret;
	snprintf(own, sizeof(own), "/proc/%d/ns/mnt", (int)call->tid);
	n = readlink(own, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	if (strcmp(link, target) != 0)
		return -EACCES;
	fd = open(own, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = notify_give_fd(call, fd, flags & O_CLOEXEC, false);
	close(fd);
	return ret;
}

static int64_t open_at(const struct call *call, int dirfd, uint64_t path_at, int flags)
{
	struct files *files = call->run->files;
	char path[PATH_MAX];
	struct rpc_stat st;
	int ours = files_resolve(call, dirfd, path_at, path), err;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	if ((flags & O_ACCMODE) == O_RDWR && files_is_of_process(path, "/mem"))
		return give_memory(call, path, flags);
	if ((flags & O_ACCMODE) != O_RDONLY)
		return give_writer(call, path, flags);
	if (files_is_of_process(path, "/ns/mnt"))
		return give_namespace(call, path, flags);
	if (is_pipe_file(path))
		return give_stream(call, path, flags);
	if (!(flags & (O_DIRECTORY | O_PATH)))
		return give_contents(call, path, flags);
	err = files_stat(files, path, true, &st);
	if (err)
		return err;
	if (S_ISDIR(st.mode))
		return give_directory(call, path, flags);
	return flags & O_DIRECTORY ? -ENOTDIR : give_contents(call, path, flags);
}

int64_t sys_open(const struct call *call)
{
	return open_at(call, AT_FDCWD, call->args[0], (int)call->args[1]);
}

int64_t sys_openat(const struct call *call)
{
	return open_at(call, (int)call->args[0], call->args[1], (int)call->args[2]);
}

/* openat2(dirfd, path, how, size) */
int64_t sys_openat2(const struct call *call)
{
	struct open_how how;

	if (memory_read(call->tid, call->args[2], &how, sizeof(how)))
		return CALL_CONTINUE; /* the kernel says what is wrong with it */
	return open_at(call, (int)call->args[0], call->args[1], (int)how.flags);
}

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

/* Finds out what is at a path. Returns 0, CALL_CONTINUE, or a negative errno. */
static int64_t look_at(
	const struct call *call, int dirfd, uint64_t path_at, int flags, struct rpc_stat *st)
{
	const struct object *object;
	char path[PATH_MAX], first;
	int ours;

	/* fstat(2) is this with an empty path. */
	if (flags & AT_EMPTY_PATH && !memory_read(call->tid, path_at, &first, 1) && !first) {
		object = object_of(call, dirfd, OBJECT_DIRECTORY);
		return object ? files_stat(call->run->files, object->path, true, st)
			      : CALL_CONTINUE;
	}
	ours = files_resolve(call, dirfd, path_at, path);
	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	return files_stat(call->run->files, path, !(flags & AT_SYMLINK_NOFOLLOW), st);
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
	const struct object *object = object_of(call, (int)call->args[0], OBJECT_DIRECTORY);
	struct rpc_stat from;
	struct stat st;
	int err;

	if (!object)
		return CALL_CONTINUE;
	err = files_stat(call->run->files, object->path, true, &from);
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

/* Which file system a path is in: tools look for bpffs and tracefs so. */
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

/* statfs(path, to) */
int64_t sys_statfs(const struct call *call)
{
	struct statfs fs = {.f_bsize = 4096, .f_namelen = 255, .f_frsize = 4096};
	char path[PATH_MAX];
	struct rpc_stat st;
	int ours = files_resolve(call, AT_FDCWD, call->args[0], path), err;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	err = files_stat(call->run->files, path, true, &st);
	if (err)
		return err;
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++) {
		fs.f_type = file_systems[i].type;
		if (strncmp(path, file_systems[i].prefix, strlen(file_systems[i].prefix)) == 0)
			break;
	}
	return memory_write(call, call->args[1], &fs, sizeof(fs));
}

static int64_t access_at(const struct call *call, int dirfd, uint64_t path_at, uint32_t mode)
{
	char path[PATH_MAX];
	int ours = files_resolve(call, dirfd, path_at, path);

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	return files_access(call->run->files, path, mode);
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
	int ours = files_resolve(call, dirfd, path_at, path), err;
	int64_t length;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	if (size == 0 || size > INT_MAX)
		return -EINVAL;
	length = files_link(call->run->files, call, path, target, sizeof(target));
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

/* What getdents64(2) writes for an entry. */
struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t size;
	uint8_t type;
	char name[NAME_MAX + 1 + 8]; /* and its padding */
} __attribute__((packed));

#define ENTRY_NAME offsetof(struct entry, name)

/* Entry number n: the first two are the directory itself and its parent. */
static size_t make_entry(const struct listing *listing, size_t n, struct entry *entry)
{
	const char *name = n == 0 ? "." : n == 1 ? ".." : listing->entries[n - 2].name;
	size_t length = strlen(name);

	memset(entry, 0, sizeof(*entry));
	entry->ino = n < 2 ? 1 : listing->entries[n - 2].stat.ino;
	entry->type = n < 2 ? 4 /* DT_DIR */ : (uint8_t)(listing->entries[n - 2].stat.mode >> 12);
	entry->next = (int64_t)n + 1;
	entry->size = (uint16_t)((ENTRY_NAME + length + 1 + 7) / 8 * 8);
	memcpy(entry->name, name, length + 1);
	return entry->size;
}

/* getdents64(fd, to, size) */
int64_t sys_getdents64(const struct call *call)
{
	struct object *object = object_of(call, (int)call->args[0], OBJECT_DIRECTORY);
	uint64_t room = (uint32_t)call->args[2], used = 0;
	struct entry entry;
	size_t size;
	int err;

	if (!object)
		return CALL_CONTINUE;
	if (!object->listing) {
		err = files_list(call->run->files, object->path, &object->listing);
		if (err)
			return err;
	}
	for (; object->position < object->listing->count + 2; object->position++) {
		size = make_entry(object->listing, object->position, &entry);
		if (used + size > room)
			return used ? (int64_t)used : -EINVAL;
		err = memory_write(call, call->args[1] + used, &entry, size);
		if (err)
			return err;
		used += size;
	}
	return (int64_t)used;
}

/* rewinddir(3) and seekdir(3). lseek(fd, offset, whence) */
int64_t sys_lseek(const struct call *call)
{
	struct object *object = object_of(call, (int)call->args[0], OBJECT_DIRECTORY);
	int64_t to = (int64_t)call->args[1];

	if (!object)
		return CALL_CONTINUE;
	if (call->args[2] == SEEK_CUR && to == 0)
		to = (int64_t)object->position;
	else if (call->args[2] != SEEK_SET)
		return -EINVAL;
	if (to < 0)
		return -EINVAL;
	if (to == 0) { /* a new look */
		listing_put(object->listing);
		object->listing = NULL;
	}
	object->position = (size_t)to;
	return to;
}

static int64_t write_from(const struct call *call, const struct iovec *vector, size_t count)
{
	const struct object *object = object_of(call, (int)call->args[0], OBJECT_WRITER);
	size_t size = 0;
	int64_t ret = 0;
	char *data;

	if (!object)
		return CALL_CONTINUE;
	for (size_t i = 0; i < count; i++) {
		if (vector[i].iov_len > WRITE_MAX - size)
			return -EFBIG;
		size += vector[i].iov_len;
	}
	data = calloc(1, size + 1);
	if (!data)
		return -ENOMEM;
	size = 0;
	for (size_t i = 0; !ret && i < count; i++) {
		ret = memory_read(
			call->tid, (uintptr_t)vector[i].iov_base, data + size, vector[i].iov_len);
		size += vector[i].iov_len;
	}
	if (!ret)
		ret = files_write(call->run->files, object->path, data, size);
	free(data);
	return ret;
}

/* write(fd, from, size), and pwrite64 with an offset, which these files have none of */
int64_t sys_write(const struct call *call)
{
	const struct iovec vector = {(void *)(uintptr_t)call->args[1], call->args[2]};

	return write_from(call, &vector, 1);
}

int64_t sys_pwrite64(const struct call *call)
{
	return sys_write(call);
}

/* writev(fd, vector, count) */
int64_t sys_writev(const struct call *call)
{
	struct iovec vector[VECTOR_MAX];
	size_t count = call->args[2];
	int err;

	if (!object_of(call, (int)call->args[0], OBJECT_WRITER))
		return CALL_CONTINUE;
	if (count > VECTOR_MAX)
		return -EINVAL;
	err = memory_read(call->tid, call->args[1], vector, count * sizeof(vector[0]));
	return err ? err : write_from(call, vector, count);
}
