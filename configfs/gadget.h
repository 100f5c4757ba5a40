/* SPDX-License-Identifier: Apache-2.0 */
/* The gadget in configfs: one FunctionFS function a lane, made, bound and removed as a whole, or
 * added to a gadget of somebody else, which in the end is as it was found.
 *
 * Single threaded. Every failure has been logged when a function returns it. */
#ifndef CONFIGFS_GADGET_H
#define CONFIGFS_GADGET_H

#include "configfs/options.h"

#include <stdbool.h>
#include <stdio.h>

struct gadget;

/* Makes the gadget, not bound yet, and mounts its FunctionFS instances, after removing what a
 * killed daemon left; loads and mounts what is missing. One that is joined does not notice this
 * yet. Needs a serial unless it joins. May wait a second for a dying process. The options' texts
 * must outlive the gadget. Returns 0 and *gadget, owned by the caller, or a negative errno (-EBUSY:
 * another daemon runs), with nothing left behind. */
int gadget_create(const struct gadget_options *options, struct gadget **gadget);

/* The name of the directory in configfs. */
const char *gadget_name(const struct gadget *g);

/* Where the FunctionFS instance of a lane is mounted; NULL if there is no such lane. Lives as long
 * as the gadget. */
const char *gadget_ffs_path(const struct gadget *g, unsigned int lane);

/* Binds to the controller `udc`; NULL: the only one, or the first that is free. The descriptors of
 * all lanes must have been written. One that is joined is unbound and bound to the controller that
 * it was found with; `udc` is for one that had none. Returns 0, also if it is bound already;
 * -ENODEV: no such controller, it may come later (not logged); -EBUSY: taken by another gadget;
 * -ENOSPC: refused by a free controller, so too few endpoints; or another negative errno. */
int gadget_bind(struct gadget *g, const char *udc);

/* Unbinds. Returns 0, also if it was not bound, or a negative errno. */
int gadget_unbind(struct gadget *g);

/* Whether a controller drives the gadget now. */
bool gadget_bound(const struct gadget *g);

/* The controller of the last successful gadget_bind(), "" before. */
const char *gadget_udc(const struct gadget *g);

/* Removes the last lane of the unbound gadget, whose files must have been closed. Returns 0,
 * -EINVAL if it is the only one, or a negative errno: -EBUSY if files are open, and it is still a
 * lane then, out of the configuration. */
int gadget_drop_last_lane(struct gadget *g);

/* Unbinds and removes the gadget, its mounts and directories, and frees it; of one that is joined
 * the lanes alone, and binds it again if it was found bound. The files of all lanes must have been
 * closed. Returns 0, or the first negative errno, having gone on. */
int gadget_destroy(struct gadget *g);

/* Frees it and touches nothing: for a process that has forked. */
void gadget_forget(struct gadget *g);

/* Removes what a killed daemon left under that name, or in the gadget that it had joined; of other
 * gadgets nothing is touched. Returns 0, also if there was nothing, -EBUSY if a daemon lives, or a
 * negative errno. */
int gadget_remove_leftover(const struct gadget_options *options);

/* Writes to `out` what the kernel and the board offer or lack, one line each, changing nothing.
 * Returns whether gadget_create() and gadget_bind() can work. */
bool gadget_check(const struct gadget_options *options, FILE *out);

#endif
