/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that are read from a descriptor rather than interrupt. */
#ifndef CORE_BASE_SIGNAL_FD_H
#define CORE_BASE_SIGNAL_FD_H

#include <stdbool.h>
#include <sys/signalfd.h>

/* Blocks the signals of a list that ends with 0, and ignores SIGPIPE. SIGCHLD in the list comes
 * even if it was ignored before. Returns a descriptor that can be polled, or a negative errno. */
int signal_fd_open(const int *list);

/* Returns the number of a signal that has come, 0 if none has. */
int signal_fd_next(int fd);

/* The same with all that the kernel reports of it, such as who sent it. Returns whether one has
 * come. */
bool signal_fd_read(int fd, struct signalfd_siginfo *info);

#endif
