/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's processes, as the workstation's kernel tells of them. */
#ifndef HOST_USB_RUN_PROCESSES_H
#define HOST_USB_RUN_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

/* A number of /proc/PID/status of a process or thread, such as that behind "Tgid:"; 0 if there is
 * none of that name. */
unsigned long long process_status(pid_t pid, const char *name, int base);

/* Whether a process ignores a signal. */
bool process_ignores(pid_t pid, int number);

/* Whether a process id of the tool names a process of the board: one that is not below us. */
bool process_is_board(pid_t pid);

/* Sends a signal to each process below us that is under the tool's filter. One that is just being
 * started may be missed. */
void processes_kill(int number);

#endif
