/* SPDX-License-Identifier: Apache-2.0 */
/* Receives signals through a descriptor, and dies of them so that a shell sees it. */
#ifndef HOST_USB_SIGNALS_H
#define HOST_USB_SIGNALS_H

/* Blocks the signals that end, stop or continue the program, except those that its parent made it
 * ignore. Ignores SIGPIPE. Returns a descriptor for signal_fd_next(), or a negative errno. */
int signals_open(void);

/* Stops the program with the default action of the signal. Returns when it is continued. */
void signals_stop(int signal);

/* Ends the program with the default action of the signal. */
void signals_die(int signal) __attribute__((noreturn));

#endif
