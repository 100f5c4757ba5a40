/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon still may do once its gadget is made. */
#ifndef GADGET_PRIVILEGES_H
#define GADGET_PRIVILEGES_H

/* Keeps the capabilities that taking the gadget away, replacing the worker and starting bpfd need,
 * and forbids to gain others. What fails is logged: the daemon works as well without. */
void privileges_drop(void);

/* Of those, keeps what starting bpfd needs: for the worker, whose endpoints are open. */
void privileges_drop_worker(void);

#endif
