/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's decisions: controllers that come late, too few endpoints, workers that end. Gadget,
 * worker and clock are the test's. */
#include "core/base/log.h"
#include "gadget/daemon.h"
#include "gadget/ep0.h"
#include "gadget/privileges.h"
#include "gadget/service_manager.h"
#include "gadget/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/log_capture.h"

#define STEPS 10

/* What happens, and what the daemon has done. Times are seconds since its start. */
static struct {
	uint64_t now_ms;
	unsigned int waits; /* of the daemon */
	void (*at_wait[STEPS])(void);
	int create, start;	   /* results; of the next start only */
	int bind[STEPS], binds;	   /* results in turn */
	bool is_lost, was_unbound; /* the controller; the gadget, as the worker reports */
	int status;		   /* of the worker; -1: it runs */
	int starts, stops, unbinds, drops, destroys;
	uint64_t bound_ms, started_ms; /* the last time */
	char states[512];	       /* for the service manager */
} world;

static char gadget; /* its address serves as the gadget */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	*t = (struct timespec){
		(time_t)(world.now_ms / 1000), (long)(world.now_ms % 1000) * 1000000};
	return 0;
}

/* The daemon waits on two descriptors. The step that is due happens at the end of the wait. */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	if (count != 2)
		return (int)syscall(SYS_poll, fds, count, timeout);
	world.now_ms += timeout > 0 ? (uint64_t)timeout : 0;
	assert_true(world.waits < STEPS);
	if (world.at_wait[world.waits])
		world.at_wait[world.waits]();
	else if (timeout < 0)
		raise(SIGTERM); /* nothing more happens */
	world.waits++;
	return 0;
}

int gadget_create(const struct gadget_options *options, struct gadget **result)
{
	if (!world.create)
		*result = (struct gadget *)&gadget;
	return world.create;
}

int gadget_bind(struct gadget *g, const char *udc)
{
	assert_true(world.binds < STEPS);
	world.bound_ms = world.now_ms;
	return world.bind[world.binds++];
}

int gadget_unbind(struct gadget *g)
{
	world.unbinds++;
	return 0;
}

int gadget_drop_last_lane(struct gadget *g)
{
	world.drops++;
	return 0;
}

int gadget_destroy(struct gadget *g)
{
	world.destroys++;
	return 0;
}

void gadget_forget(struct gadget *g)
{
}

bool gadget_lost_controller(const struct gadget *g)
{
	return world.is_lost;
}

const char *gadget_udc(const struct gadget *g)
{
	return "u0";
}

const char *gadget_name(const struct gadget *g)
{
	return "bpfd";
}

const char *gadget_ffs_path(const struct gadget *g, unsigned int lane)
{
	return "lane";
}

int ep0_open(const char *dir)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int worker_start(struct worker *w, int *unbound_fd)
{
	int err = world.start;

	world.start = 0;
	world.started_ms = w->started_ms = world.now_ms;
	world.starts++;
	if (!err)
		w->pid = 1;
	return err;
}

bool worker_ended(struct worker *w, int *status)
{
	if (w->pid == 0 || world.status < 0)
		return false;
	*status = world.status;
	world.status = -1;
	w->pid = 0;
	return true;
}

bool worker_unbound(struct worker *w)
{
	bool was = world.was_unbound;

	world.was_unbound = false;
	return was;
}

void worker_stop(struct worker *w)
{
	world.stops += w->pid > 0;
	w->pid = 0;
}

int serve_run(const struct serve_options *options)
{
	return 0;
}

void privileges_drop(void)
{
}

void service_manager_notify(const char *state)
{
	size_t n = strlen(world.states);

	snprintf(world.states + n, sizeof(world.states) - n, "%s;", state);
}

static int setup(void **state)
{
	memset(&world, 0, sizeof(world));
	world.now_ms = 1000000;
	world.status = -1;
	return 0;
}

static uint64_t seconds(uint64_t ms)
{
	return (ms - 1000000) / 1000;
}

/* Runs the daemon with two lanes. Returns its result; *log has what was logged. */
static int run_daemon(const char *ffs_dir, const char **log)
{
	struct daemon_options options = {.gadget = {.lanes = 2}};
	int err;

	if (ffs_dir) {
		options.ffs_dirs[0] = options.ffs_dirs[1] = ffs_dir;
		options.ffs_dir_count = 2;
	}
	log_begin();
	err = daemon_run(&options);
	*log = log_end();
	assert_int_equal(world.destroys, !ffs_dir && !world.create);
	return err;
}

static void exits(int code)
{
	world.status = code << 8;
}
static void worker_fails(void)
{
	exits(SERVE_FAILED);
}
static void worker_sees_few_addresses(void)
{
	exits(SERVE_FEWER + 1);
}
static void worker_exits(void)
{
	exits(3);
}
static void worker_crashes(void)
{
	world.status = SIGSEGV;
}
static void old_worker_crashes(void)
{
	world.now_ms += 5000;
	world.status = SIGSEGV;
}
static void unbinding(void)
{
	world.was_unbound = true;
}
static void interrupt(void)
{
	raise(SIGINT);
}

