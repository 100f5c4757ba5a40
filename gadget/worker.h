/* SPDX-License-Identifier: Apache-2.0 */
/* The process that serves the lanes, as its parent sees it.
 *
 * All that a host sends is handled in the worker; the parent keeps every ep0 open. So a crash of
 * the worker leaves the gadget bound and its other functions at work, and another worker takes
 * over. */
#ifndef GADGET_WORKER_H
#define GADGET_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker {
	pid_t pid;	     /* 0: there is none; in the worker itself as well */
	int unbound;	     /* in the parent: gets a byte when the gadget is unbound; else -1 */
	uint64_t started_ms; /* of clock_boottime_ms() */
};

/* Starts a process that dies with this one. Returns 0; in the new process 1, and then *unbound_fd
 * is the other end of `unbound`; or a negative errno. */
int worker_start(struct worker *w, int *unbound_fd);

/* Reaps the process. Returns true with *status as in waitpid(2) if it has ended. */
bool worker_ended(struct worker *w, int *status);

/* Takes what the worker has told of unbindings. Returns whether there was one. */
bool worker_unbound(struct worker *w);

/* Ends the process politely, then not, and waits for it. */
void worker_stop(struct worker *w);

#endif
