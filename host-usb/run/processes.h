/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's processes, as the workstation's kernel tells of them. */
#ifndef HOST_USB_RUN_PROCESSES_H
#define HOST_USB_RUN_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a process ignores a signal. */
bool process_ignores(pid_t pid, int number);

#endif
