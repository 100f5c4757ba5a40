/* SPDX-License-Identifier: Apache-2.0 */
/* Access to the memory and the descriptors of the tool's processes.
 *
 * A thread that is killed during its call leaves its id to another process, which may be of
 * anybody. So each access checks that the thread still waits: a read after the copy was made, a
 * write before. Nothing else in bpfd-run reads or writes another process by its id. */
#include "host-usb/run/calls/memory.h"

#include "core/base/log.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The smallest page of any machine, in bytes. The next page may not be mapped, so a string is read
 * page by page. */
#define PAGE_MIN 4096

#define PIDFD_THREAD O_EXCL /* Linux 6.9 */

/* Returns 0, -EFAULT if the tool has no such memory, or another negative errno. */
static int check(ssize_t n, size_t size)
{
	static bool is_logged;

	if (n == (ssize_t)size)
		return 0;
	if (n >= 0 || errno != EPERM)
		return n < 0 ? -errno : -EFAULT;
	if (!is_logged)
		log_error("the tool's memory cannot be read: %s; make the tool's file readable and "
			  "set kernel.yama.ptrace_scope to 1 or 0",
			strerror(errno));
	is_logged = true;
	return -EPERM;
}

/* Notes an error of ours, unlike EFAULT of a wrong argument, which the kernel reports. Without this
 * memory nobody knows whose call it is, so a local call could have a wrong result. */
static int note(const struct call *call, int err)
{
	if (err && err != -EFAULT && err != -ESRCH)
		call->run->lookup_error = err;
	return err;
}

/* Erases what was read if it may be of another process. Returns true if it is the tool's. */
static bool is_of_tool(const struct call *call, void *data, size_t size)
{
	if (notify_waiting(call->run, call->id))
		return true;
	memset(data, 0, size);
	return false;
}

int memory_read(const struct call *call, uint64_t from, void *to, size_t size)
{
	const struct iovec local = {to, size}, remote = {(void *)(uintptr_t)from, size};
	int err;

	if (!size)
		return 0;
	err = check(process_vm_readv(call->tid, &local, 1, &remote, 1, 0), size);
	return is_of_tool(call, to, size) ? note(call, err) : -ESRCH;
}

int memory_write(const struct call *call, uint64_t to, const void *from, size_t size)
{
	const struct iovec local = {(void *)(uintptr_t)from, size};
	const struct iovec remote = {(void *)(uintptr_t)to, size};

	if (!notify_waiting(call->run, call->id))
		return -ESRCH;
	return size ? check(process_vm_writev(call->tid, &local, 1, &remote, 1, 0), size) : 0;
}

ssize_t memory_read_string(const struct call *call, uint64_t from, char *to, size_t size)
{
	size_t have = 0;

	while (have < size) {
		size_t piece = PAGE_MIN - (from + have) % PAGE_MIN;
		const char *end;
		int err;

		if (piece > size - have)
			piece = size - have;
		err = memory_read(call, from + have, to + have, piece);
		if (err)
			return err;
		end = memchr(to + have, 0, piece);
		if (end)
			return end - to;
		have += piece;
	}
	return -ENAMETOOLONG;
}

/* Opens the thread of the call, to duplicate its descriptors: a thread may have its own table of
 * them (CLONE_FILES). Before Linux 6.9 only a process can be opened, which leads to the table of
 * its first thread. Returns a pidfd or a negative errno. */
static int open_thread(const struct call *call)
{
	int pidfd = (int)syscall(SYS_pidfd_open, call->tid, PIDFD_THREAD);
	pid_t process;

	if (pidfd >= 0 || errno != EINVAL)
		return pidfd < 0 ? -errno : pidfd;
	process = (pid_t)process_status(call->tid, "Tgid:", 10);
	if (process != call->tid &&
		syscall(SYS_kcmp, process, call->tid, KCMP_FILES, 0UL, 0UL) != 0) {
		run_unsupported(call, "a thread with descriptors of its own, or whose process's "
				      "first thread has exited; use Linux 6.9 or later");
		return -EOPNOTSUPP;
	}
	pidfd = (int)syscall(SYS_pidfd_open, process, 0);
	return pidfd < 0 ? -errno : pidfd;
}

int memory_get_fd(const struct call *call, int fd)
{
	int pidfd = open_thread(call), copy;

	if (pidfd < 0)
		return pidfd;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0)
		copy = -errno;
	close(pidfd);
	if (copy >= 0 && !notify_waiting(call->run, call->id)) {
		close(copy);
		copy = -ESRCH;
	}
	return copy;
}

int memory_stat_fd(const struct call *call, int fd, struct stat *st)
{
	char path[64];
	int err;

	if (fd == AT_FDCWD)
		snprintf(path, sizeof(path), "/proc/%d/cwd", (int)call->tid);
	else
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)call->tid, fd);
	err = stat(path, st) < 0 ? -errno : 0;
	return is_of_tool(call, st, sizeof(*st)) ? err : -ESRCH;
}

ssize_t memory_read_link(const struct call *call, const char *name, char *to, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)call->tid, name);
	n = readlink(path, to, size - 1);
	n = n < 0 ? -errno : n;
	to[n < 0 ? 0 : n] = 0;
	if (!is_of_tool(call, to, size))
		return -ESRCH;
	/* As with descriptors: without access, the call is a local one. */
	if (n < 0 && n != -ENOENT && n != -EACCES)
		note(call, (int)n);
	return n;
}
