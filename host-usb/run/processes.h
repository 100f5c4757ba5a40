/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's processes, as /proc of the workstation shows them. */
#ifndef HOST_USB_RUN_PROCESSES_H
#define HOST_USB_RUN_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

/* Returns a number from /proc/PID/status of a process or thread. `name` is the field with its
 * colon, for example "Tgid:". Returns 0 if the field or the process does not exist. */
unsigned long long process_status(pid_t pid, const char *name, int base);

/* Returns true if the process ignores the signal. */
bool process_ignores(pid_t pid, int number);

/* Returns true if a process id in a call of the tool means a process of the board: it is none of
 * our descendants. */
bool process_is_board(pid_t pid);

/* The same for a process group: none of our descendants is in it. */
bool process_group_is_board(pid_t group);

/* Sends a signal to each of our descendants under the tool's filter. May miss a process that is
 * just being started. */
void processes_kill(int number);

#endif
