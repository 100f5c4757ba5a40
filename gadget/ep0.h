/* SPDX-License-Identifier: Apache-2.0 */
/* The control file of a FunctionFS instance: who has it open keeps the instance alive. */
#ifndef GADGET_EP0_H
#define GADGET_EP0_H

/* Opens a file of the instance mounted on `dir`, to read and write, without waiting. Returns the
 * descriptor or a negative errno, logged. */
int ep0_open_file(const char *dir, const char *name);

/* Opens ep0 and writes descriptors and strings, after which the instance has its endpoint files and
 * the gadget can be bound. -EBUSY if another program still serves the instance after 2 s. Returns
 * the descriptor, to be closed by the caller, or a negative errno, logged. When the last file of an
 * instance closes, the kernel unbinds the whole gadget. */
int ep0_open(const char *dir);

#endif
