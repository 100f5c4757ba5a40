/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a time namespace with the board's CLOCK_MONOTONIC and CLOCK_BOOTTIME. */
#include "host-usb/run/timens.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define NS_PER_S 1000000000LL

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Enters a new user namespace, in which we may make a time namespace. It maps only our own ids. */
static int become_owner(void)
{
	unsigned int uid = geteuid(), gid = getegid();
	char text[64];
	int err;

	if (unshare(CLONE_NEWUSER | CLONE_NEWTIME) < 0)
		return -errno;
	err = write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	if (!err)
		err = write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	return err ? err : write_file("/proc/self/gid_map", text);
}

/* Splits a time for timens_offsets, where nanoseconds must not be negative. */
static void split(int64_t ns, long long *s, long long *rest)
{
	*s = ns / NS_PER_S;
	*rest = ns % NS_PER_S;
	if (*rest < 0) {
		*s -= 1;
		*rest += NS_PER_S;
	}
}

static int set_offsets(int64_t monotonic_ns, int64_t boottime_ns)
{
	long long ms, mns, bs, bns;
	char text[128];

	split(monotonic_ns, &ms, &mns);
	split(boottime_ns, &bs, &bns);
	snprintf(text, sizeof(text), "monotonic %lld %lld\nboottime %lld %lld\n", ms, mns, bs, bns);
	return write_file("/proc/self/timens_offsets", text);
}

/* Runs in a process of its own, because unshare() would put all our later children into the
 * namespace. Reports the result, and stays until the other end of the socket is closed. */
static void make(int socket, int64_t monotonic_ns, int64_t boottime_ns)
{
	int result = 1, err = 0; /* number of namespaces */
	char byte;

	if (unshare(CLONE_NEWTIME) < 0)
		err = -errno;
	if (err == -EPERM) {
		err = become_owner();
		result = 2;
	}
	if (!err)
		err = set_offsets(monotonic_ns, boottime_ns);
	if (err)
		result = err;
	if (write(socket, &result, sizeof(result)) < 0 || read(socket, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

static int open_namespace(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens the namespaces of the process in the order in which they must be entered. */
static int open_namespaces(pid_t pid, int count, int fds[TIMENS_FDS])
{
	int n = 0;

	if (count == TIMENS_FDS) {
		fds[n] = open_namespace(pid, "user");
		if (fds[n] < 0)
			return fds[n];
		n++;
	}
	fds[n] = open_namespace(pid, "time_for_children");
	if (fds[n] >= 0)
		return count;
	if (n)
		close(fds[0]);
	return fds[n];
}

int timens_make(int64_t monotonic_ns, int64_t boottime_ns, int fds[TIMENS_FDS])
{
	int sockets[2], result = -EIO;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(sockets[0]);
		make(sockets[1], monotonic_ns, boottime_ns);
	}
	close(sockets[1]);
	if (pid < 0)
		result = -errno;
	else if (read(sockets[0], &result, sizeof(result)) != sizeof(result))
		result = -EIO;
	if (result > 0)
		result = open_namespaces(pid, result, fds);
	close(sockets[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return result;
}

int timens_enter(const int *fds, int count)
{
	for (int i = 0; i < count; i++)
		if (setns(fds[i], i == count - 1 ? CLONE_NEWTIME : CLONE_NEWUSER) < 0)
			return -errno;
	return 0;
}
