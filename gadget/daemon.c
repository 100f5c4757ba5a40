/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: sets up the gadget, watches the worker and the controller, cleans up.
 *
 * This process keeps every ep0 open. Only the worker handles what hosts send. */
#include "gadget/daemon.h"

#include "configfs/udc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/resident.h"
#include "core/base/signal_fd.h"
#include "gadget/ep0.h"
#include "gadget/privileges.h"
#include "gadget/service_manager.h"
#include "gadget/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UDC_RETRY_MS	1000 /* how often to look for a missing controller */
#define WORKER_LIFE_MS	5000 /* a worker that dies sooner is replaced after WORKER_RETRY_MS */
#define WORKER_RETRY_MS 1000

struct daemon {
	const struct daemon_options *options;
	struct gadget *gadget; /* NULL with ffs_dirs */
	struct lane_source lanes[SERVE_LANES_MAX];
	unsigned int lane_count;
	struct worker worker;
	int signals;
	bool waiting;	    /* for a controller, and that is logged */
	uint64_t bind_ms;   /* when to try to bind; UINT64_MAX: never */
	uint64_t watch_ms;  /* when to find out why the gadget was unbound; UINT64_MAX: never */
	uint64_t worker_ms; /* when to start a worker; UINT64_MAX: never */
	bool in_worker;	    /* this process is the worker */
	bool ending;
};

static void close_last_lane(struct daemon *d)
{
	close(d->lanes[--d->lane_count].ep0);
}

static int open_lanes(struct daemon *d)
{
	unsigned int count = d->gadget ? d->options->gadget.lanes : d->options->ffs_dir_count;
	struct lane_source *lane;

	for (; d->lane_count < count; d->lane_count++) {
		lane = &d->lanes[d->lane_count];
		lane->dir = d->gadget ? gadget_ffs_path(d->gadget, d->lane_count)
				      : d->options->ffs_dirs[d->lane_count];
		lane->ep0 = ep0_open(lane->dir);
		if (lane->ep0 < 0)
			return lane->ep0;
	}
	return 0;
}

/* Removes lanes from the unbound gadget until `count` are left. The worker is stopped, because it
 * has the files of all lanes open; another one takes over once the gadget is bound. */
static int drop_lanes(struct daemon *d, unsigned int count, const char *why)
{
	int err = 0;

	log_warning("%s: going on with %u lanes", why, count);
	worker_stop(&d->worker);
	while (err == 0 && d->lane_count > count) {
		close_last_lane(d);
		err = gadget_drop_last_lane(d->gadget);
	}
	return err;
}

/* Binds the gadget, with fewer lanes if the controller has too few endpoints. Returns 0, or a
 * negative errno, logged, except -ENODEV: there is no controller. */
static int bind_gadget(struct daemon *d)
{
	int err;

	for (;;) {
		err = gadget_bind(d->gadget, d->options->udc);
		if (err != -ENOSPC || d->lane_count == 1)
			return err;
		err = drop_lanes(d, d->lane_count - 1, "the controller has too few endpoints");
		if (err < 0)
			return err;
	}
}

/* Binds, or tries again later: a module may be loaded late, or a role switched. */
static int try_bind(struct daemon *d, uint64_t now_ms)
{
	int err = bind_gadget(d);

	d->bind_ms = UINT64_MAX;
	if (err == -ENODEV) {
		if (!d->waiting) {
			log_info("waiting for a USB device controller%s%s",
				d->options->udc ? ": " : "",
				d->options->udc ? d->options->udc : "");
			service_manager_notify("STATUS=Waiting for a USB device controller");
		}
		d->waiting = true;
		d->bind_ms = now_ms + UDC_RETRY_MS;
		return 0;
	}
	if (err == -EAGAIN) {
		service_manager_notify("STATUS=Waiting for another function of the gadget");
		d->bind_ms = now_ms + UDC_RETRY_MS;
		return 0;
	}
	if (err == 0) {
		d->waiting = false;
		log_info("gadget %s: bound to %s, %u lanes", gadget_name(d->gadget),
			gadget_udc(d->gadget), d->lane_count);
		service_manager_notify("STATUS=Serving");
		if (d->worker.pid == 0)
			d->worker_ms = now_ms;
	}
	return err;
}

/* Binds again if the controller vanished: a driver was unbound or a role switched, so it may come
 * back, or has done so. If an administrator has unbound the gadget, it stays so. */
static int watch_controller(struct daemon *d, uint64_t now_ms)
{
	d->watch_ms = UINT64_MAX;
	if (d->bind_ms == UINT64_MAX && gadget_lost_controller(d->gadget))
		return try_bind(d, now_ms);
	return 0;
}

/* Has the controller looked at later: the kernel reports the unbinding before it removes the
 * controller. */
static void watch_later(struct daemon *d, uint64_t now_ms)
{
	if (d->gadget)
		d->watch_ms = now_ms + UDC_RETRY_MS;
}

/* Forks a worker. Returns 0 in the parent, also if that failed and is due again later. In the
 * worker, sets in_worker, serves, and returns the exit status. */
