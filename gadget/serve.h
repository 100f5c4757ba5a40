/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker does: one loop over all lanes and the processes behind their sessions. */
#ifndef GADGET_SERVE_H
#define GADGET_SERVE_H

#include "gadget/lane.h"

#define SERVE_LANES_MAX 8 /* 16 endpoints: more than any controller known to us has */

/* Exit statuses of the worker. */
enum serve_status {
	SERVE_ENDED = 0,
	SERVE_FAILED = 1, /* the cause is logged */
	/* Plus a number of lanes: only so many have endpoint addresses of their own. */
	SERVE_FEWER = 16,
};

struct serve_options {
	const struct lane_source *lanes;
	unsigned int count;
	struct admission *admission; /* who may open sessions, and what they run */
	int unbound;		     /* gets a byte each time the gadget is unbound */
};

/* Serves until SIGTERM; then tells the hosts of open sessions and ends their processes. Returns the
 * exit status. */
int serve_run(const struct serve_options *options);

#endif
