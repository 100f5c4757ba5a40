/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that are read from a descriptor rather than interrupt. */
#ifndef GADGET_SIGNALS_H
#define GADGET_SIGNALS_H

/* Blocks the signals of a list that ends with 0, and ignores SIGPIPE. Returns a descriptor that can
 * be polled, or a negative errno. */
int signals_open(const int *list);

/* Returns the number of a signal that has come, 0 if none has. */
int signals_next(int fd);

#endif
