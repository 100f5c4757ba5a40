/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's log of the board: /dev/kmsg and syslog(2). */
#ifndef HOST_USB_RUN_CALLS_KERNEL_LOG_H
#define HOST_USB_RUN_CALLS_KERNEL_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct object;

#define KERNEL_LOG "/dev/kmsg"

/* Answers the call with a descriptor of the log, opened for reading with the flags of open(2).
 * Returns CALL_ANSWERED or a negative errno. */
int64_t kernel_log_give(const struct call *call, int flags);

/* lseek(2) of the log, which begins to be read again. `fd` is the tool's descriptor. */
int64_t kernel_log_seek(
	const struct call *call, struct object *object, int fd, int64_t offset, int whence);

#endif
