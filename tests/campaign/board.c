/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon, its gadget, and the board's device in the host's sysfs. */
#include "tests/campaign/campaign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES	 "/sys/bus/usb/devices"
#define READY_MS 120000 /* generous, for a busy machine */
#define STOP_MS	 120000

int put(const char *dir, const char *name, const char *text)
{
	char path[600];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

bool get(const char *dir, const char *name, char *text, size_t size)
{
	char path[600];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return true;
}

unsigned int count_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return count;
}

bool board_device(char *dir, size_t size)
{
	DIR *all = opendir(DEVICES);
	struct dirent *entry;
	char serial[64];
	bool found = false;

	while (all && !found && (entry = readdir(all))) {
		if (strchr(entry->d_name, ':') || entry->d_name[0] == '.')
			continue;
		snprintf(dir, size, DEVICES "/%.200s", entry->d_name);
		found = get(dir, "serial", serial, sizeof(serial)) && !strcmp(serial, SERIAL);
	}
	if (all)
		closedir(all);
	return found;
}

/* True if the host has configured the device and sees all its lanes. */
bool board_ready(void *board)
{
	const struct board *b = board;
	char dir[256], sub[600], text[32];

	if (!board_device(dir, sizeof(dir)) ||
		!get(dir, "bConfigurationValue", text, sizeof(text)) || strcmp(text, "1") != 0)
		return false;
	for (unsigned int i = 0; i < b->lanes; i++) {
		snprintf(sub, sizeof(sub), "%s/%s:1.%u", dir, strrchr(dir, '/') + 1, i);
		if (!get(sub, "bInterfaceSubClass", text, sizeof(text)) || strcmp(text, "b7") != 0)
			return false;
	}
	return true;
}

static void exec_daemon(const struct board *b, unsigned int lanes, int log)
{
	char program[512], child[512], count[16];

	signal(SIGPIPE, SIG_DFL);
	dup2(log, STDERR_FILENO);
	dup2(log, STDOUT_FILENO);
	snprintf(program, sizeof(program), "%s/bpfd-gadget", b->build);
	snprintf(child, sizeof(child), "%s/tools/campaign", b->build);
	snprintf(count, sizeof(count), "%u", lanes);
	execl(program, "bpfd-gadget", "--serial", SERIAL, "--lanes", count, "--bpfd", child,
		"--bpfd-args", "--child", (char *)NULL);
	_exit(126);
}

static bool daemon_ready(struct board *b)
{
	for (uint64_t end = now_ms() + READY_MS; now_ms() < end; nap(20)) {
		board_read_log(b);
		if (board_ready(b))
			return true;
		if (!board_alive(b))
			return false;
	}
	return false;
}

int board_start(struct board *b, unsigned int lanes, bool full_disk)
{
	int log[2];

	if (pipe2(log, O_CLOEXEC) < 0)
		return -1;
	if (full_disk) {
		close(log[1]);
		log[1] = open("/dev/full", O_WRONLY | O_CLOEXEC);
	}
	b->tail_len = 0;
	b->lanes = lanes;
	b->daemon = fork();
	if (b->daemon == 0)
		exec_daemon(b, lanes, log[1]);
	close(log[1]);
	fcntl(log[0], F_SETFL, O_NONBLOCK);
	if (b->log >= 0)
		close(b->log);
	b->log = log[0];
	b->log_unread = false;
	if (b->daemon > 0 && daemon_ready(b))
		return 0;
	violation("daemon: %u lanes are not ready: %.*s", lanes, (int)b->tail_len, b->tail);
	return -1;
}

/* Prints the state and the kernel's stack of each process that has files of FunctionFS open. */
static void print_holders(void)
{
	static const char script[] = "for p in /proc/[0-9]*; do ls -l $p/fd 2>/dev/null | grep -q "
				     "/bpfd-gadget/ || continue\n"
				     "tr '\\0' ' ' <$p/cmdline; echo; grep -E "
				     "'^(Name|State|Pid|PPid|SigPnd|ShdPnd):' $p/status\n"
				     "cat $p/stack; done | sed 's/^/#   /'";

	if (system(script) != 0)
		printf("#   cannot list the processes that hold its files\n");
	fflush(stdout);
}

/* The host notices slightly later that the device is gone. Until then the old device looks like the
 * next one. */
static void await_gone(void)
{
	char dir[256];

	for (uint64_t end = now_ms() + STOP_MS; board_device(dir, sizeof(dir)); nap(10)) {
		if (now_ms() > end) {
			violation("daemon: ended, but its device stays on the bus");
			print_holders();
			return;
		}
	}
}

int board_stop(struct board *b)
{
	int status;

	kill(b->daemon, SIGTERM);
	kill(b->daemon, SIGCONT);
	for (uint64_t end = now_ms() + STOP_MS; now_ms() < end; nap(10)) {
		board_read_log(b);
		if (waitpid(b->daemon, &status, WNOHANG) == b->daemon) {
			b->daemon = 0;
			await_gone();
			return status;
		}
	}
	return -1;
}

void board_kill(struct board *b)
{
	int status;

	if (b->daemon <= 0)
		return;
	kill(b->daemon, SIGKILL);
	waitpid(b->daemon, &status, 0);
	b->daemon = 0;
	await_gone();
}

pid_t board_worker(const struct board *b)
{
	char path[64], name[64];
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)b->daemon, (int)b->daemon);
	if (b->daemon > 0 && get(path, "children", name, sizeof(name)))
		pid = atoi(name);
	return pid;
}

bool board_alive(struct board *b)
{
	int status;

	if (b->daemon > 0 && waitpid(b->daemon, &status, WNOHANG) == 0)
		return true;
	b->daemon = 0;
	return false;
}

/* Keeps the end of the log for the report of a violation. */
void board_read_log(struct board *b)
{
	char data[4096];
	ssize_t n;

	while (!b->log_unread && (n = read(b->log, data, sizeof(data) / 4)) > 0) {
		if (b->tail_len + (size_t)n > sizeof(b->tail)) {
			memmove(b->tail, b->tail + n, sizeof(b->tail) - (size_t)n);
			b->tail_len = sizeof(b->tail) - (size_t)n;
		}
		memcpy(b->tail + b->tail_len, data, (size_t)n);
		b->tail_len += (size_t)n;
	}
}

/* Fills the pipe of the daemon's log and stops reading it. */
void board_fill_log(struct board *b)
{
	char path[64], data[4096];
	int fd;

	memset(data, '.', sizeof(data));
	data[sizeof(data) - 1] = '\n';
	b->log_unread = true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", b->log);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	while (fd >= 0 && write(fd, data, sizeof(data)) > 0)
		;
	if (fd >= 0)
		close(fd);
}
