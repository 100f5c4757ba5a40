/* SPDX-License-Identifier: Apache-2.0 */
/* Access to the memory and the descriptors of the tool's processes. */
#include "host-usb/run/calls/memory.h"

#include "core/base/log.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The smallest page of any machine, in bytes. The next page may not be mapped, so a string is read
 * page by page. */
#define PAGE_MIN 4096

static int check(ssize_t n, size_t size)
{
	static bool is_logged;

	if (n == (ssize_t)size)
		return 0;
	if (n >= 0 || errno != EPERM)
		return -EFAULT;
	if (!is_logged)
		log_error("the tool's memory cannot be read: %s; make the tool's file readable and "
			  "set kernel.yama.ptrace_scope to 1 or 0",
			strerror(errno));
	is_logged = true;
	return -EPERM;
}

int memory_read(pid_t tid, uint64_t from, void *to, size_t size)
{
	const struct iovec local = {to, size}, remote = {(void *)(uintptr_t)from, size};

	return size ? check(process_vm_readv(tid, &local, 1, &remote, 1, 0), size) : 0;
}

int memory_write(const struct call *call, uint64_t to, const void *from, size_t size)
{
	const struct iovec local = {(void *)(uintptr_t)from, size};
	const struct iovec remote = {(void *)(uintptr_t)to, size};

	if (!notify_waiting(call->run, call->id))
		return -ESRCH;
	return size ? check(process_vm_writev(call->tid, &local, 1, &remote, 1, 0), size) : 0;
}

ssize_t memory_read_string(pid_t tid, uint64_t from, char *to, size_t size)
{
	size_t have = 0;

	while (have < size) {
		size_t piece = PAGE_MIN - (from + have) % PAGE_MIN;
		const char *end;
		int err;

		if (piece > size - have)
			piece = size - have;
		err = memory_read(tid, from + have, to + have, piece);
		if (err)
			return err;
		end = memchr(to + have, 0, piece);
		if (end)
			return end - to;
		have += piece;
	}
	return -ENAMETOOLONG;
}

/* pidfd_open(2) takes the id of a process, not of a thread. */
static pid_t process_of(pid_t tid)
{
	pid_t pid = (pid_t)process_status(tid, "Tgid:", 10);

	return pid ? pid : tid;
}

int memory_get_fd(pid_t tid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, process_of(tid), 0), copy;

	if (pidfd < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0)
		copy = -errno;
	close(pidfd);
	return copy;
}
