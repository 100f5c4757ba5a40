/* SPDX-License-Identifier: Apache-2.0 */
/* The control file of a FunctionFS instance. While it is open, the instance stays alive. */
#ifndef GADGET_EP0_H
#define GADGET_EP0_H

/* Opens a file of the instance mounted on `dir` for reading and writing, non-blocking. Returns the
 * descriptor or a negative errno, logged. */
int ep0_open_file(const char *dir, const char *name);

/* Opens ep0 and writes descriptors and strings; the instance then has its endpoint files, and the
 * gadget can be bound. Returns the descriptor, to be closed by the caller, or a negative errno,
 * logged: -EBUSY if another program still serves the instance after 2 s. When the last file of an
 * instance is closed, the kernel unbinds the whole gadget. */
int ep0_open(const char *dir);

#endif
