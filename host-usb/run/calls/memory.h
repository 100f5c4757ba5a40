/* SPDX-License-Identifier: Apache-2.0 */
/* Access to the memory and the descriptors of the tool's processes. */
#ifndef HOST_USB_RUN_CALLS_MEMORY_H
#define HOST_USB_RUN_CALLS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct call;
struct stat;

/* All of these return -ESRCH if the thread of the call was killed: another process may have its id
 * by now. Then they have read nothing and written nothing. */

/* Copies `size` bytes from the thread that waits for the answer to the call, all or none. Returns
 * 0; -EFAULT: they are not all mapped; -EPERM: no permission, which is logged once. */
int memory_read(const struct call *call, uint64_t from, void *to, size_t size);

/* Copies `size` bytes to that thread. Returns like memory_read(). */
int memory_write(const struct call *call, uint64_t to, const void *from, size_t size);

/* Copies a string with its NUL. Returns its length; -ENAMETOOLONG: it does not fit into `size`
 * bytes; or the errors of memory_read(). */
ssize_t memory_read_string(const struct call *call, uint64_t from, char *to, size_t size);

/* Duplicates a descriptor of the thread. Returns the duplicate, which the caller closes, or a
 * negative errno; -EOPNOTSUPP, after a warning: this kernel cannot reach the thread's table. */
int memory_get_fd(const struct call *call, int fd);

/* Gets the status of a descriptor of the thread, or of its working directory for AT_FDCWD. Returns
 * 0 or a negative errno. */
int memory_stat_fd(const struct call *call, int fd, struct stat *st);

/* Reads a link of the thread's directory in /proc, such as "cwd", and adds a NUL. Returns its
 * length, at most size - 1, or a negative errno. */
ssize_t memory_read_link(const struct call *call, const char *name, char *to, size_t size);

#endif
