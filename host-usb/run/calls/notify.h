/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp's user notifications: the filter, and the answers to the tool's system calls. */
#ifndef HOST_USB_RUN_CALLS_NOTIFY_H
#define HOST_USB_RUN_CALLS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct run;
struct seccomp_notif;

#define FD_SEEN_COUNT 64 /* open directories and written files of a process, at most */

/* In the child: installs the filter for this process and all that it starts. Reads and writes are
 * notified for descriptors from fd_base on. With as_root, getuid(2) and geteuid(2) return 0.
 * Returns the descriptor of the listener or a negative errno. */
int notify_install(int fd_base, bool as_root);

/* Returns 0 if this kernel has user notifications, -ENOSYS if not. */
int notify_check(void);

/* Makes notifications faster if the kernel supports it (Linux 6.6). */
void notify_tune(const struct run *run);

/* Receives the tool's next system call; notify_handle() then answers and frees it. Returns 0;
 * -ENOENT: the thread was interrupted or killed; -ENOMEM. */
int notify_receive(const struct run *run, struct seccomp_notif **request);
void notify_handle(struct run *run, struct seccomp_notif *request);

/* Answers a call of the tool with a value, a negative errno or CALL_CONTINUE. Does nothing if its
 * thread is gone. */
void notify_answer(const struct run *run, uint64_t id, int64_t value);

/* True if the thread still waits in this call. Otherwise its tid may belong to another process. */
bool notify_waiting(const struct run *run, uint64_t id);

/* Duplicates fd into the tool and answers the call with the duplicate; fd stays the caller's. The
 * duplicate is the tool's lowest free descriptor, or with `seen` a free one from fd_base on.
 * Returns CALL_ANSWERED or a negative errno. */
int64_t notify_give_fd(const struct call *call, int fd, bool cloexec, bool seen);

/* What the filter does with system calls of a number. Of some numbers it notifies only those with
 * certain arguments. */
enum notify_treatment {
	TREATMENT_LOCAL,    /* this workstation's kernel runs them */
	TREATMENT_NOTIFIED, /* the supervisor answers or refuses them, or lets the kernel run them
			     */
	TREATMENT_ABSENT,   /* they fail with ENOSYS */
};

/* The last system call that the tables know: later ones are absent for the tool. To raise it,
 * decide about each call up to the new number; tests/unit/test_run_calls.c lists the decisions. */
#define NOTIFY_LAST 469 /* file_setattr, Linux 6.17 */

enum notify_treatment notify_treatment(int number);

/* Returns the name of a system call. */
const char *notify_name(int number);

#endif
