/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of the sessions: started with pipes, ended by SIGTERM, then SIGKILL, and reaped. */
#ifndef GADGET_CHILD_H
#define GADGET_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#define CHILD_GRACE_MS 2000 /* from SIGTERM to SIGKILL: time to remove probes from tracefs */

/* Processes at a time, including those that are ending: many more than there are lanes, few enough
 * for a small board. */
#define CHILDREN_MAX 64

struct children; /* all processes of the sessions, including those that are ending */
struct child;	 /* the process of a session */

/* `argv` is the command, with NULL at its end; it must outlive the result. Returns NULL if memory
 * is short. */
struct children *children_new(char *const *argv);

/* The name of the program, argv[0]. */
const char *children_program(const struct children *all);

/* Ends all processes, waits for them at most twice CHILD_GRACE_MS, and frees *all. NULL is
 * allowed. */
void children_free(struct children *all);

/* Starts a process with the command `argv` and with pipes as stdin, stdout and stderr; the daemon's
 * ends are non-blocking. The process gets SIGTERM when the daemon dies. Returns 0 and *child, which
 * child_release() frees, or a negative errno, not logged: including that of exec, and -EAGAIN if
 * there are CHILDREN_MAX processes, because a host opens sessions faster than they end. */
int child_start(struct children *all, char *const *argv, struct child **child);

/* The daemon's ends of the pipes; -1 when closed. */
int child_stdin(const struct child *child);
int child_stdout(const struct child *child);
int child_stderr(const struct child *child);
void child_close_stdin(struct child *child);
void child_close_stdout(struct child *child);
void child_close_stderr(struct child *child);

/* True if the process has ended. *code is then its exit status, *signal the signal that killed it,
 * or 0. */
bool child_ended(const struct child *child, int *code, int *signal);

/* Closes the pipes of a process and ends it if it runs. `child` is no longer valid. */
void child_release(struct children *all, struct child *child);

/* Reaps processes, and kills those that outlived CHILD_GRACE_MS. Call it after SIGCHLD and at
 * children_deadline(). After a process that was killed by a signal, it runs the program once more
 * without input: at its start bpfd removes what a killed one left. */
void children_tick(struct children *all, uint64_t now_ms);

/* A time of clock_boottime_ms(); UINT64_MAX: none. */
uint64_t children_deadline(const struct children *all);

#endif