static int start_worker(struct daemon *d)
{
	struct serve_options serve = {
		.lanes = d->lanes, .count = d->lane_count, .admission = d->options->admission};
	int err = worker_start(&d->worker, &serve.unbound);

	d->worker_ms = UINT64_MAX;
	if (err < 0) {
		log_error("worker: cannot be started: %s; trying again", strerror(-err));
		d->worker_ms = clock_boottime_ms() + WORKER_RETRY_MS;
	}
	if (err <= 0)
		return 0;
	d->in_worker = true;
	close(d->signals);
	d->signals = -1;
	err = serve_run(&serve);
	close(serve.unbound);
	return err;
}

/* Goes on with the first `count` lanes: endpoints of the others have the same addresses. */
static int keep_lanes(struct daemon *d, unsigned int count, uint64_t now_ms)
{
	static const char why[] = "the controller gave one address to two endpoints";
	int err;

	if (!d->gadget) {
		log_error("%s; put fewer FunctionFS instances into the gadget", why);
		return -ENOSPC;
	}
	err = gadget_unbind(d->gadget);
	if (err == 0)
		err = drop_lanes(d, count, why);
	return err < 0 ? err : try_bind(d, now_ms);
}

/* Has another worker take over, unless the last one gave up, which it logged. */
static int replace_worker(struct daemon *d, int status, uint64_t now_ms)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == SERVE_FAILED)
		return -EIO;
	if (WIFEXITED(status) && WEXITSTATUS(status) > SERVE_FEWER)
		return keep_lanes(d, (unsigned int)(WEXITSTATUS(status) - SERVE_FEWER), now_ms);
	if (WIFSIGNALED(status))
		log_error("worker: ended by signal %d (%s); another one takes over",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_warning("worker: ended with status %d; another one takes over",
			WEXITSTATUS(status));
	d->worker_ms = now_ms;
	if (now_ms - d->worker.started_ms < WORKER_LIFE_MS)
		d->worker_ms += WORKER_RETRY_MS;
	watch_later(d, now_ms); /* the worker died before it could report an unbinding */
	return 0;
}

static void take_signals(struct daemon *d)
{
	int number;

	while ((number = signal_fd_next(d->signals)) > 0) {
		if (number == SIGCHLD)
			continue;
		log_info("%s: ending", strsignal(number));
		d->ending = true;
	}
}

static uint64_t next_deadline(const struct daemon *d)
{
	uint64_t next = d->bind_ms < d->worker_ms ? d->bind_ms : d->worker_ms;

	return next < d->watch_ms ? next : d->watch_ms;
}

static int daemon_wait(struct daemon *d)
{
	struct pollfd fds[] = {
		{.fd = d->signals, .events = POLLIN},
		{.fd = d->worker.unbound, .events = POLLIN},
	};
	uint64_t now_ms;
	int status;

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), clock_boottime_timeout(next_deadline(d))) < 0 &&
		errno != EINTR) {
		status = -errno;
		log_error("poll: %s", strerror(-status));
		return status;
	}
	take_signals(d);
	now_ms = clock_boottime_ms();
	if (worker_unbound(&d->worker))
		watch_later(d, now_ms);
	if (worker_ended(&d->worker, &status) && !d->ending)
		return replace_worker(d, status, now_ms);
	return 0;
}

/* Returns 0 at the end or a negative errno, logged; in the worker the exit status. */
static int daemon_loop(struct daemon *d)
{
	int err = 0;

	while (err == 0 && !d->ending) {
		if (clock_boottime_ms() >= d->bind_ms)
			err = try_bind(d, clock_boottime_ms());
		if (err == 0 && clock_boottime_ms() >= d->watch_ms)
			err = watch_controller(d, clock_boottime_ms());
		if (err == 0 && clock_boottime_ms() >= d->worker_ms)
			err = start_worker(d);
		if (err == 0 && !d->in_worker)
			err = daemon_wait(d);
		if (d->in_worker)
			break;
	}
	return err;
}

static int daemon_start(struct daemon *d)
{
	int err;

	d->signals = signal_fd_open((const int[]){SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0});
	if (d->signals < 0) {
		log_error("signals: %s", strerror(-d->signals));
		return d->signals;
	}
	if (d->options->ffs_dir_count == 0) {
		err = gadget_create(&d->options->gadget, &d->gadget);
		if (err < 0)
			return err;
	}
	err = open_lanes(d);
	if (err == 0 && d->gadget)
		return try_bind(d, clock_boottime_ms());
	d->worker_ms = clock_boottime_ms();
	return err;
}

/* Frees the worker's copy of the daemon's state; the gadget itself belongs to the parent. */
static int leave_worker(struct daemon *d, int status)
{
	while (d->lane_count > 0)
		close_last_lane(d);
	if (d->gadget)
		gadget_forget(d->gadget);
	return status;
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon d = {.options = options,
		.worker = {.unbound = -1},
		.signals = -1,
		.bind_ms = UINT64_MAX,
		.watch_ms = UINT64_MAX,
		.worker_ms = UINT64_MAX};
	int err = daemon_start(&d);

	if (err == 0) {
		privileges_drop();
		service_manager_notify("READY=1");
		resident_trim();
		err = daemon_loop(&d);
		if (d.in_worker)
			return leave_worker(&d, err);
	}
	service_manager_notify("STOPPING=1");
	if (err < 0)
		log_info("ending because of the failure above");
	worker_stop(&d.worker);
	if (d.gadget)
		gadget_unbind(d.gadget);
	while (d.lane_count > 0)
		close_last_lane(&d);
	if (d.gadget)
		gadget_destroy(d.gadget);
	if (d.signals >= 0)
		close(d.signals);
	return err;
}
