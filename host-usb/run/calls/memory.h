/* SPDX-License-Identifier: Apache-2.0 */
/* Access to the memory and the descriptors of the tool's processes. */
#ifndef HOST_USB_RUN_CALLS_MEMORY_H
#define HOST_USB_RUN_CALLS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct call;

/* Copies `size` bytes from the process of thread `tid`, all or none. Returns 0; -EFAULT: they are
 * not all mapped; -EPERM: no permission, which is logged once. */
int memory_read(pid_t tid, uint64_t from, void *to, size_t size);

/* Copies `size` bytes to the thread that waits for the answer to the call. Returns as
 * memory_read(); -ESRCH: the thread was killed, and another process may have its number by now. */
int memory_write(const struct call *call, uint64_t to, const void *from, size_t size);

/* Copies a string with its NUL. Returns its length; -ENAMETOOLONG: it does not fit into `size`
 * bytes; or the errors of memory_read(). */
ssize_t memory_read_string(pid_t tid, uint64_t from, char *to, size_t size);

/* Duplicates a descriptor of the process. Returns the duplicate, which the caller closes, or a
 * negative errno. */
int memory_get_fd(pid_t tid, int fd);

#endif
