/* SPDX-License-Identifier: Apache-2.0 */
/* The table of calls that fail_nth can let fail. */
#include "tests/fail/calls.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* Left out are errnos that only a wrong argument of the program itself gives (EFAULT, EBADF, most
 * of EINVAL), and EAGAIN of calls that may block. */
#define CALL(kind, name, ...)            \
	{                                \
		kind, #name, SYS_##name, \
		{                        \
			__VA_ARGS__, 0   \
		}                        \
	}
static const struct fail_call calls[] = {
#ifdef SYS_open
	CALL("open", open, ENOENT, EACCES, EMFILE, ENFILE, ENOMEM, EINTR),
	CALL("poll", poll, EINTR, ENOMEM),
	CALL("poll", epoll_wait, EINTR),
	CALL("poll", select, EINTR, ENOMEM),
	CALL("stat", stat, EACCES, ENOMEM),
	CALL("stat", lstat, EACCES, ENOMEM),
	CALL("stat", access, ENOMEM, EIO),
	CALL("stat", readlink, EACCES, EIO),
	CALL("fork", fork, EAGAIN, ENOMEM),
	CALL("fork", vfork, EAGAIN, ENOMEM),
	CALL("pipe", pipe, EMFILE, ENFILE),
	CALL("dup", dup2, EMFILE, EINTR),
	CALL("dir", mkdir, EACCES, ENOSPC, EEXIST, EROFS, ENOMEM),
	CALL("dir", rmdir, EBUSY, EACCES, EROFS),
	CALL("dir", unlink, EACCES, EBUSY, EIO, EROFS),
	CALL("dir", symlink, EACCES, ENOSPC, EEXIST, EIO),
	CALL("dir", rename, EACCES, ENOSPC, EXDEV),
	CALL("dir", chmod, EPERM, EIO, EROFS),
	CALL("dir", chown, EPERM, EIO, EROFS),
	CALL("dir", getdents, EIO),
#endif
	CALL("open", openat, ENOENT, EACCES, EMFILE, ENFILE, ENOMEM, EINTR),
	CALL("open", openat2, ENOSYS, EAGAIN, EMFILE, ENOMEM),
	CALL("read", read, EIO, EINTR),
	CALL("read", pread64, EIO, EINTR),
	CALL("read", readv, EIO, EINTR),
	CALL("read", preadv, EIO, EINTR),
	CALL("write", write, EIO, ENOSPC, EPIPE, EINTR),
	CALL("write", pwrite64, EIO, ENOSPC, EINTR),
	CALL("write", writev, EIO, ENOSPC, EPIPE, EINTR),
	CALL("write", ftruncate, EIO, EFBIG, EINTR),
	CALL("write", fallocate, ENOSPC, EOPNOTSUPP, EINTR),
	CALL("write", sendfile, EIO, ENOMEM),
	CALL("write", splice, ENOMEM, EINVAL),
	CALL("write", copy_file_range, EIO, ENOSPC, EXDEV),
	CALL("write", fsync, EIO, ENOSPC),
	CALL("seek", lseek, ESPIPE, EINVAL),
	CALL("mmap", mmap, ENOMEM, EAGAIN, EPERM),
	CALL("mmap", mremap, ENOMEM),
	CALL("mmap", mprotect, ENOMEM, EACCES),
	CALL("mmap", memfd_create, EMFILE, ENOMEM),
	CALL("mmap", munmap, ENOMEM),
	CALL("mmap", madvise, EAGAIN, ENOMEM),
	CALL("poll", ppoll, EINTR, ENOMEM),
	CALL("poll", pselect6, EINTR, ENOMEM),
	CALL("poll", epoll_pwait, EINTR),
	CALL("poll", epoll_create1, EMFILE, ENFILE, ENOMEM),
	CALL("poll", epoll_ctl, ENOMEM, ENOSPC),
	CALL("aio", io_setup, EAGAIN, ENOMEM, ENOSYS),
	CALL("aio", io_submit, EAGAIN, ENOMEM),
	CALL("aio", io_getevents, EINTR),
	CALL("aio", io_cancel, EAGAIN, EINVAL),
	CALL("ioctl", ioctl, EIO, ENOMEM, EINTR, ENODEV, EINVAL),
	CALL("bpf", bpf, EPERM, ENOMEM, E2BIG, EINVAL, EAGAIN),
	CALL("perf", perf_event_open, EACCES, EMFILE, ENOENT, ENODEV, EINVAL, EBUSY, ENOMEM),
	CALL("fork", clone, EAGAIN, ENOMEM),
	CALL("fork", clone3, EAGAIN, ENOMEM),
	CALL("fork", execve, ENOENT, ENOMEM, EACCES, E2BIG, ETXTBSY),
	CALL("fork", wait4, EINTR),
	CALL("fork", waitid, EINTR),
	CALL("pipe", pipe2, EMFILE, ENFILE),
	CALL("pipe", eventfd2, EMFILE, ENFILE, ENOMEM),
	CALL("pipe", signalfd4, EMFILE, ENFILE, ENOMEM),
	CALL("pipe", timerfd_create, EMFILE, ENOMEM),
	CALL("pipe", inotify_init1, EMFILE, ENOMEM),
	CALL("pipe", inotify_add_watch, ENOSPC, ENOMEM),
	CALL("dup", dup, EMFILE),
	CALL("dup", dup3, EMFILE, EINTR),
	CALL("dup", fcntl, EMFILE, EPERM, EINTR),
	CALL("mount", mount, EBUSY, ENODEV, ENOMEM, EPERM),
	CALL("mount", umount2, EBUSY, EPERM, ENOMEM),
	CALL("socket", socket, EMFILE, ENFILE, ENOMEM, EACCES),
	CALL("socket", socketpair, EMFILE, ENFILE, ENOMEM),
	CALL("socket", bind, EADDRINUSE, EACCES, ENOMEM),
	CALL("socket", connect, ECONNREFUSED, ENOENT, EINTR),
	CALL("socket", setsockopt, ENOMEM, ENOPROTOOPT),
	CALL("socket", sendto, ENOBUFS, ENOMEM, EINTR, EPIPE),
	CALL("socket", recvfrom, ECONNREFUSED, ENOMEM, EINTR),
	CALL("socket", sendmsg, ENOBUFS, ENOMEM, EINTR, EPIPE),
	CALL("socket", recvmsg, ENOMEM, EINTR),
	CALL("socket", getsockname, ENOBUFS),
	CALL("stat", fstat, ENOMEM, EIO),
	CALL("stat", newfstatat, EACCES, ENOMEM),
	CALL("stat", statx, EACCES, ENOMEM),
	CALL("stat", statfs, ENOSYS, EIO, ENOMEM),
	CALL("stat", fstatfs, ENOSYS, EIO, ENOMEM),
	CALL("stat", faccessat, ENOMEM, EIO),
	CALL("stat", faccessat2, ENOMEM, EIO),
	CALL("stat", readlinkat, EACCES, EIO),
	CALL("stat", getcwd, EACCES),
	CALL("dir", mkdirat, EACCES, ENOSPC, EEXIST, EROFS, ENOMEM),
	CALL("dir", unlinkat, EACCES, EBUSY, EIO, EROFS),
	CALL("dir", symlinkat, EACCES, ENOSPC, EEXIST, EIO),
	CALL("dir", renameat, EACCES, ENOSPC, EXDEV),
	CALL("dir", renameat2, EACCES, ENOSPC, EXDEV),
	CALL("dir", fchmod, EPERM, EIO, EROFS),
	CALL("dir", fchown, EPERM, EIO, EROFS),
	CALL("dir", fchmodat, EPERM, EIO, EROFS),
	CALL("dir", fchownat, EPERM, EIO, EROFS),
	CALL("dir", utimensat, EACCES, EPERM),
	CALL("dir", getdents64, EIO),
	CALL("dir", chdir, ENOENT, EACCES, ENOMEM),
	CALL("dir", fchdir, EACCES),
	CALL("rights", prctl, EPERM, EINVAL),
	CALL("rights", seccomp, ENOMEM, EINVAL, EACCES, ENOSYS),
	CALL("rights", capset, EPERM),
	CALL("rights", capget, EPERM),
	CALL("rights", prlimit64, EPERM, ENOSYS),
	CALL("rights", setns, EPERM, ENOMEM),
	CALL("rights", unshare, EPERM, ENOMEM, ENOSPC),
	CALL("rights", setsid, EPERM),
	CALL("rights", setpgid, EACCES, EPERM),
	CALL("rights", getrandom, ENOSYS, EINTR),
	CALL("rights", flock, EINTR, ENOLCK),
	CALL("rights", sched_setaffinity, EPERM, EINVAL),
	CALL("rights", sched_getaffinity, EINVAL),
	CALL("rights", mlock, ENOMEM, EPERM),
	CALL("process", process_vm_readv, EPERM, ESRCH, ENOMEM),
	CALL("process", process_vm_writev, EPERM, ESRCH, ENOMEM),
	CALL("process", pidfd_open, EMFILE, ENFILE, ENOMEM, ESRCH),
	CALL("process", pidfd_getfd, EMFILE, EPERM, ESRCH),
	CALL("process", pidfd_send_signal, EPERM, ESRCH),
	CALL("process", kill, EPERM, ESRCH),
	CALL("process", tgkill, EAGAIN, ESRCH),
	CALL("process", rt_sigaction, EINVAL),
	CALL("process", setitimer, EINVAL),
	CALL("process", timerfd_settime, ECANCELED),
	CALL("process", clock_nanosleep, EINTR),
};
#undef CALL

const struct fail_call *fail_call_find(const char *kind, long number)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].number == number)
			return strcmp(calls[i].kind, kind) == 0 ? &calls[i] : NULL;
	return NULL;
}

void fail_call_print_kinds(void)
{
	const size_t count = sizeof(calls) / sizeof(calls[0]);

	for (size_t i = 0; i < count; i++) {
		size_t first = 0;

		while (strcmp(calls[first].kind, calls[i].kind) != 0)
			first++;
		if (first == i)
			puts(calls[i].kind);
	}
	puts("alloc");
}

const char *fail_errno_name(int number)
{
	const char *name = strerrorname_np(number);

	return name ? name : "0";
}
