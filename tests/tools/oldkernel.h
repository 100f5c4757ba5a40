/* SPDX-License-Identifier: Apache-2.0 */
/* What an older kernel returns for bpf(2) and perf_event_open(2). */
#ifndef TESTS_TOOLS_OLDKERNEL_H
#define TESTS_TOOLS_OLDKERNEL_H

#include <linux/types.h>
#include <stdint.h>
#include <sys/types.h>

#define VERSION(major, minor) ((major)*100U + (minor))

struct old_kernel {
	unsigned int version; /* VERSION() of the old kernel */
	uint32_t running;     /* LINUX_VERSION_CODE of the running kernel */
};

/* Judges a call that a process is about to make. Returns 0 if the old kernel knew all of it, or the
 * negative errno with which it failed. */
int old_bpf(const struct old_kernel *kernel, pid_t pid, const __u64 args[]);
int old_perf_event(const struct old_kernel *kernel, pid_t pid, const __u64 args[]);

#endif
