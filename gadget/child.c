/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, ends and reaps the processes of the sessions. */
#include "gadget/child.h"

#include "core/base/clock.h"
#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_BYTES (256 * 1024) /* fewer switches between the daemon and the process */

struct child {
	struct child *next;
	pid_t pid;
	int stdin_fd, stdout_fd, stderr_fd;
	int code, signal;
	bool ended;
	bool released;	  /* no session uses it */
	bool sweep;	  /* it runs only to remove what a killed process left */
	uint64_t kill_ms; /* when to send SIGKILL; UINT64_MAX: never */
};

struct children {
	struct child *list;
	unsigned int count;
	char *const *argv;
};

struct children *children_new(char *const *argv)
{
	struct children *all = calloc(1, sizeof(*all));

	if (all)
		all->argv = argv;
	return all;
}

const char *children_program(const struct children *all)
{
	return all->argv[0];
}

static void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* Runs in the new process until exec: only async-signal-safe calls. Does not return. */
static void child_exec(char *const *argv, const int fds[3], int report, pid_t parent)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;
	int err;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &action, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0); /* Ctrl-C at the daemon's terminal is for the daemon alone */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1); /* the daemon died before the line above */
	/* None of fds is 0, 1 or 2: main() has opened those. */
	for (int i = 0; i < 3; i++) {
		if (dup2(fds[i], i) < 0)
			goto err_report;
	}
	execvp(argv[0], argv);
err_report:
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* Returns the pid, or a negative errno, also if exec failed. */
static pid_t spawn(char *const *argv, const int fds[3])
{
	pid_t pid, parent = getpid();
	int report[2], err = 0;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = errno;
		close_pair(report);
		return -err;
	}
	if (pid == 0)
		child_exec(argv, fds, report[1], parent);
	close(report[1]);
	do
		n = read(report[0], &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == (ssize_t)sizeof(err)) {
		waitpid(pid, NULL, 0);
		return -err;
	}
	return pid;
}

static struct child *child_add(struct children *all)
{
	struct child *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	child->stdin_fd = child->stdout_fd = child->stderr_fd = -1;
	child->kill_ms = UINT64_MAX;
	child->next = all->list;
	all->list = child;
	all->count++;
	return child;
}

static void child_remove(struct children *all, struct child *child)
{
	struct child **at = &all->list;

	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	all->count--;
	child_close_stdin(child);
	child_close_stdout(child);
	child_close_stderr(child);
	free(child);
}

/* Only our end, `ours` of the two, is non-blocking: the process reads and writes as on any pipe. */
static int make_pipe(int ends[2], int ours)
{
	int err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0) {
		err = -errno;
		close_pair(ends);
		return err;
	}
	return 0;
}

