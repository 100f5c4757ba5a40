/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the command that connects to bpfd on the board. */
#include "host-usb/run/via.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/printable.h"
#include "core/messages/rpc.h"
#include "host-usb/run/status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE     512
#define WORDS_MAX     64
#define LINES_MAX     256	 /* lines before the banner, which a login may print */
#define PATIENCE_MS   5000	 /* until we report that the banner has not arrived */
#define ANSWER_MS     30000	 /* for bpfd to answer, once the command has said something */
#define GREETING_MAX  (1U << 20) /* bytes before the binary protocol */
#define FIRST_COMMAND "BPFD_VERSION"
#define VIA_END_MS    5000 /* bpfd needs far less to detach everything */
#define VIA_KILL_MS   1000 /* between SIGTERM and SIGKILL */
#define END_STEP_MS   10

/* Adds our own directory to $PATH: bpfd-usb may be there. */
static void extend_path(void)
{
	const char *path = getenv("PATH");
	char own[4096], *slash, *extended;
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (n <= 0)
		return;
	own[n] = 0;
	slash = strrchr(own, '/');
	if (!slash)
		return;
	*slash = 0;
	if (asprintf(&extended, "%s%s%s", path ? path : "", path ? ":" : "", own) < 0)
		return;
	setenv("PATH", extended, 1);
	free(extended);
}

/* Executes a command of plain words directly, because a shell would only cost time. */
static void exec_plain(const char *command)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./:@,+- ";
	char *words[WORDS_MAX + 1], *copy, *word, *rest;
	size_t n = 0;

	if (command[strspn(command, plain)])
		return;
	copy = strdup(command);
	for (word = copy ? strtok_r(copy, " ", &rest) : NULL; word && n < WORDS_MAX;
		word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	words[n] = NULL;
	if (n && !word)
		execvp(words[0], words); /* if this fails, the shell reports why */
	free(copy);
}

/* Lets the command inherit the memory file, and names its descriptor in the environment. */
static void pass_board(int board)
{
	char number[16];
	int fd = board < 0 ? -1 : dup(board);

	if (fd < 0) {
		unsetenv(VIA_BOARD_VARIABLE);
		return;
	}
	snprintf(number, sizeof(number), "%d", fd);
	setenv(VIA_BOARD_VARIABLE, number, 1);
}

static void run_command(const char *command, int in, int out, int board)
{
	sigset_t none;
	size_t size;
	char *line;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	extend_path();
	pass_board(board);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(STATUS_NOT_RUN);
	exec_plain(command);
	/* Not asprintf: without memory, glibc's may write a byte too much. */
	size = strlen("exec ") + strlen(command) + 1;
	line = malloc(size);
	if (!line)
		_exit(STATUS_NOT_RUN);
	snprintf(line, size, "exec %s", command);
	execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	_exit(STATUS_NOT_FOUND);
}

