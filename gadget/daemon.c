/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's life: set-up, one loop over all lanes, clean-up. */
#include "gadget/daemon.h"

#include "configfs/udc.h"
#include "core/log.h"
#include "gadget/clock.h"
#include "gadget/lane.h"
#include "gadget/notify.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define UDC_RETRY_MS 1000 /* how often a controller that is not there yet is looked for */
#define SHUTDOWN_MS  300  /* how long sessions get to hear that the daemon ends */

struct daemon {
	const struct daemon_options *options;
	struct gadget *gadget; /* NULL with ffs_dirs */
	struct children *children;
	struct lane *lanes[DAEMON_LANES_MAX];
	unsigned int lane_count;
	int signals;
	bool addresses_checked; /* since the gadget was bound */
	bool waiting;		/* for a controller; said so */
	uint64_t bind_ms;	/* when to try to bind again, UINT64_MAX: not */
	bool ending;
};

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void take_signals(struct daemon *d)
{
	struct signalfd_siginfo info;

	while (read(d->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGCHLD) {
			log_info("%s: ending", strsignal((int)info.ssi_signo));
			d->ending = true;
		}
	}
}

static void close_last_lane(struct daemon *d)
{
	lane_close(d->lanes[--d->lane_count]);
}

static const char *lane_dir(const struct daemon *d, unsigned int i)
{
	return d->gadget ? gadget_ffs_path(d->gadget, i) : d->options->ffs_dirs[i];
}

static int open_lanes(struct daemon *d)
{
	unsigned int count = d->gadget ? d->options->gadget.lanes : d->options->ffs_dir_count;
	int err;

	while (d->lane_count < count) {
		err = lane_open(lane_dir(d, d->lane_count), d->lane_count, d->children,
			&d->lanes[d->lane_count]);
		if (err < 0)
			return err;
		d->lane_count++;
	}
	return 0;
}

/* Takes the last lane out of the unbound gadget. */
static int drop_lane(struct daemon *d, const char *why)
{
	log_warning("%s: going on with %u lanes", why, d->lane_count - 1);
	close_last_lane(d);
	return gadget_drop_last_lane(d->gadget);
}

/* Binds, with fewer lanes if the controller has not endpoints for all. -ENODEV: no controller. */
static int bind_gadget(struct daemon *d)
{
	int err;

	d->addresses_checked = false;
	for (;;) {
		err = gadget_bind(d->gadget, d->options->udc);
		if (err != -ENOSPC || d->lane_count == 1)
			return err;
		err = drop_lane(d, "the controller has too few endpoints");
		if (err < 0)
			return err;
	}
}

/* A controller that is not there may come: a module is loaded late, a role is switched. */
static int try_bind(struct daemon *d, uint64_t now_ms)
{
	int err = bind_gadget(d);

	d->bind_ms = UINT64_MAX;
	if (err == -ENODEV) {
		if (!d->waiting) {
			log_info("waiting for a USB device controller%s%s",
				d->options->udc ? ": " : "",
				d->options->udc ? d->options->udc : "");
			notify("STATUS=Waiting for a USB device controller");
		}
		d->waiting = true;
		d->bind_ms = now_ms + UDC_RETRY_MS;
		return 0;
	}
	if (err == 0) {
		d->waiting = false;
		log_info("%s: bound to %s, %u lanes", d->options->gadget.name,
			gadget_udc(d->gadget), d->lane_count);
		notify("STATUS=Serving");
	}
	return err;
}

static bool all_lanes_enabled(const struct daemon *d)
{
	for (unsigned int i = 0; i < d->lane_count; i++) {
		if (!lane_enabled(d->lanes[i]))
			return false;
	}
	return true;
}

/* Some controllers give one address to two endpoints when they run out: data would cross lanes. */
static bool addresses_distinct(struct daemon *d)
{
	uint8_t seen[2 * DAEMON_LANES_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < d->lane_count; i++, n += 2) {
		if (lane_addresses(d->lanes[i], &seen[n], &seen[n + 1]) < 0)
			return true; /* disabled meanwhile: looked at again after the next ENABLE */
	}
	d->addresses_checked = true;
	for (unsigned int i = 0; i < n; i++) {
		if (memchr(seen, seen[i], i))
			return false;
	}
	return true;
}

static int check_addresses(struct daemon *d, uint64_t now_ms)
{
	int err;

	if (d->addresses_checked || !all_lanes_enabled(d) || addresses_distinct(d))
		return 0;
	if (!d->gadget || d->lane_count == 1) {
		log_error("the controller gave one address to two endpoints");
		return -ENOSPC;
	}
	err = gadget_unbind(d->gadget);
	if (err == 0)
		err = drop_lane(d, "the controller gave one address to two endpoints");
	return err < 0 ? err : try_bind(d, now_ms);
}

