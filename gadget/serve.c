/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's loop over the lanes. */
#include "gadget/serve.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/resident.h"
#include "core/base/signal_fd.h"
#include "core/link/link.h"
#include "gadget/privileges.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SHUTDOWN_MS 300 /* to inform the hosts that the daemon ends */

_Static_assert(SERVE_LANES_MAX <= LANES_MAX, "more lanes than USB has endpoint addresses");

struct serve {
	const struct serve_options *options;
	struct children *children;
	struct lane *lanes[SERVE_LANES_MAX];
	unsigned int lane_count;
	int signals;
	unsigned int bindings;	/* of the first lane, as last seen */
	bool addresses_checked; /* since that binding */
	bool unbinding_announced;
	bool ending;
};

/* Returns true if processes may have ended. One SIGCHLD stands for all processes that ended before
 * it was read; a later one raises it again. */
static bool take_signals(struct serve *s)
{
	bool ended = false;
	int signal;

	while ((signal = signal_fd_next(s->signals)) > 0) {
		s->ending = s->ending || signal == SIGTERM;
		ended = ended || signal == SIGCHLD;
	}
	return ended;
}

static int open_lanes(struct serve *s)
{
	int err;

	for (; s->lane_count < s->options->count; s->lane_count++) {
		err = lane_open(&s->options->lanes[s->lane_count], s->lane_count, s->children,
			s->options->admission, &s->lanes[s->lane_count]);
		if (err < 0)
			return err;
	}
	return 0;
}

static bool all_lanes_enabled(const struct serve *s)
{
	for (unsigned int i = 0; i < s->lane_count; i++) {
		if (!lane_enabled(s->lanes[i]))
			return false;
	}
	return true;
}

/* Some controllers give one address to two endpoints when they run out of endpoints, and data would
 * cross between lanes. Returns the number of lanes before the first lane that shares an address
 * with an earlier lane. */
static unsigned int count_distinct(struct serve *s)
{
	uint8_t seen[2 * SERVE_LANES_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->lane_count; i++, n += 2) {
		if (lane_addresses(s->lanes[i], &seen[n], &seen[n + 1]) < 0)
			return s->lane_count; /* disabled: compare after the next ENABLE */
		if (memchr(seen, seen[n], n) || memchr(seen, seen[n + 1], n))
			return i;
	}
	s->addresses_checked = true;
	return s->lane_count;
}

static unsigned int usable_lanes(struct serve *s)
{
	if (s->bindings != lane_bindings(s->lanes[0]))
		s->addresses_checked = false;
	s->bindings = lane_bindings(s->lanes[0]);
	if (s->addresses_checked || !all_lanes_enabled(s))
		return s->lane_count;
	return count_distinct(s);
}

static void announce_unbinding(struct serve *s)
{
	bool unbound = !lane_bound(s->lanes[0]);

	if (unbound && !s->unbinding_announced && write(s->options->unbound, "u", 1) < 0)
		log_debug("unbinding: cannot be reported to the daemon: %s", strerror(errno));
	s->unbinding_announced = unbound;
}

static uint64_t next_deadline(const struct serve *s)
{
	uint64_t next = children_deadline(s->children), lane;

	for (unsigned int i = 0; i < s->lane_count; i++) {
		lane = lane_deadline(s->lanes[i]);
		if (lane < next)
			next = lane;
	}
	return next;
}

/* Waits until something can be done or the deadline, and does it. Returns 0, or a negative errno,
 * logged. */
static int serve_step(struct serve *s, uint64_t deadline_ms)
{
	struct pollfd fds[1 + SERVE_LANES_MAX * LANE_POLLFDS];
	bool ended = false;
	uint64_t now_ms;
	int err;

	fds[0] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	for (unsigned int i = 0; i < s->lane_count; i++)
		lane_poll(s->lanes[i], &fds[1 + i * LANE_POLLFDS]);
	if (poll(fds, 1 + s->lane_count * LANE_POLLFDS, clock_boottime_timeout(deadline_ms)) < 0 &&
		errno != EINTR) {
		err = -errno;
		log_error("poll: %s", strerror(-err));
		return err;
	}
	if (fds[0].revents)
		ended = take_signals(s);
	now_ms = clock_boottime_ms();
	if (ended || now_ms >= children_deadline(s->children))
		children_tick(s->children, now_ms);
	for (unsigned int i = 0; i < s->lane_count; i++) {
		err = lane_process(s->lanes[i], &fds[1 + i * LANE_POLLFDS], now_ms);
		if (err < 0)
			return err;
	}
	return 0;
}

static int serve_loop(struct serve *s)
{
	unsigned int usable;

	while (!s->ending) {
		if (serve_step(s, next_deadline(s)) < 0)
			return SERVE_FAILED;
		announce_unbinding(s);
		usable = usable_lanes(s);
		if (usable < s->lane_count)
			return SERVE_FEWER + (int)usable;
	}
	return SERVE_ENDED;
}

/* Informs the hosts of open sessions, for at most SHUTDOWN_MS. */
static void serve_shutdown(struct serve *s)
{
	uint64_t deadline_ms = clock_boottime_ms() + SHUTDOWN_MS;
	bool busy = s->lane_count > 0;

	for (unsigned int i = 0; i < s->lane_count; i++)
		lane_shutdown(s->lanes[i]);
	while (busy && clock_boottime_ms() < deadline_ms && serve_step(s, deadline_ms) == 0) {
		busy = false;
		for (unsigned int i = 0; i < s->lane_count; i++)
			busy = busy || lane_busy(s->lanes[i]);
	}
}

int serve_run(const struct serve_options *options)
{
	struct serve s = {.options = options};
	int status = SERVE_FAILED;

	s.signals = signal_fd_open((const int[]){SIGTERM, SIGCHLD, 0});
	s.children = children_new(options->admission->command);
	if (s.signals < 0 || !s.children)
		log_error("worker: %s", strerror(s.signals < 0 ? -s.signals : ENOMEM));
	else if (open_lanes(&s) == 0) {
		privileges_drop_worker();
		resident_trim();
		status = serve_loop(&s);
	}
	serve_shutdown(&s);
	while (s.lane_count > 0)
		lane_close(s.lanes[--s.lane_count]);
	children_free(s.children);
	if (s.signals >= 0)
		close(s.signals);
	return status;
}
