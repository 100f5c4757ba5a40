/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the kernel that keep kprobes from running. */
#ifndef CORE_BASE_KPROBE_STATE_H
#define CORE_BASE_KPROBE_STATE_H

/* Returns why attached kprobes never run, and what to do; NULL: nothing is known that stops them.
 * The kernel attaches them in any case and reports no error. */
const char *kprobe_obstacle(const char *proc, const char *sysfs);

#endif
