/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: makes or joins the gadget, starts the worker that serves it, removes it.
 *
 * Who logs a failure in gadget/: the function that knows the name of what failed (a path, a lane,
 * an option, a line of a file) logs it, once, and its header says so. Its callers do not log the
 * error again. Functions below these do not log: descriptors, child_start() and worker_start()
 * return a negative errno, and their caller adds the name. A function that returns no error logs
 * itself what fails in it. */
#ifndef GADGET_DAEMON_H
#define GADGET_DAEMON_H

#include "configfs/gadget.h"
#include "gadget/serve.h"

struct daemon_options {
	struct gadget_options gadget; /* unused if there are ffs_dirs */
	const char *udc;	      /* controller; NULL: the only one, or the first free one */
	struct admission *admission;  /* who may open sessions, and what they run */
	/* Mounted FunctionFS instances that another program puts into a gadget. If there are any,
	 * configfs is not touched. */
	const char *ffs_dirs[SERVE_LANES_MAX];
	unsigned int ffs_dir_count;
};

/* Runs until SIGTERM, SIGINT or SIGHUP, and then removes what it made. Returns 0 after a clean end,
 * or a negative errno, logged. It also returns in each worker that it forks, with the status that
 * this process must exit with. */
int daemon_run(const struct daemon_options *options);

#endif
