/* SPDX-License-Identifier: Apache-2.0 */
/* What an older kernel would have said to bpf(2) and perf_event_open(2). */
#ifndef TESTS_TOOLS_OLDKERNEL_H
#define TESTS_TOOLS_OLDKERNEL_H

#include <linux/types.h>
#include <stdint.h>
#include <sys/types.h>

#define VERSION(major, minor) ((major)*100U + (minor))

struct old_kernel {
	unsigned int version; /* VERSION() of the one that is played */
	uint32_t running;     /* LINUX_VERSION_CODE of the one that runs */
};

/* Looks at a call that a process is about to make. Returns 0 if the old kernel had known all of it,
 * or the negative errno that it would have failed with. */
int old_bpf(const struct old_kernel *kernel, pid_t pid, const __u64 args[]);
int old_perf_event(const struct old_kernel *kernel, pid_t pid, const __u64 args[]);

#endif
