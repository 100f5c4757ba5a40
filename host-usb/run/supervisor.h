/* SPDX-License-Identifier: Apache-2.0 */
/* The main loop of bpfd-run: serves the tool until it ends. */
#ifndef HOST_USB_RUN_SUPERVISOR_H
#define HOST_USB_RUN_SUPERVISOR_H

#include "host-usb/run/client.h"

struct run;

/* What the client calls. */
struct client_events supervisor_events(struct run *run);

/* Makes signals be read instead of caught. Returns a descriptor for run->signal_fd, or a negative
 * errno. */
int supervisor_signals(void);

/* Returns the tool's wait status, or -STATUS_FAILED: the link was lost, which was logged, and the
 * tool has ended. */
int supervisor_run(struct run *run);

#endif
