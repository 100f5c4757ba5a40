/* SPDX-License-Identifier: Apache-2.0 */
/* A lane: a FunctionFS instance, its session, and the process of that session. */
#ifndef GADGET_LANE_H
#define GADGET_LANE_H

#include "gadget/admission.h"
#include "gadget/child.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define LANE_POLLFDS 5

struct lane;

/* A mounted FunctionFS instance and its ep0 of ep0_open(), which must outlive the lane. */
struct lane_source {
	const char *dir;
	int ep0;
};

/* Starts to serve a FunctionFS instance. `index` is the lane's number in the log. `children` starts
 * the processes of its sessions, and `admission` decides who may open one; both must outlive the
 * lane. Returns 0 and *lane, to be closed by the caller, or a negative errno, logged. */
int lane_open(const struct lane_source *source, unsigned int index, struct children *children,
	struct admission *admission, struct lane **lane);

/* Ends an open session without a RESET to the host, closes the endpoints and frees the lane. NULL
 * is allowed. */
void lane_close(struct lane *lane);

/* Fills in LANE_POLLFDS entries for poll(2), unused ones with fd -1. */
void lane_poll(struct lane *lane, struct pollfd *fds);

/* Does everything that does not block. `fds` are the entries of lane_poll() after poll(2). Returns
 * 0, or a negative errno, logged, if the FunctionFS instance is no longer usable. */
int lane_process(struct lane *lane, const struct pollfd *fds, uint64_t now_ms);

/* The time of clock_boottime_ms() at which lane_process() must be called even if no descriptor is
 * ready; UINT64_MAX: none. */
uint64_t lane_deadline(const struct lane *lane);

/* Ends an open session because the daemon ends, with a RESET to the host. Call lane_process() until
 * lane_busy() is false, which means that the RESET is sent, or until the caller's deadline. */
void lane_shutdown(struct lane *lane);
bool lane_busy(const struct lane *lane);

/* False from an UNBIND event of ep0 until the next BIND. */
bool lane_bound(const struct lane *lane);

/* The number of BIND events so far. */
unsigned int lane_bindings(const struct lane *lane);

/* True while the host has the device configured; the endpoint addresses are then known. */
bool lane_enabled(const struct lane *lane);

/* The addresses that the controller gave the endpoints. Returns 0, or a negative errno, not logged,
 * if the lane is not enabled. */
int lane_addresses(const struct lane *lane, uint8_t *out, uint8_t *in);

#endif
