/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: makes or joins the gadget, keeps it while a worker serves its lanes, takes it away.
 */
#ifndef GADGET_DAEMON_H
#define GADGET_DAEMON_H

#include "configfs/gadget.h"
#include "gadget/serve.h"

struct daemon_options {
	struct gadget_options gadget; /* unused when ffs_dirs are given */
	const char *udc;	      /* NULL: the only one, or the first that is free */
	struct admission *admission;  /* who may open sessions, and what they run */
	/* Mounted FunctionFS instances that somebody else puts into a gadget: configfs is then not
	 * touched. */
	const char *ffs_dirs[SERVE_LANES_MAX];
	unsigned int ffs_dir_count;
};

/* Runs until SIGTERM, SIGINT or SIGHUP. Returns 0 after a clean end, or a negative errno, having
 * logged the cause; in both cases nothing of ours is left of the gadget. Returns as well in each
 * process that it has forked, with the status that it has to exit with. */
int daemon_run(const struct daemon_options *options);

#endif
