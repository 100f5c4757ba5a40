/* SPDX-License-Identifier: Apache-2.0 */
/* The process that serves the lanes, as its parent sees it.
 *
 * The worker handles everything that hosts send; the parent keeps every ep0 open. If the worker
 * crashes, the gadget stays bound, its other functions go on, and another worker takes over. */
#ifndef GADGET_WORKER_H
#define GADGET_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker {
	pid_t pid;   /* 0: there is none, or this process is the worker */
	int unbound; /* in the parent: reads a byte for each unbinding of the gadget; else -1 */
	uint64_t started_ms; /* of clock_boottime_ms() */
};

/* Forks a process that dies with this one. Returns 0 in the parent, or a negative errno, not
 * logged. In the worker returns 1, and *unbound_fd is the end of the pipe to write to at an
 * unbinding. */
int worker_start(struct worker *w, int *unbound_fd);

/* Reaps the worker if it has ended. Returns true and *status as waitpid(2) does. */
bool worker_ended(struct worker *w, int *status);

/* Returns true if the worker has reported an unbinding since the last call. */
bool worker_unbound(struct worker *w);

/* Ends the worker with SIGTERM, then SIGKILL, and waits for it. */
void worker_stop(struct worker *w);

#endif
