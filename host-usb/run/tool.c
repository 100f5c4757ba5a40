/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the tool and starts it under the filter. */
#include "host-usb/run/tool.h"

#include "core/base/log.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/status.h"
#include "host-usb/run/timens.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_LIMIT  1024 /* select(2) cannot use higher descriptors */
#define ARCH_SIZE 66   /* a field of struct utsname and a NUL */

bool tool_foreground(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	bool foreground = fd >= 0 && tcgetpgrp(fd) == getpgrp();

	if (fd >= 0)
		close(fd);
	return foreground;
}

static int is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return access(path, X_OK) < 0 ? -errno : 0;
}

int tool_find(const char *name)
{
	const char *path = getenv("PATH");
	int found = -ENOENT, err;
	char *candidate;

	if (strchr(name, '/'))
		return is_program(name);
	if (!path)
		path = "/usr/local/bin:/bin:/usr/bin";
	while (*name && *path) {
		size_t length = strcspn(path, ":");

		if (asprintf(&candidate, "%.*s%s%s", (int)length, path, length ? "/" : "", name) <
			0)
			return -ENOMEM;
		err = is_program(candidate);
		free(candidate);
		if (err == 0)
			return 0;
		if (err == -EACCES)
			found = err;
		path += length + (path[length] == ':');
	}
	return found;
}

int tool_fd_base(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	if (files.rlim_cur < FD_LIMIT / 2) {
		files.rlim_cur = files.rlim_max < FD_LIMIT ? files.rlim_max : FD_LIMIT;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			return -errno;
	}
	if (files.rlim_cur < 2 * FD_SEEN_COUNT)
		return -EMFILE;
	return (files.rlim_cur < FD_LIMIT ? (int)files.rlim_cur : FD_LIMIT) - FD_SEEN_COUNT;
}

/* Returns the name of an architecture in the kernel's makefiles, which BCC uses. */
static const char *arch_of(const char *machine)
{
	static const struct {
		const char *prefix, *arch;
	} archs[] = {
		{"x86_64", "x86"},
		{"aarch64", "arm64"},
		{"arm", "arm"},
		{"riscv", "riscv"},
		{"ppc", "powerpc"},
		{"s390", "s390"},
		{"mips", "mips"},
		{"loongarch", "loongarch"},
	};

	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++)
		if (strncmp(machine, archs[i].prefix, strlen(archs[i].prefix)) == 0)
			return archs[i].arch;
	return machine;
}

/* What the tool's environment depends on, besides the command line. */
struct settings {
	char arch[ARCH_SIZE];	/* for tools that must compile for another machine, or "" */
	char headers[PATH_MAX]; /* a directory, or "" */
};

static void choose_arch(const struct rpc_hello *board, char arch[ARCH_SIZE])
{
	struct utsname own;

	if (uname(&own) == 0 && strcmp(own.machine, board->machine) != 0)
		snprintf(arch, ARCH_SIZE, "%s", arch_of(board->machine));
}

static void set_environment(const struct settings *settings)
{
	if (*settings->arch)
		setenv("ARCH", settings->arch, 1);
	if (*settings->headers) {
		setenv("BCC_KERNEL_SOURCE", settings->headers, 1);
		setenv("BPFTRACE_KERNEL_SOURCE", settings->headers, 1);
		unsetenv("BPFTRACE_KERNEL_BUILD"); /* of another kernel */
	}
}

/* Sends a message with at most TIMENS_FDS descriptors. Returns 0 or a negative errno. */
static int send_fds(int socket, void *data, size_t size, const int *fds, int count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(TIMENS_FDS * sizeof(int))];
	} control = {.space = {0}};
	struct iovec part = {data, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, (size_t)count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Receives a message of send_fds(). Returns the number of descriptors; -EPIPE: the other end is
 * closed; or another negative errno. */
static int receive_fds(int socket, void *data, size_t size, int fds[TIMENS_FDS])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(TIMENS_FDS * sizeof(int))];
	} control;
	struct iovec part = {data, size};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)size)
		return n < 0 ? -errno : n == 0 ? -EPIPE : -EIO;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (ssize_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(header), (size_t)n * sizeof(int));
	return (int)n;
}

/* Becomes the tool. After notify_install() it may only make system calls that the filter allows:
 * the supervisor does not answer the others yet. */
static void run_tool(const struct tool *tool, int socket, pid_t parent)
{
	int listener, result, namespaces[TIMENS_FDS], count;
	struct settings settings;
	sigset_t none;

	/* The tool cannot go on without us. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_FAILED);
	if (tool->own_group)
		setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, tool->on_child);
	signal(SIGPIPE, tool->on_pipe);
	signal(SIGXFSZ, tool->on_size);
	listener = notify_install(tool->fd_base, tool->as_root);
	result = listener < 0 ? listener : 0;
	if (send_fds(socket, &result, sizeof(result), &listener, listener >= 0) < 0 || result)
		_exit(STATUS_FAILED);
	close(listener);
	count = receive_fds(socket, &settings, sizeof(settings), namespaces);
	/* bpfd-run closes the socket after a failure of its own. */
	if (count < 0 && count != -EPIPE)
		dprintf(STDERR_FILENO, "bpfd-run: the tool cannot be started: %s\n",
			strerror(-count));
	if (count < 0)
		_exit(STATUS_FAILED);
	close(socket);
	result = timens_enter(namespaces, count);
	if (result)
		dprintf(STDERR_FILENO, "bpfd-run: cannot enter the time namespace: %s\n",
			strerror(-result));
	set_environment(&settings);
	execvp(tool->argv[0], tool->argv);
	dprintf(STDERR_FILENO, "bpfd-run: %s: %s\n", tool->argv[0], strerror(errno));
	_exit(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

int tool_prepare(struct tool *tool)
{
	pid_t parent = getpid();
	int sockets[2], listener, result = 0, fds[TIMENS_FDS];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	tool->pid = fork();
	if (tool->pid == 0) {
		close(sockets[0]);
		run_tool(tool, sockets[1], parent);
	}
	close(sockets[1]);
	tool->go = sockets[0];
	listener = tool->pid < 0 ? -errno : receive_fds(sockets[0], &result, sizeof(result), fds);
	if (listener >= 0)
		listener = listener == 1 ? fds[0] : result < 0 ? result : -EIO;
	if (listener < 0)
		tool_drop(tool);
	return listener;
}

void tool_go(struct tool *tool, const struct rpc_hello *board, const char *headers)
{
	int namespaces[TIMENS_FDS], count = 0;
	struct settings settings = {.arch = ""};

	choose_arch(board, settings.arch);
	snprintf(settings.headers, sizeof(settings.headers), "%s", headers ? headers : "");
	if (tool->monotonic_ns || tool->boottime_ns)
		count = timens_make(tool->monotonic_ns, tool->boottime_ns, namespaces);
	if (count < 0) {
		log_warning("no time namespace: %s; the tool compares the board's times with this "
			    "workstation's clocks",
			strerror(-count));
		count = 0;
	}
	/* This fails if the tool has been killed meanwhile; the supervisor then sees its status. */
	while (send_fds(tool->go, &settings, sizeof(settings), namespaces, count) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EPIPE && errno != ECONNRESET)
			log_error("the tool cannot be started: %s", strerror(errno));
		break;
	}
	while (count)
		close(namespaces[--count]);
	close(tool->go);
	tool->go = -1;
}

void tool_drop(struct tool *tool)
{
	if (tool->go < 0)
		return;
	close(tool->go);
	tool->go = -1;
	if (tool->pid > 0)
		waitpid(tool->pid, NULL, 0);
}
