/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes in a gadget that somebody else has made: added, and taken out again without a trace.
 *
 * What the gadget was like is noted in a file of ffs_dir, so that after a kill the next start can
 * put it back. Libusbgx is not used: it gives up on gadgets with functions that it does not know.
 */
#ifndef CONFIGFS_JOIN_H
#define CONFIGFS_JOIN_H

#include "configfs/options.h"
#include "configfs/udc.h"

#include <limits.h>

struct join {
	char dir[PATH_MAX];	 /* the gadget */
	char config[PATH_MAX];	 /* its configuration */
	char udc[UDC_NAME_SIZE]; /* the controller that it was bound to, "": none */
	char vendor_code[16];	 /* of OS descriptors, before ours; "": they are left as they are */
};

/* Takes the lanes of a killed daemon out of the gadget that it had joined, and binds that again.
 * With `udc` (UDC_NAME_SIZE bytes) not, if it is the gadget that the options name: its controller
 * is then put there, else "". Needs the lock. Returns 0, also if there was none, -EBUSY if a daemon
 * lives, or a negative errno; logged. */
int join_recover(const struct gadget_options *options, char *udc);

/* Finds the gadget and its configuration, changing nothing. Returns 0 or a negative errno, logged:
 * -ENOENT if there is no such gadget or configuration. */
int join_find(const struct gadget_options *options, struct join *join);

/* Makes the functions of the lanes, which the gadget does not notice yet. Returns 0 or a negative
 * errno, logged, with nothing left. */
int join_make(const struct gadget_options *options, const struct join *join);

/* Notes what the gadget was like, for the next start after a kill: once more if that has changed
 * since join_make(). Returns 0 or a negative errno, logged; what was noted before then stays. */
int join_note(const struct gadget_options *options, const struct join *join);

/* Says which functions the unbinding interrupts. */
void join_announce(const struct gadget_options *options, const struct join *join, const char *what);

/* Puts the first `lanes` lanes into the configuration of the unbound gadget, and OS descriptors if
 * it has none. Returns 0 or a negative errno, logged. */
int join_link(const struct gadget_options *options, const struct join *join, unsigned int lanes);

/* Takes all lanes out of the unbound gadget and gives back the OS descriptors; removes their
 * functions if the instances have been unmounted. Returns 0 or the first negative errno, logged. */
int join_leave(const struct gadget_options *options, const struct join *join, bool unmounted);

/* Binds the gadget, if it is not bound, to the controller that it was bound to. */
void join_bind_again(const struct join *join);

#endif
