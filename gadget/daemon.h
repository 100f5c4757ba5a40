/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: makes the gadget, runs its lanes, takes the gadget away again. */
#ifndef GADGET_DAEMON_H
#define GADGET_DAEMON_H

#include "configfs/gadget.h"

#define DAEMON_LANES_MAX 8 /* 16 endpoints: more than any controller known to us has */

struct daemon_options {
	struct gadget_options gadget; /* unused when ffs_dirs are given */
	const char *udc;	      /* NULL: the only one, or the first that is free */
	char *const *command;	      /* of the process behind a session, NULL at its end */
	/* Mounted FunctionFS instances that somebody else puts into a gadget: configfs is then not
	 * touched. */
	const char *ffs_dirs[DAEMON_LANES_MAX];
	unsigned int ffs_dir_count;
};

/* Runs until SIGTERM, SIGINT or SIGHUP. Returns 0 after a clean end, or a negative errno, having
 * logged the cause; in both cases nothing of the gadget is left. */
int daemon_run(const struct daemon_options *options);

#endif