static void test_late_controller(void **state)
{
	const char *log, *first;

	world.bind[0] = world.bind[1] = world.bind[2] = -ENODEV;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.binds, 4);
	assert_int_equal(seconds(world.bound_ms), 3);
	assert_int_equal(world.starts, 1);
	assert_int_equal(world.stops, 1);
	first = strstr(log, "waiting for a USB device controller");
	assert_non_null(first);
	assert_null(strstr(first + 1, "waiting for a USB device controller"));
	assert_non_null(strstr(log, "gadget bpfd: bound to u0, 2 lanes"));
	assert_non_null(strstr(log, "Terminated: ending"));
	assert_string_equal(world.states, "STATUS=Waiting for a USB device controller;READY=1;"
					  "STATUS=Serving;STOPPING=1;");
}

static void test_other_function(void **state)
{
	const char *log;

	world.bind[0] = world.bind[1] = -EAGAIN;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.binds, 3);
	assert_int_equal(seconds(world.bound_ms), 2);
	assert_non_null(strstr(world.states, "STATUS=Waiting for another function of the gadget"));
}

static void test_few_endpoints(void **state)
{
	const char *log;

	world.bind[0] = -ENOSPC;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.drops, 1);
	assert_non_null(strstr(log, "too few endpoints: going on with 1 lanes"));
	setup(NULL);
	world.bind[0] = world.bind[1] = -ENOSPC;
	assert_int_equal(run_daemon(NULL, &log), -ENOSPC);
	assert_int_equal(world.drops, 1);
	assert_int_equal(world.starts, 0);
	assert_non_null(strstr(log, "ending because of the failure above"));
}

/* The endpoints of a lane have the addresses of another one's. */
static void test_few_addresses(void **state)
{
	const char *log;

	world.at_wait[0] = worker_sees_few_addresses;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.unbinds, 2);
	assert_int_equal(world.drops, 1);
	assert_int_equal(world.binds, 2);
	assert_int_equal(world.starts, 2);
	setup(NULL);
	world.at_wait[0] = worker_sees_few_addresses;
	assert_int_equal(run_daemon("dir", &log), -ENOSPC);
	assert_non_null(strstr(log, "put fewer FunctionFS instances into the gadget"));
	assert_int_equal(world.binds, 0);
}

static void test_worker_ends(void **state)
{
	const char *log;

	world.at_wait[0] = worker_crashes;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.starts, 2);
	assert_int_equal(seconds(world.started_ms), 1);
	assert_int_equal(world.binds, 1);
	assert_non_null(strstr(log, "worker: ended by signal 11 (Segmentation fault)"));
	setup(NULL);
	world.at_wait[0] = old_worker_crashes;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.starts, 2);
	assert_int_equal(seconds(world.started_ms), 5); /* at once */
	setup(NULL);
	world.at_wait[0] = worker_crashes; /* before it could report an unbinding */
	world.is_lost = true;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.binds, 2);
	setup(NULL);
	world.at_wait[0] = worker_exits;
	assert_int_equal(run_daemon("dir", &log), 0);
	assert_int_equal(world.starts, 2);
	assert_non_null(strstr(log, "worker: ended with status 3; another one takes over"));
	setup(NULL);
	world.at_wait[0] = worker_fails;
	assert_int_equal(run_daemon(NULL, &log), -EIO);
	assert_int_equal(world.starts, 1);
}

static void test_worker_does_not_start(void **state)
{
	const char *log;

	world.start = -EAGAIN;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.starts, 2);
	assert_int_equal(seconds(world.started_ms), 1);
	assert_non_null(strstr(log, "worker: cannot be started: Resource temporarily unavailable"));
}

static void test_unbinding(void **state)
{
	const char *log;

	world.at_wait[0] = unbinding; /* by its owner */
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.binds, 1);
	setup(NULL);
	world.at_wait[0] = unbinding;
	world.is_lost = true;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_int_equal(world.binds, 2);
	assert_int_equal(seconds(world.bound_ms), 1);
	assert_int_equal(world.starts, 1);
}

static void test_ends(void **state)
{
	const char *log;

	world.at_wait[0] = interrupt;
	assert_int_equal(run_daemon(NULL, &log), 0);
	assert_non_null(strstr(log, "Interrupt: ending"));
	setup(NULL);
	world.create = -EACCES;
	assert_int_equal(run_daemon(NULL, &log), -EACCES);
	assert_int_equal(world.starts, 0);
	assert_string_equal(world.states, "STOPPING=1;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_late_controller, setup),
		cmocka_unit_test_setup(test_other_function, setup),
		cmocka_unit_test_setup(test_few_endpoints, setup),
		cmocka_unit_test_setup(test_few_addresses, setup),
		cmocka_unit_test_setup(test_worker_ends, setup),
		cmocka_unit_test_setup(test_worker_does_not_start, setup),
		cmocka_unit_test_setup(test_unbinding, setup),
		cmocka_unit_test_setup(test_ends, setup),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
