/* SPDX-License-Identifier: Apache-2.0 */
/* The processes behind the sessions: started with pipes, ended politely and then not, reaped. */
#ifndef GADGET_CHILD_H
#define GADGET_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#define CHILD_GRACE_MS 2000 /* from SIGTERM to SIGKILL: time to take probes out of tracefs */

/* Processes at a time, those on their way out included: many more than there are lanes, few enough
 * for a small board. */
#define CHILDREN_MAX 64

struct children; /* all processes of the daemon, also those that are on their way out */
struct child;	 /* the process of a session */

/* `argv` is the command, NULL at its end, not copied. Returns NULL when memory is short. */
struct children *children_new(char *const *argv);

/* The program that is run. */
const char *children_program(const struct children *all);

/* Ends all processes and waits for them, at most twice CHILD_GRACE_MS. */
void children_free(struct children *all);

/* Starts a process whose stdin, stdout and stderr are pipes of which the other ends are
 * non-blocking. It dies with the daemon. Returns 0 and *child, or a negative errno: that of exec
 * too, and -EAGAIN for CHILDREN_MAX processes, as when a host opens sessions faster than they
 * end. */
int child_start(struct children *all, struct child **child);

/* The same with another command than that of children_new(). */
int child_start_command(struct children *all, char *const *argv, struct child **child);

/* The daemon's ends of the pipes; -1 when closed. */
int child_stdin(const struct child *child);
int child_stdout(const struct child *child);
int child_stderr(const struct child *child);
void child_close_stdin(struct child *child);
void child_close_stdout(struct child *child);
void child_close_stderr(struct child *child);

/* True when the process has ended; *code and *signal as in waitpid(2). */
bool child_ended(const struct child *child, int *code, int *signal);

/* Lets go of a process: its pipes are closed and, if it runs, it is ended. `child` is gone. */
void child_release(struct children *all, struct child *child);

/* Call after SIGCHLD and at children_deadline: reaps, and kills what outlived its grace. After a
 * process that did not end by itself another one is run without input: bpfd removes at its start
 * what a dead one left behind. */
void children_tick(struct children *all, uint64_t now_ms);
uint64_t children_deadline(const struct children *all);

#endif
