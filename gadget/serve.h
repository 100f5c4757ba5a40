/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the lanes in the worker: one loop over lanes and processes of sessions. */
#ifndef GADGET_SERVE_H
#define GADGET_SERVE_H

#include "gadget/lane.h"

/* Lanes of a daemon, the limit of --lanes. A choice below LANES_MAX: each lane keeps 128 KiB of
 * contiguous kernel memory in reads, and few controllers have more endpoints (board/udc.md). */
#define SERVE_LANES_MAX 8

/* Exit statuses of the worker. */
enum serve_status {
	SERVE_ENDED = 0,
	SERVE_FAILED = 1, /* the cause is logged */
	/* Plus n: only the first n lanes have endpoint addresses of their own. */
	SERVE_FEWER = 16,
};

struct serve_options {
	const struct lane_source *lanes;
	unsigned int count;
	struct admission *admission; /* who may open sessions, and what they run */
	int unbound;		     /* gets a byte at each unbinding of the gadget */
};

/* Serves until SIGTERM, then informs the hosts of open sessions and ends their processes. Returns
 * the exit status, see above. */
int serve_run(const struct serve_options *options);

#endif
