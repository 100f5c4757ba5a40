/* SPDX-License-Identifier: Apache-2.0 */
/* Reports the state of the daemon to the service manager, like sd_notify(3). */
#ifndef GADGET_SERVICE_MANAGER_H
#define GADGET_SERVICE_MANAGER_H

/* Sends `state`, for example "READY=1", to $NOTIFY_SOCKET; does nothing without that variable. A
 * failure is only logged: the daemon works without a service manager. */
void service_manager_notify(const char *state);

#endif
