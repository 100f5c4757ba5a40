/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, reaps and ends the worker. */
#include "gadget/worker.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "gadget/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* After SIGTERM the worker informs the hosts and ends the processes of its sessions, which takes up
 * to twice their grace. */
#define WORKER_STOP_MS (2 * CHILD_GRACE_MS + 1000)
#define WORKER_KILL_MS 1000

int worker_start(struct worker *w, int *unbound_fd)
{
	pid_t parent = getpid();
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	w->pid = fork();
	if (w->pid < 0) {
		err = -errno;
		w->pid = 0;
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (w->pid == 0) {
		/* Without its parent: the next start of the daemon removes the gadget. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			raise(SIGKILL); /* the parent died before prctl() */
		prctl(PR_SET_NAME, "bpfd-worker");
		close(ends[0]);
		w->unbound = -1;
		*unbound_fd = ends[1];
		return 1;
	}
	close(ends[1]);
	w->unbound = ends[0];
	w->started_ms = clock_boottime_ms();
	return 0;
}

bool worker_ended(struct worker *w, int *status)
{
	pid_t pid;

	if (w->pid == 0)
		return false;
	pid = waitpid(w->pid, status, WNOHANG);
	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	if (pid < 0)
		*status = SIGKILL; /* it was reaped elsewhere, and the status is lost */
	w->pid = 0;
	close(w->unbound);
	w->unbound = -1;
	return true;
}

bool worker_unbound(struct worker *w)
{
	bool unbound = false;
	char bytes[16];

	while (w->unbound >= 0 && read(w->unbound, bytes, sizeof(bytes)) > 0)
		unbound = true;
	return unbound;
}

static bool ends_within(struct worker *w, unsigned int ms)
{
	uint64_t deadline_ms = clock_boottime_ms() + ms;
	int status;

	while (!worker_ended(w, &status)) {
		if (clock_boottime_ms() >= deadline_ms)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

void worker_stop(struct worker *w)
{
	if (w->pid == 0)
		return;
	kill(w->pid, SIGTERM);
	kill(w->pid, SIGCONT); /* a stopped process does not handle SIGTERM */
	if (ends_within(w, WORKER_STOP_MS))
		return;
	log_error("worker: did not exit after SIGTERM; killing it");
	kill(w->pid, SIGKILL);
	/* A process that survives SIGKILL hangs in the kernel: more waiting does not help. */
	if (!ends_within(w, WORKER_KILL_MS))
		log_error("worker: process %d did not exit after SIGKILL; not waiting for it",
			(int)w->pid);
}
