/* SPDX-License-Identifier: Apache-2.0 */
/* Gives the tool the board's CLOCK_MONOTONIC and CLOCK_BOOTTIME, by a time namespace.
 *
 * Tools compare these clocks with timestamps of the board's kernel. They read them without a system
 * call, so a seccomp filter cannot answer. See time_namespaces(7). */
#ifndef HOST_USB_RUN_TIMENS_H
#define HOST_USB_RUN_TIMENS_H

#include <stdint.h>

#define TIMENS_FDS 2

/* Makes a time namespace whose clocks are ahead of ours by these nanoseconds, which may be
 * negative. Without root this needs a user namespace as well, which maps only the user's own id.
 * Returns the number of namespaces to enter, whose descriptors are in fds[] and the caller closes;
 * or a negative errno. */
int timens_make(int64_t monotonic_ns, int64_t boottime_ns, int fds[TIMENS_FDS]);

/* Enters the namespaces, for this process and what it executes. The process must have a single
 * thread. Returns 0 or a negative errno. */
int timens_enter(const int *fds, int count);

#endif
