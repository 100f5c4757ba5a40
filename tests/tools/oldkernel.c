/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a command and hides from it what the kernel got after a version.
 *
 * usage: oldkernel VERSION COMMAND [ARGUMENT...]      for example: oldkernel 4.9 bpfd
 *
 * Newer system calls fail with ENOSYS. A second process, the judge, gets calls of bpf(2) and
 * perf_event_open(2) as seccomp notifications. It refuses unknown commands, attributes, types,
 * helpers and instructions with the old kernel's errno. A mount namespace covers newer files of
 * sysfs and tracefs. The tables have what tracing needs; 4.9 is the oldest version that they
 * support. Needs root, and a kernel that is not older than VERSION. */
#include "tests/tools/oldkernel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned int since;
} syscalls[] = {
	{"statx", VERSION(4, 11)},
	{"io_pgetevents", VERSION(4, 18)},
	{"rseq", VERSION(4, 18)},
	{"pidfd_send_signal", VERSION(5, 1)},
	{"io_uring_setup", VERSION(5, 1)},
	{"open_tree", VERSION(5, 2)},
	{"move_mount", VERSION(5, 2)},
	{"fsopen", VERSION(5, 2)},
	{"fsmount", VERSION(5, 2)},
	{"pidfd_open", VERSION(5, 3)},
	{"clone3", VERSION(5, 3)},
	{"openat2", VERSION(5, 6)},
	{"pidfd_getfd", VERSION(5, 6)},
	{"faccessat2", VERSION(5, 8)},
	{"close_range", VERSION(5, 9)},
	{"epoll_pwait2", VERSION(5, 11)},
	{"futex_waitv", VERSION(5, 16)},
};

/* Directories that are empty before a version. */
static const struct {
	const char *path;
	unsigned int since;
} directories[] = {
	{"/sys/bus/event_source/devices/kprobe", VERSION(4, 17)},
	{"/sys/bus/event_source/devices/uprobe", VERSION(4, 17)},
	{"/sys/kernel/btf", VERSION(5, 4)},
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "oldkernel: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(125);
}

/* Removes the number of pending returns, new in Linux 4.12, from the tracer's README. */
static void cover_readme(void)
{
	const char *path = "/sys/kernel/debug/tracing/README";
	char *line = NULL, copy[] = "/tmp/oldkernel.XXXXXX";
	size_t size = 0;
	FILE *in = fopen(path, "re"), *out;
	int fd;

	if (!in && errno == ENOENT) /* no tracefs */
		return;
	fd = mkstemp(copy);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!in || !out)
		die("%s: %s", in ? copy : path, strerror(errno));
	while (getline(&line, &size, in) > 0)
		if (!strstr(line, "[maxactive]"))
			fputs(line, out);
	free(line);
	fclose(in);
	if (fclose(out) || mount(copy, path, NULL, MS_BIND, NULL))
		die("%s: %s", path, strerror(errno));
	unlink(copy);
}

/* Covers newer files. Leaves tracefs only below debugfs, where most boards have it. */
static void cover_files(unsigned int version)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("mount namespace: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (directories[i].since > version && !access(directories[i].path, F_OK) &&
			mount("none", directories[i].path, "tmpfs", MS_RDONLY, "size=4k"))
			die("%s: %s", directories[i].path, strerror(errno));
	}
	if (umount2("/sys/kernel/tracing", MNT_DETACH) && errno != EINVAL)
		die("/sys/kernel/tracing: %s", strerror(errno));
	if (version < VERSION(4, 12))
		cover_readme();
}

static scmp_filter_ctx make_filter(unsigned int version)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) : -ENOMEM;

	for (size_t i = 0; i < sizeof(syscalls) / sizeof(syscalls[0]) && !err; i++) {
		int number = seccomp_syscall_resolve_name(syscalls[i].name);

		if (number == __NR_SCMP_ERROR)
			die("%s: unknown to libseccomp", syscalls[i].name);
		if (syscalls[i].since > version)
			err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
	}
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(bpf), 0);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(perf_event_open), 0);
	if (err)
		die("filter: %s", strerror(-err));
	return filter;
}

/* Answers notifications until no process is left under the filter. */
static void serve(int listener, const struct old_kernel *kernel)
{
	struct pollfd polled = {.fd = listener, .events = POLLIN};
	struct seccomp_notif *request;
	struct seccomp_notif_resp *response;

	if (seccomp_notify_alloc(&request, &response))
		die("notifications: %s", strerror(ENOMEM));
	while (poll(&polled, 1, -1) > 0 && !(polled.revents & POLLHUP)) {
		int err;

		memset(request, 0, sizeof(*request));
		if (seccomp_notify_receive(listener, request))
			continue;
		err = request->data.nr == SCMP_SYS(bpf)
			      ? old_bpf(kernel, (pid_t)request->pid, request->data.args)
			      : old_perf_event(kernel, (pid_t)request->pid, request->data.args);
		memset(response, 0, sizeof(*response));
		response->id = request->id;
		response->error = err;
		response->flags = err ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		seccomp_notify_respond(listener, response);
	}
}

static void send_descriptor(int channel, int fd)
{
	union {
		char data[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.data = {0}};
	char byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.data,
		.msg_controllen = sizeof(control.data)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(channel, &message, 0) != 1)
		die("cannot hand over the filter: %s", strerror(errno));
}

static int receive_descriptor(int channel)
{
	union {
		char data[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.data,
		.msg_controllen = sizeof(control.data)};
	int fd;

	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
		exit(125); /* the other process has reported the error */
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* Starts the judge with init as its parent, because the command must not find a child that it has
 * not started. The judge keeps no pipe open, because another process may wait for its end. */
static void start_judge(int channels[2], const struct old_kernel *kernel)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid) {
		waitpid(pid, NULL, 0);
		return;
	}
	setsid();
	if (fork())
		_exit(0);
	close(channels[1]);
	for (int fd = 0, null = open("/dev/null", O_RDWR); fd < 3; fd++)
		dup2(null, fd);
	serve(receive_descriptor(channels[0]), kernel);
	_exit(0);
}

/* Returns LINUX_VERSION_CODE of the running kernel, from the strings of uname(2); see
 * core/bpfd/bpf/kernel_version.c. */
static uint32_t running_version(void)
{
	unsigned int major, minor, patch = 0;
	struct utsname uts;
	const char *at;

	uname(&uts);
	at = strstr(uts.version, "Debian ");
	if (sscanf(at ? at + strlen("Debian ") : uts.release, "%u.%u.%u", &major, &minor, &patch) <
		2)
		die("version %s: not understood", uts.release);
	return major << 16 | minor << 8 | (patch > 255 ? 255 : patch);
}

int main(int argc, char **argv)
{
	struct old_kernel kernel = {.running = running_version()};
	unsigned int major, minor;
	scmp_filter_ctx filter;
	int channels[2];

	if (argc < 3 || sscanf(argv[1], "%u.%u", &major, &minor) != 2)
		die("usage: oldkernel VERSION COMMAND [ARGUMENT...]");
	kernel.version = VERSION(major, minor);
	cover_files(kernel.version);
	filter = make_filter(kernel.version);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channels))
		die("socketpair: %s", strerror(errno));
	start_judge(channels, &kernel);
	if (seccomp_load(filter))
		die("seccomp: the kernel refuses the filter");
	send_descriptor(channels[1], seccomp_notify_fd(filter));
	close(seccomp_notify_fd(filter));
	close(channels[0]);
	close(channels[1]);
	execvp(argv[2], argv + 2);
	die("%s: %s", argv[2], strerror(errno));
}
