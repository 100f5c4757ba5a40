/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the service manager what the daemon does, as sd_notify(3) does. */
#ifndef GADGET_SERVICE_MANAGER_H
#define GADGET_SERVICE_MANAGER_H

/* Sends e.g. "READY=1" to $NOTIFY_SOCKET. Without that variable, and on failure, which is logged,
 * nothing happens: the service manager is not needed for the work. */
void service_manager_notify(const char *state);

#endif
