/* SPDX-License-Identifier: Apache-2.0 */
/* open(2), openat(2) and openat2(2): opens files of the board. The workstation's kernel opens all
 * others. */
#include "core/messages/file_tree.h"
#include "host-usb/run/calls/directory.h"
#include "host-usb/run/calls/kernel_log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/refused.h"
#include "host-usb/run/calls/writer.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/open.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/tool_ring.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STREAM_CREDIT (1U << 20) /* bytes of a followed file in flight, a power of 2 */

/* Before a tool attaches a USDT probe, it increments the probe's semaphore (usdt.h) in the memory
 * of the process. Here the board's kernel does that when it makes the uprobe, and it decrements the
 * semaphore again however the tool ends. So the tool's writes succeed and have no effect. */
static int64_t give_memory(const struct call *call, char *path, int flags)
{
	struct rpc_stat st;
	int64_t ret;
	int fd;

	*strrchr(path, '/') = 0; /* /proc/PID: does the process exist? */
	ret = remote_stat(call->run->remote, path, true, &st);
	if (ret)
		return ret;
	fd = memfd_create("bpfd:mem", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Each address of the file reads as 0: the semaphores are not incremented. */
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

/* Opens a file that never ends: the tool gets the reading end of a pipe. After the tool has closed
 * it, writes to the pipe fail, which ends the stream. */
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
	if (((flags & O_NONBLOCK) && fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) ||
		fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0) {
		err = -errno;
		close(ends[1]);
	} else {
		err = tool_ring_open_pipe(object, ends[1], STREAM_CREDIT);
	}
	ret = err ? err : notify_give_fd(call, ends[0], flags & O_CLOEXEC, false);
	close(ends[0]);
	if (ret != CALL_ANSWERED)
		object_end(object);
	return ret;
}

static int64_t give_contents(const struct call *call, const char *path, int flags)
{
	int fd = open_file(call->run->opener, path);
	int64_t ret;
	char own[64];
	int readable;

	if (fd == -EISDIR)
		return directory_give(call, path, flags);
	if (fd < 0)
		return fd;
	/* Give the tool an open file of its own: read-only, at offset 0. */
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	readable = open(own, O_RDONLY | O_CLOEXEC);
	ret = readable < 0 ? -errno : notify_give_fd(call, readable, flags & O_CLOEXEC, false);
	if (readable >= 0)
		close(readable);
	close(fd);
	return ret;
}

/* The tool's mount namespace stands for the board's initial one, see remote_link(). */
static int64_t give_namespace(const struct call *call, const char *path, int flags)
{
	char target[256], own[64], link[256];
	int64_t ret = remote_link(call, path, target, sizeof(target));
	int fd;

	if (ret < 0)
		return ret;
	if (memory_read_link(call, "ns/mnt", link, sizeof(link)) < 0 || strcmp(link, target) != 0)
		return -EACCES;
	snprintf(own, sizeof(own), "/proc/%d/ns/mnt", (int)call->tid);
	fd = open(own, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = notify_give_fd(call, fd, flags & O_CLOEXEC, false);
	close(fd);
	return ret;
}

static int64_t open_at(const struct call *call, int dirfd, uint64_t path_at, int flags)
{
	char path[PATH_MAX];
	struct rpc_stat st;
	/* With both of these the kernel does not follow a link either. */
	bool is_new = (flags & O_CREAT) && (flags & O_EXCL);
	int ours = path_resolve(call, dirfd, path_at, !(flags & O_NOFOLLOW) && !is_new, path), err;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	if ((flags & O_ACCMODE) == O_RDWR && path_is_of_process(path, "/mem"))
		return give_memory(call, path, flags);
	/* A process's files that are not served are like files that the tool may not read. */
	if (file_tree_side(path) == TREE_BOARD && !file_tree_rights(path)) {
		refused(call, path);
		return -EACCES;
	}
	if ((flags & O_ACCMODE) != O_RDONLY)
		return writer_give(call, path, flags);
	if (strcmp(path, KERNEL_LOG) == 0 && !(flags & (O_DIRECTORY | O_PATH)))
		return kernel_log_give(call, flags);
	if (path_is_of_process(path, "/ns/mnt"))
		return give_namespace(call, path, flags);
	if (is_pipe_file(path))
		return give_stream(call, path, flags);
	if (!(flags & (O_DIRECTORY | O_PATH)))
		return give_contents(call, path, flags);
	err = remote_stat(call->run->remote, path, true, &st);
	if (err)
		return err;
	if (S_ISDIR(st.mode))
		return directory_give(call, path, flags);
	return flags & O_DIRECTORY ? -ENOTDIR : give_contents(call, path, flags);
}

int64_t sys_open(const struct call *call)
{
	return open_at(call, AT_FDCWD, call->args[0], (int)call->args[1]);
}

int64_t sys_creat(const struct call *call)
{
	return open_at(call, AT_FDCWD, call->args[0], O_CREAT | O_WRONLY | O_TRUNC);
}

int64_t sys_openat(const struct call *call)
{
	return open_at(call, (int)call->args[0], call->args[1], (int)call->args[2]);
}

/* openat2(dirfd, path, how, size) */
int64_t sys_openat2(const struct call *call)
{
	struct open_how how;

	if (memory_read(call, call->args[2], &how, sizeof(how)))
		return CALL_CONTINUE; /* the kernel returns the right error */
	return open_at(call, (int)call->args[0], call->args[1], (int)how.flags);
}
