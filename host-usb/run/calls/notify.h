/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp's user notifications: the filter, and the answers to the tool's system calls. */
#ifndef HOST_USB_RUN_CALLS_NOTIFY_H
#define HOST_USB_RUN_CALLS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct run;
struct seccomp_notif;

#define FD_SEEN_COUNT 64 /* directories and writers that the tool has open at a time, at most */

/* In the child: sets the filter for itself and all it will start; descriptors from fd_base on are
 * those whose reads and writes are asked about; with as_root it believes to be root. Returns the
 * listener's descriptor or a negative errno. */
int notify_install(int fd_base, bool as_root);

/* Whether this kernel has user notifications at all. Returns 0, -ENOSYS. */
int notify_check(void);

/* Makes the listener as fast as the kernel lets it be. */
void notify_tune(const struct run *run);

/* Receives the tool's next system call, which notify_handle() then answers and frees. Returns 0;
 * -ENOENT: its thread was interrupted or killed; -ENOMEM. */
int notify_receive(const struct run *run, struct seccomp_notif **request);
void notify_handle(struct run *run, struct seccomp_notif *request);

/* Answers a call that was held; a call whose thread is gone needs none. */
void notify_answer(const struct run *run, uint64_t id, int64_t value);

/* Whether the thread still waits in this call: only then do its number and memory mean it. */
bool notify_waiting(const struct run *run, uint64_t id);

/* Gives the tool a copy of fd, as the answer to the call: the smallest number that is free, or with
 * `seen` one from fd_base on. Returns CALL_ANSWERED or a negative errno. */
int64_t notify_give_fd(const struct call *call, int fd, bool cloexec, bool seen);

/* The name of a system call. */
const char *notify_name(int number);

#endif
