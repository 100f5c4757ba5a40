/* SPDX-License-Identifier: Apache-2.0 */
/* A time namespace in which CLOCK_MONOTONIC and CLOCK_BOOTTIME are the board's: the kernel's
 * timestamps in what tools read are compared with them. They are read without a system call, so
 * nothing else reaches them. See time_namespaces(7). */
#ifndef HOST_USB_RUN_TIMENS_H
#define HOST_USB_RUN_TIMENS_H

#include <stdint.h>

#define TIMENS_FDS 2

/* Makes one whose clocks are ahead of ours by so many nanoseconds, which may be below 0. fds[] are
 * then the namespaces to enter: who is not root needs one of users as well, in which he is nobody
 * else. Returns how many they are, to be closed by the caller; or a negative errno. */
int timens_make(int64_t monotonic_ns, int64_t boottime_ns, int fds[TIMENS_FDS]);

/* Enters them, with all that this process executes. It has one thread. Returns 0 or a negative
 * errno. */
int timens_enter(const int *fds, int count);

#endif
