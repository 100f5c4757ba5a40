/* SPDX-License-Identifier: Apache-2.0 */
/* Adds lanes to the gadget of another owner, and removes them without a trace.
 *
 * The state of the gadget before we change it is noted in a file of ffs_dir, so that the next start
 * after a kill can restore it. libusbgx is not used here, because it fails on a gadget with a
 * function that it does not know. */
#ifndef CONFIGFS_JOIN_H
#define CONFIGFS_JOIN_H

#include "configfs/options.h"
#include "configfs/udc.h"

#include <limits.h>

struct join {
	char dir[PATH_MAX];	 /* of the gadget */
	char config[PATH_MAX];	 /* directory of its configuration */
	char udc[UDC_NAME_SIZE]; /* the controller that it was bound to; "": none */
	char vendor_code[16];	 /* of its OS descriptors, before ours; "": we do not set them */
};

/* Removes the lanes of a killed daemon from the gadget that it had joined, and binds that gadget
 * again. Exception: if `udc` is not NULL (UDC_NAME_SIZE bytes) and the options join the same
 * gadget, it stays unbound and its controller is written to `udc`; otherwise `udc` gets "". The
 * caller holds the lock. Returns 0, also if no gadget was joined, or a negative errno, logged:
 * -EBUSY if a daemon is alive. */
int join_recover(const struct gadget_options *options, char *udc);

/* Finds the gadget and its configuration. Changes nothing. Returns 0 or a negative errno, logged:
 * -ENOENT if there is no such gadget or configuration. */
int join_find(const struct gadget_options *options, struct join *join);

/* Makes the functions of the lanes and the note. The gadget stays bound and undisturbed. Returns 0,
 * or a negative errno, logged, after undoing everything. */
int join_make(const struct gadget_options *options, const struct join *join);

/* Writes the note for the next start. join_make() has written it once; call this if `join` has
 * changed since. Returns 0, or a negative errno, logged; the previous note then stays. */
int join_note(const struct gadget_options *options, const struct join *join);

/* Logs which functions are interrupted when the gadget is rebound for `what`. */
void join_announce(const struct gadget_options *options, const struct join *join, const char *what);

/* Adds the first `lanes` lanes to the configuration of the unbound gadget, and our OS descriptors
 * if it has none. Returns 0 or a negative errno, logged. */
int join_link(const struct gadget_options *options, const struct join *join, unsigned int lanes);

/* Removes all lanes from the configuration of the unbound gadget and restores the OS descriptors.
 * If all instances are unmounted (`unmounted`), also removes the functions and the note. Returns 0
 * or the first negative errno, logged. */
int join_leave(const struct gadget_options *options, const struct join *join, bool unmounted);

/* Binds the gadget again to the controller of `join`, unless it is bound. Logs the result. */
void join_bind_again(const struct join *join);

#endif
