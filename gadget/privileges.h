/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of the daemon and of its worker once the gadget is made. */
#ifndef GADGET_PRIVILEGES_H
#define GADGET_PRIVILEGES_H

/* Keeps the capabilities that removing the gadget, replacing the worker and starting bpfd need, and
 * forbids gaining others. A failure is only logged: the daemon then runs with all it has. */
void privileges_drop(void);

/* Keeps only what starting bpfd needs: for the worker, once its endpoints are open. */
void privileges_drop_worker(void);

#endif
