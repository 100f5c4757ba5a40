/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses system calls on files of the board. */
#ifndef HOST_USB_RUN_CALLS_REFUSED_H
#define HOST_USB_RUN_CALLS_REFUSED_H

#include <stdint.h>

struct call;

/* Logs that a call is refused for a path, and returns -EPERM. */
int64_t refused(const struct call *call, const char *path);

#endif
