/* SPDX-License-Identifier: Apache-2.0 */
/* The memory and the descriptors of the tool's processes. */
#ifndef HOST_USB_RUN_CALLS_MEMORY_H
#define HOST_USB_RUN_CALLS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct call;

/* Copies bytes from a process, all or none. Returns 0; -EFAULT: not its memory; -EPERM: it cannot
 * be looked into (said once on stderr). */
int memory_read(pid_t tid, uint64_t from, void *to, size_t size);

/* The same to the thread that waits for the answer to the call. -ESRCH: it was killed meanwhile,
 * and its number may be another one's by now. */
int memory_write(const struct call *call, uint64_t to, const void *from, size_t size);

/* Copies a text with its NUL. Returns its length; -ENAMETOOLONG: size is too small; -EFAULT. */
ssize_t memory_read_string(pid_t tid, uint64_t from, char *to, size_t size);

/* A duplicate of a descriptor of the process. Returns it, or a negative errno. */
int memory_get_fd(pid_t tid, int fd);

#endif
