/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that are read from a descriptor instead of interrupting the program. */
#ifndef CORE_BASE_SIGNAL_FD_H
#define CORE_BASE_SIGNAL_FD_H

#include <stdbool.h>
#include <sys/signalfd.h>

/* Blocks the signals of a list that ends with 0, and ignores SIGPIPE. SIGCHLD in the list is
 * received even if the parent ignored it. Returns a nonblocking descriptor, which the caller closes
 * and which poll(2) reports as readable when a signal is pending; or a negative errno. */
int signal_fd_open(const int *list);

/* Returns the number of the next pending signal, or 0. */
int signal_fd_next(int fd);

/* The same with all that the kernel reports of it, such as who sent it. Returns whether one has
 * come. */
bool signal_fd_read(int fd, struct signalfd_siginfo *info);

#endif
