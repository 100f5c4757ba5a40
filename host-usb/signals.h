/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as a descriptor, and dying of them in a way that a shell sees. */
#ifndef HOST_USB_SIGNALS_H
#define HOST_USB_SIGNALS_H

/* Blocks the signals that end or stop the program, but those that its parent had it ignore, and
 * ignores SIGPIPE. Returns a descriptor for signal_fd_next(), or a negative errno. */
int signals_open(void);

/* Stops the program as the signal would (SIGTSTP); returns when it is continued. */
void signals_stop(int signal);

/* Ends the program as the signal would. */
void signals_die(int signal) __attribute__((noreturn));

#endif