int via_start(struct via *via, const char *command)
{
	int to[2], from[2], err;

	if (pipe2(to, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(from, O_CLOEXEC) < 0) {
		err = -errno;
		goto err_close_to;
	}
	via->board = memfd_create("bpfd:board", MFD_CLOEXEC);
	via->pid = fork();
	if (via->pid < 0) {
		err = -errno;
		goto err_close_board;
	}
	if (via->pid == 0)
		run_command(command, to[0], from[1], via->board);
	close(to[0]);
	close(from[1]);
	via->out = to[1];
	via->in = from[0];
	return 0;

err_close_board:
	if (via->board >= 0)
		close(via->board);
	close(from[0]);
	close(from[1]);
err_close_to:
	close(to[0]);
	close(to[1]);
	return err;
}

/* The output of the command until the client reads it. */
struct greeting {
	int fd;
	const char *command;
	uint64_t end_ms; /* when bpfd must have answered; 0 until the command says something */
	size_t bytes;
};

static int refuse(const struct greeting *greeting, const char *what, const char *line)
{
	log_error("%s: this is not bpfd; %s%s%s%s", greeting->command, what, *line ? " \"" : "",
		line, *line ? "\"" : "");
	return -EPROTO;
}

/* Waits for output. A command that says nothing may wait for a board, like bpfd-usb -w; a command
 * that has said something must soon prove to be bpfd. Returns 0 or -EPROTO after logging. */
static int wait_output(struct greeting *greeting)
{
	struct pollfd readable = {.fd = greeting->fd, .events = POLLIN};
	uint64_t now = clock_monotonic_ms();
	bool is_first = !greeting->end_ms;
	int timeout = is_first ? PATIENCE_MS : (int)(greeting->end_ms - now), n;

	if (!is_first && now >= greeting->end_ms)
		timeout = 0;
	n = poll(&readable, 1, timeout);
	if (n == 0 && !is_first)
		return refuse(greeting, "it does not answer", "");
	if (n == 0) {
		log_info("%s: bpfd has not answered yet; waiting", greeting->command);
		poll(&readable, 1, -1);
	}
	if (is_first)
		greeting->end_ms = clock_monotonic_ms() + ANSWER_MS;
	return 0;
}

/* Reads one line, byte by byte, because the client reads what follows it. Cuts a line that is too
 * long. Returns its length, or -EPROTO after logging. */
static int read_line(struct greeting *greeting, char line[LINE_SIZE])
{
	int length = 0, err;
	char byte;

	for (;;) {
		ssize_t n;

		err = wait_output(greeting);
		if (err)
			return err;
		n = read(greeting->fd, &byte, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_error("%s: ended before bpfd answered", greeting->command);
			return -EPROTO;
		}
		if (++greeting->bytes > GREETING_MAX)
			return refuse(greeting, "it does not stop sending", "");
		if (byte == '\n')
			break;
		if (length < LINE_SIZE - 1)
			line[length++] = byte;
	}
	line[length] = 0;
	if (length && line[length - 1] == '\r')
		line[--length] = 0;
	/* It may be printed on a terminal. */
	printable_ascii(line, (size_t)length);
	return length;
}

/* Reads a reply and keeps its first line. Returns 0 or -EPROTO after logging. */
static int read_reply(struct greeting *greeting, char first[LINE_SIZE])
{
	char line[LINE_SIZE];
	int lines = 0, n;

	first[0] = 0;
	do {
		n = read_line(greeting, line);
		if (n < 0)
			return n;
		if (lines == 1 && strcmp(line, "END_BPFD_OUTPUT") != 0)
			memcpy(first, line, sizeof(line));
		lines++;
	} while (strcmp(line, "END_BPFD_OUTPUT") != 0);
	return 0;
}

/* Skips what a login prints. Returns 0 or -EPROTO after logging. */
static int wait_banner(struct greeting *greeting)
{
	char line[LINE_SIZE];

	for (int i = 0; i < LINES_MAX; i++) {
		int n = read_line(greeting, line);

		if (n < 0)
			return n;
		if (strcmp(line, "STARTED_BPFD") == 0)
			return 0;
		if (strcmp(line, FIRST_COMMAND) == 0)
			return refuse(greeting, "it repeats its input:", line);
	}
	return refuse(greeting, "its last line was", line);
}

/* Ignores a command that has already exited: the next read reports it. */
static void write_text(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		log_debug("command of --via: cannot write: %s", strerror(errno));
}

int via_handshake(const struct via *via, const char *command)
{
	struct greeting greeting = {.fd = via->in, .command = command};
	char version[LINE_SIZE], answer[LINE_SIZE], ask[64];
	int err;

	/* Sent before bpfd has started: this saves round trips. */
	snprintf(ask, sizeof(ask), FIRST_COMMAND "\nBPFD_RPC %d\n", RPC_MAJOR);
	write_text(via->out, ask);
	err = wait_banner(&greeting);
	if (!err)
		err = read_reply(&greeting, version);
	if (!err)
		err = read_reply(&greeting, answer);
	if (err)
		return err;
	if (strcmp(answer, "bpfd_rpc: ret=0") == 0)
		return 0;
	version[strcspn(version, " ")] = 0;
	if (strcmp(version, "Command") == 0) /* not recognized */
		strcpy(version, "unknown, older than 0.1.0");
	log_error("the board's bpfd (version %s) cannot do this: bpfd-run %s needs BPFD_RPC %d; "
		  "install the bpfd of the same release on the board",
		version, BPFD_USB_VERSION, RPC_MAJOR);
	return -EPROTO;
}

void via_identity(const struct via *via, const char *command, char text[VIA_IDENTITY_SIZE])
{
	ssize_t n = via->board < 0 ? 0 : pread(via->board, text, VIA_IDENTITY_SIZE - 1, 0);

	text[n > 0 ? n : 0] = 0;
	if (!*text)
		snprintf(text, VIA_IDENTITY_SIZE, "--via %s", command);
}

/* Waits for the command to exit. Reads its remaining output, which could block it otherwise. */
static bool wait_end(const struct via *via, uint64_t ms, int *status)
{
	const struct timespec step = {.tv_nsec = END_STEP_MS * 1000000L};
	uint64_t end = clock_monotonic_ms() + ms;
	bool reads = fcntl(via->in, F_SETFL, O_NONBLOCK) == 0;
	char rest[16384];

	do {
		if (waitpid(via->pid, status, WNOHANG)) /* or it was reaped before */
			return true;
		if (!reads || read(via->in, rest, sizeof(rest)) <= 0)
			nanosleep(&step, NULL);
	} while (clock_monotonic_ms() < end);
	return false;
}

int via_end(struct via *via)
{
	int status = -1;

	close(via->out);
	if (!wait_end(via, VIA_END_MS, &status)) {
		log_warning(
			"the command of --via did not exit at the end of its input; killing it");
		kill(-via->pid, SIGTERM); /* it leads a session of its own */
		if (!wait_end(via, VIA_KILL_MS, &status)) {
			kill(-via->pid, SIGKILL);
			waitpid(via->pid, &status, 0);
		}
	}
	close(via->in);
	if (via->board >= 0)
		close(via->board);
	return status;
}