/* The controller vanished (a driver was unbound, a role switched) and may come back. An unbinding
 * by hand, with the controller still there, is the administrator's will and stays. */
static void watch_controller(struct daemon *d, uint64_t now_ms)
{
	if (!d->gadget || d->bind_ms != UINT64_MAX || lane_bound(d->lanes[0]))
		return;
	if (!udc_exists(d->options->gadget.sysfs, gadget_udc(d->gadget)))
		d->bind_ms = now_ms + UDC_RETRY_MS;
}

static uint64_t next_deadline(const struct daemon *d)
{
	uint64_t next = children_deadline(d->children), lane;

	if (d->bind_ms < next)
		next = d->bind_ms;
	for (unsigned int i = 0; i < d->lane_count; i++) {
		lane = lane_deadline(d->lanes[i]);
		if (lane < next)
			next = lane;
	}
	return next;
}

static int timeout_until(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_ms();

	if (deadline_ms == UINT64_MAX)
		return -1;
	if (deadline_ms <= now_ms)
		return 0;
	return deadline_ms - now_ms > 60000 ? 60000 : (int)(deadline_ms - now_ms);
}

/* Waits until something can be done or the deadline, and does it. */
static int daemon_step(struct daemon *d, uint64_t deadline_ms)
{
	struct pollfd fds[1 + DAEMON_LANES_MAX * LANE_POLLFDS];
	unsigned int lanes = d->lane_count;
	uint64_t now_ms;
	int err;

	fds[0] = (struct pollfd){.fd = d->signals, .events = POLLIN};
	for (unsigned int i = 0; i < lanes; i++)
		lane_poll(d->lanes[i], &fds[1 + i * LANE_POLLFDS]);
	if (poll(fds, 1 + lanes * LANE_POLLFDS, timeout_until(deadline_ms)) < 0 && errno != EINTR)
		return -errno;
	if (fds[0].revents)
		take_signals(d);
	now_ms = clock_ms();
	children_tick(d->children, now_ms);
	for (unsigned int i = 0; i < lanes; i++) {
		err = lane_process(d->lanes[i], &fds[1 + i * LANE_POLLFDS], now_ms);
		if (err < 0)
			return err;
	}
	return 0;
}

static int daemon_loop(struct daemon *d)
{
	uint64_t now_ms;
	int err = 0;

	while (err == 0 && !d->ending) {
		err = daemon_step(d, next_deadline(d));
		if (err < 0)
			break;
		now_ms = clock_ms();
		err = check_addresses(d, now_ms);
		watch_controller(d, now_ms);
		if (err == 0 && now_ms >= d->bind_ms)
			err = try_bind(d, now_ms);
	}
	return err;
}

/* Tells the hosts of open sessions, for as long as that takes but not longer. */
static void daemon_shutdown(struct daemon *d)
{
	uint64_t deadline_ms = clock_ms() + SHUTDOWN_MS;
	bool busy = d->lane_count > 0;

	for (unsigned int i = 0; i < d->lane_count; i++)
		lane_shutdown(d->lanes[i]);
	while (busy && clock_ms() < deadline_ms && daemon_step(d, deadline_ms) == 0) {
		busy = false;
		for (unsigned int i = 0; i < d->lane_count; i++)
			busy = busy || lane_busy(d->lanes[i]);
	}
}

static int daemon_start(struct daemon *d)
{
	int err;

	d->signals = open_signals();
	if (d->signals < 0)
		return d->signals;
	d->children = children_new(d->options->command);
	if (!d->children)
		return -ENOMEM;
	if (d->options->ffs_dir_count == 0) {
		err = gadget_create(&d->options->gadget, &d->gadget);
		if (err < 0)
			return err;
	}
	err = open_lanes(d);
	if (err == 0 && d->gadget)
		err = try_bind(d, clock_ms());
	return err;
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon d = {.options = options, .signals = -1, .bind_ms = UINT64_MAX};
	int err = daemon_start(&d);

	if (err == 0) {
		notify("READY=1");
		err = daemon_loop(&d);
	}
	notify("STOPPING=1");
	if (err < 0)
		log_error("ending: %s", strerror(-err));
	daemon_shutdown(&d);
	if (d.gadget)
		gadget_unbind(d.gadget);
	while (d.lane_count > 0)
		close_last_lane(&d);
	if (d.gadget)
		gadget_destroy(d.gadget);
	children_free(d.children);
	if (d.signals >= 0)
		close(d.signals);
	return err;
}
