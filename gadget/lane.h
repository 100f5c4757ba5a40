/* SPDX-License-Identifier: Apache-2.0 */
/* A lane: one FunctionFS instance, one session at a time, one process behind it. */
#ifndef GADGET_LANE_H
#define GADGET_LANE_H

#include "gadget/admission.h"
#include "gadget/child.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define LANE_POLLFDS 5

struct lane;

/* What a lane is made of: a mounted FunctionFS instance and its ep0, see ep0_open(). */
struct lane_source {
	const char *dir;
	int ep0;
};

/* Serves a lane, as ffs_open() does. `index` names it in the log, `admission` says who may open
 * sessions. Returns 0 and *lane, or a
 * negative errno, having logged the cause. */
int lane_open(const struct lane_source *source, unsigned int index, struct children *children,
	struct admission *admission, struct lane **lane);

/* Ends the session, if any, without telling the host, and closes the endpoints. */
void lane_close(struct lane *lane);

/* Fills what the lane waits for into LANE_POLLFDS entries, unused ones with fd -1. */
void lane_poll(struct lane *lane, struct pollfd *fds);

/* Does all that can be done without waiting, after poll(2) filled in revents. Returns 0, or a
 * negative errno when the FunctionFS instance cannot be used any more. */
int lane_process(struct lane *lane, const struct pollfd *fds, uint64_t now_ms);

/* When lane_process has to be called next even if nothing happens; UINT64_MAX if never. */
uint64_t lane_deadline(const struct lane *lane);

/* The daemon ends: tells the host of an open session. Call lane_process until lane_busy is false
 * or patience ends. */
void lane_shutdown(struct lane *lane);
bool lane_busy(const struct lane *lane);

/* False once ep0 has told that the gadget was unbound, until it is bound again. */
bool lane_bound(const struct lane *lane);

/* Counts how often ep0 has told that the gadget was bound. */
unsigned int lane_bindings(const struct lane *lane);

/* True once the host has configured the device; then the endpoint addresses are known. */
bool lane_enabled(const struct lane *lane);
int lane_addresses(const struct lane *lane, uint8_t *out, uint8_t *in);

#endif
