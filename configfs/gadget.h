/* SPDX-License-Identifier: Apache-2.0 */
/* A USB gadget in configfs with one FunctionFS function for each lane.
 *
 * We either make a gadget of our own and remove it at the end, or join the gadget of another owner:
 * add our functions to it and restore it at the end.
 *
 * Single threaded. A function that returns an error has logged it, unless stated otherwise. */
#ifndef CONFIGFS_GADGET_H
#define CONFIGFS_GADGET_H

#include "configfs/options.h"

#include <stdbool.h>
#include <stdio.h>

struct gadget;

/* Makes the gadget and mounts its FunctionFS instances, but does not bind it. First removes what a
 * killed daemon left, and loads and mounts what the kernel needs. A joined gadget stays bound and
 * undisturbed. The options must have a serial number, except to join. May wait a second for a
 * process that is exiting. The options' strings must outlive the gadget. Returns 0 and *gadget,
 * which the caller owns, or a negative errno (-EBUSY: another daemon is running) after undoing
 * everything. */
int gadget_create(const struct gadget_options *options, struct gadget **gadget);

/* Returns the name of the gadget's directory in configfs. */
const char *gadget_name(const struct gadget *g);

/* Returns the directory where the lane's FunctionFS instance is mounted; NULL if there is no such
 * lane. The string is valid until the lane is dropped or the gadget is freed. */
const char *gadget_ffs_path(const struct gadget *g, unsigned int lane);

/* Binds the gadget to the controller `udc`; NULL: the only controller, or the first free one. The
 * descriptors of all lanes must have been written. A joined gadget is unbound and bound again to
 * its own controller; `udc` is for a joined gadget that has none. Returns 0, also if the gadget is
 * bound already, or a negative errno:
 * -ENODEV: no such controller; it may appear later (not logged);
 * -EAGAIN: another function of a joined gadget is not ready yet; try again (logged the first time);
 * -EBUSY: another gadget has it;
 * -ENOSPC: a free controller refused the gadget, so it has too few endpoints (logged as an error
 * only with one lane, as a debug message with more). */
int gadget_bind(struct gadget *g, const char *udc);

/* Unbinds the gadget. Returns 0, also if it was not bound, or a negative errno. */
int gadget_unbind(struct gadget *g);

/* Returns true if the gadget is not bound although nobody has unbound it: its controller vanished
 * or is about to, and perhaps another one with its name is there by now. */
bool gadget_lost_controller(const struct gadget *g);

/* Returns the controller of the last successful gadget_bind(), "" if there was none. */
const char *gadget_udc(const struct gadget *g);

/* Removes the last lane of the unbound gadget. The lane's files must have been closed. Returns 0,
 * -EINVAL if it is the only lane (not logged), or a negative errno: -EBUSY if files are open; the
 * lane then stays mounted, but is no longer in the configuration. */
int gadget_drop_last_lane(struct gadget *g);

/* Unbinds and removes the gadget, its mounts and directories, and frees it. From a joined gadget
 * only the lanes are removed, and it is bound again if it was found bound. The files of all lanes
 * must have been closed. Continues after an error. Returns 0 or the first negative errno. */
int gadget_destroy(struct gadget *g);

/* Frees the memory and closes the lock's descriptor, but leaves configfs and the mounts alone: for
 * a child after fork(). */
void gadget_forget(struct gadget *g);

/* Removes what a killed daemon left in the gadget of the options' name, or in the gadget that it
 * had joined. Other gadgets are not changed. Returns 0, also if nothing was left, -EBUSY if a
 * daemon is alive, or another negative errno. */
int gadget_remove_leftover(const struct gadget_options *options);

/* Writes to `out` what the kernel and the board offer or lack, one line each. Changes nothing.
 * Returns true if gadget_create() and gadget_bind() can work. */
bool gadget_check(const struct gadget_options *options, FILE *out);

#endif
