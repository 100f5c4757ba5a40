/* SPDX-License-Identifier: Apache-2.0 */
/* The main loop of bpfd-run: serves the tool until it ends. */
#ifndef HOST_USB_RUN_SUPERVISOR_H
#define HOST_USB_RUN_SUPERVISOR_H

#include "host-usb/run/client.h"

struct run;

/* Returns the callbacks for client_new(). */
struct client_events supervisor_events(struct run *run);

/* Blocks the signals that bpfd-run handles, to be read instead. Returns a descriptor for
 * run->signal_fd, or a negative errno. */
int supervisor_signals(void);

/* Serves the tool until it exits. Returns its wait status; or -STATUS_FAILED if the link was lost,
 * after logging that and ending the tool. */
int supervisor_run(struct run *run);

#endif