static int make_pipes(int pipes[3][2])
{
	int err;

	for (int i = 0; i < 3; i++) {
		err = make_pipe(pipes[i], i == 0 ? 1 : 0);
		if (err < 0) {
			while (i-- > 0)
				close_pair(pipes[i]);
			return err;
		}
		if (i < 2 && fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
			log_debug("pipe: size: %s", strerror(errno)); /* the default works, too */
	}
	return 0;
}

int child_start(struct children *all, char *const *argv, struct child **result)
{
	struct child *child;
	int pipes[3][2], err;

	if (all->count >= CHILDREN_MAX)
		return -EAGAIN;
	child = child_add(all);
	if (!child)
		return -ENOMEM;
	err = make_pipes(pipes);
	if (err < 0)
		goto err_remove;
	child->stdin_fd = pipes[0][1];
	child->stdout_fd = pipes[1][0];
	child->stderr_fd = pipes[2][0];
	child->pid = spawn(argv, (const int[3]){pipes[0][0], pipes[1][1], pipes[2][1]});
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	err = child->pid;
	if (err < 0)
		goto err_remove;
	*result = child;
	return 0;

err_remove:
	child_remove(all, child);
	return err;
}

int child_stdin(const struct child *child)
{
	return child->stdin_fd;
}

int child_stdout(const struct child *child)
{
	return child->stdout_fd;
}

int child_stderr(const struct child *child)
{
	return child->stderr_fd;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void child_close_stdin(struct child *child)
{
	close_fd(&child->stdin_fd);
}

void child_close_stdout(struct child *child)
{
	close_fd(&child->stdout_fd);
}

void child_close_stderr(struct child *child)
{
	close_fd(&child->stderr_fd);
}

bool child_ended(const struct child *child, int *code, int *signal)
{
	*code = child->code;
	*signal = child->signal;
	return child->ended;
}

/* Runs the program without input and output: bpfd then removes what a killed bpfd left, and ends.
 * It takes the place of a process that was just removed, so CHILDREN_MAX needs no check. */
static void child_sweep(struct children *all)
{
	struct child *child = child_add(all);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err = !child ? -ENOMEM : null < 0 ? -errno : 0;

	if (err)
		goto err_close;
	child->sweep = child->released = true;
	child->kill_ms = clock_boottime_ms() + CHILD_GRACE_MS;
	child->pid = spawn(all->argv, (const int[3]){null, null, null});
	err = child->pid < 0 ? child->pid : 0;
	if (err)
		goto err_close;
	close(null);
	return;

err_close:
	log_warning("%s: cannot be run to remove what a killed process left: %s", all->argv[0],
		strerror(-err));
	if (null >= 0)
		close(null);
	if (child)
		child_remove(all, child);
}

/* Removes an ended process that no session uses, and cleans up after it if a signal killed it. */
static void child_bury(struct children *all, struct child *child)
{
	bool sweep = child->signal != 0 && !child->sweep;

	if (child->signal != 0)
		log_debug("process %d: ended by signal %d", (int)child->pid, child->signal);
	child_remove(all, child);
	if (sweep)
		child_sweep(all);
}

void child_release(struct children *all, struct child *child)
{
	child_close_stdin(child);
	child_close_stdout(child);
	child_close_stderr(child);
	child->released = true;
	if (child->ended) {
		child_bury(all, child);
		return;
	}
	kill(child->pid, SIGTERM);
	kill(child->pid, SIGCONT); /* a stopped process does not handle SIGTERM */
	child->kill_ms = clock_boottime_ms() + CHILD_GRACE_MS;
}

static void child_reap(struct child *child)
{
	int status;
	pid_t pid;

	if (child->ended)
		return;
	pid = waitpid(child->pid, &status, WNOHANG);
	if (pid == 0 || (pid < 0 && errno == EINTR))
		return;
	child->ended = true;
	if (pid < 0)
		child->code = 255; /* it was reaped elsewhere, and the status is lost */
	else if (WIFSIGNALED(status))
		child->signal = WTERMSIG(status);
	else
		child->code = WEXITSTATUS(status);
}

void children_tick(struct children *all, uint64_t now_ms)
{
	struct child *child, *next;

	for (child = all->list; child; child = next) {
		next = child->next;
		child_reap(child);
		if (child->ended && child->released) {
			child_bury(all, child);
		} else if (!child->ended && now_ms >= child->kill_ms) {
			kill(child->pid, SIGKILL);
			child->kill_ms = UINT64_MAX;
		}
	}
}

uint64_t children_deadline(const struct children *all)
{
	uint64_t deadline = UINT64_MAX;

	for (const struct child *child = all->list; child; child = child->next) {
		if (!child->ended && child->kill_ms < deadline)
			deadline = child->kill_ms;
	}
	return deadline;
}

void children_free(struct children *all)
{
	struct child *child, *next;
	uint64_t give_up;

	if (!all)
		return;
	for (child = all->list; child; child = next) {
		next = child->next;
		if (!child->released)
			child_release(all, child);
	}
	/* A process that survives SIGKILL hangs in the kernel: more waiting does not help. */
	give_up = clock_boottime_ms() + 2 * CHILD_GRACE_MS;
	while (all->list && clock_boottime_ms() < give_up) {
		poll(NULL, 0, 10);
		children_tick(all, clock_boottime_ms());
	}
	while (all->list) {
		log_error("process %d: did not exit after SIGKILL; not waiting for it",
			(int)all->list->pid);
		kill(all->list->pid, SIGKILL);
		child_remove(all, all->list);
	}
	free(all);
}
