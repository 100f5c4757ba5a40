/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on processes by their numbers.
 *
 * The tool sees the processes of the board, so a number in a call means one of these, unless it is
 * that of a process or thread that the tool has started itself. */
#ifndef HOST_USB_RUN_CALLS_PROCESS_H
#define HOST_USB_RUN_CALLS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct call;

/* Returns true if `pid`, a number above 0 in a call of the tool, means a process of the board. */
bool process_of_board(const struct call *call, int pid);

/* Decides about a call on one process. Returns CALL_CONTINUE if `pid` means the workstation's;
 * -ESRCH if neither side has such a process; -EPERM, after a warning, if it is the board's; or
 * another negative errno. */
int64_t process_check(const struct call *call, int pid);

/* The same for the owner of a descriptor: a process, or with a negative number a process group. */
int64_t process_check_owner(const struct call *call, int owner);

#endif
