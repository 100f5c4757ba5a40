/* SPDX-License-Identifier: Apache-2.0 */
/* The main loop of bpfd-run. */
#include "host-usb/run/supervisor.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/signal_fd.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/wait.h"
#include "host-usb/run/objects/mirror.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/tool_ring.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"
#include "host-usb/run/status.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREDIT_MS 3    /* how often we look whether the tool has read a full ring */
#define GRACE_MS  3000 /* for the tool to end after SIGTERM, for a board to answer before it */
#define TALK_MS	  5000 /* for a board that goes on sending when the tool is asked to end */
#define AGAIN_MS  100  /* how often what SIGKILL has missed gets it */
#define OTHERS	  256  /* descriptors of held polls that we wait for */

enum { LISTENER, LINK, CLOSED, SIGNALS, OWN_COUNT };

struct loop {
	struct run *run;
	int status;	    /* how the tool has ended */
	bool lost;	    /* the link is */
	bool alone;	    /* none of the tool's processes is left */
	uint64_t credit_ms; /* when to look whether the tool has read a ring that is full */
	uint64_t mirror_ms; /* when mirrors were last brought up to date */
	uint64_t kill_ms;   /* when the tool's processes get SIGKILL */
};

static void on_data(void *arg, uint32_t handle, uint64_t position, const void *data, size_t size)
{
	struct run *run = arg;
	struct object *object = object_of_handle(run->objects, handle);

	if (object) /* else the tool has closed it meanwhile */
		tool_ring_receive(object, position, data, size);
}

int supervisor_signals(void)
{
	/* SIGIO comes from leases, see objects.c; all but that and SIGCHLD are passed on. */
	static const int list[] = {
		SIGCHLD, SIGIO, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT, 0};

	/* What the tool's processes leave behind stays below us, where it can be ended. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	return signal_fd_open(list);
}

/* A key of the terminal has reached the tool as well. Of what a process sends nobody can tell
 * whether it was for our process group: twice is better than never. */
static bool has_tool_got(const struct run *run, const struct signalfd_siginfo *signal)
{
	if (run->own_group)
		return false;
	if (signal->ssi_signo != SIGINT && signal->ssi_signo != SIGQUIT)
		return false;
	return signal->ssi_code == SI_KERNEL;
}

/* Not one that the tool ignores, as under nohup: it goes on then, and needs the board. */
static bool asks_for_end(const struct run *run, int number)
{
	return number != SIGUSR1 && number != SIGUSR2 && !process_ignores(run->tool, number);
}

/* Returns whether one of them asks for the end. */
static bool pass_signals(struct run *run)
{
	struct signalfd_siginfo signal;
	bool ends = false;

	while (signal_fd_read(run->signal_fd, &signal)) {
		int number = (int)signal.ssi_signo;

		run->child_news |= number == SIGCHLD;
		if (number == SIGCHLD || number == SIGIO || run->ended)
			continue;
		ends |= asks_for_end(run, number);
		if (!has_tool_got(run, &signal))
			kill(run->own_group ? -run->tool : run->tool, number);
	}
	run->ending |= ends;
	return ends;
}

static void take_signals(struct loop *loop)
{
	struct run *run = loop->run;
	int status;
	pid_t pid;

	pass_signals(run);
	if (!run->child_news)
		return;
	run->child_news = false;
	/* Also those that have lost their parent, and the way to the board. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != run->tool)
			continue;
		run->ended = true;
		loop->status = status;
	}
}

/* While we wait for the board, the end of the tool makes the answer worthless, and a board that is
 * silent must not keep a tool that was asked to end. Nor must one that sends without end keep a
 * tool that is asked meanwhile; what a tool asks for after a signal, as the symbols for what it
 * prints last, has its time. */
static bool on_abort(void *arg, uint64_t silent_ms, uint64_t start_ms)
{
	siginfo_t info = {.si_pid = 0};
	struct run *run = arg;

	if (run->tool <= 0)
		return false;
	if (pass_signals(run) && run->asked_ms < start_ms)
		run->asked_ms = clock_monotonic_ms();
	if (run->ending && silent_ms > GRACE_MS)
		return true;
	if (run->ending && run->asked_ms >= start_ms &&
		clock_monotonic_ms() - run->asked_ms > TALK_MS)
		return true;
	return waitid(P_PID, (id_t)run->tool, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid != 0;
}

struct client_events supervisor_events(struct run *run)
{
	return (struct client_events){.data = on_data, .abort = on_abort, .arg = run};
}

/* Without the board the tool waits for ever. */
static void lose_link(struct loop *loop)
{
	if (loop->lost || loop->run->ended)
		return;
	loop->lost = true;
	log_error("the link to the board is lost; ending the tool");
	processes_kill(SIGTERM);
	loop->kill_ms = clock_monotonic_ms() + GRACE_MS;
}

/* When a part is due; UINT64_MAX: never. */
static uint64_t deadline(const struct loop *loop)
{
	const struct run *run = loop->run;
	const uint64_t due[] = {
		run->child_news ? 0 : UINT64_MAX, /* it came while we waited for the board */
		waits_deadline(run),
		objects_deadline(run->objects),
		loop->credit_ms,
		mirrors_exist(run) && !client_dead(run->client) ? loop->mirror_ms + MIRROR_MS
								: UINT64_MAX,
		loop->kill_ms,
	};
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]); i++)
		if (due[i] < first)
			first = due[i];
	return first;
}

/* Milliseconds until then, as poll(2) takes them. */
static int timeout_ms(uint64_t due)
{
	uint64_t now = clock_monotonic_ms();

	if (due <= now)
		return 0;
	return due - now > INT_MAX ? -1 : (int)(due - now);
}

/* Takes what the board has sent: also what came after the last reply, which needs no new bytes. */
static void take_data(struct loop *loop, bool readable)
{
	struct client *client = loop->run->client;

	if (!client_dead(client) && (readable || client_pending(client)))
		client_receive(client);
	if (client_dead(client))
		lose_link(loop);
}

static void look_after(struct loop *loop)
{
	struct run *run = loop->run;

	loop->credit_ms = UINT64_MAX;
	if (!client_dead(run->client)) {
		if (tool_rings_credit(run->objects))
			loop->credit_ms = clock_monotonic_ms() + CREDIT_MS;
		if (clock_monotonic_ms() - loop->mirror_ms >= MIRROR_MS) {
			mirrors_sync(run);
			/* Counted from its end: on a slow link it takes longer than MIRROR_MS. */
			loop->mirror_ms = clock_monotonic_ms();
		}
	}
	waits_answer(run);
	if (clock_monotonic_ms() >= loop->kill_ms) {
		processes_kill(SIGKILL);
		loop->kill_ms = clock_monotonic_ms() + AGAIN_MS;
	}
}

static void serve_call(struct run *run)
{
	struct seccomp_notif *request;

	if (notify_receive(run, &request))
		return;
	/* What the tool has closed before this call ends before the call is handled. */
	objects_reap(run->objects);
	notify_handle(run, request);
}

/* At a normal end, what the tool leaves in the background goes on; without the board it cannot. */
static bool is_over(const struct loop *loop)
{
	return loop->run->ended && (!loop->lost || loop->alone);
}

/* Waits for an event or a deadline, and handles all that is due. Returns 0 or a negative errno. */
static int turn(struct loop *loop)
{
	struct run *run = loop->run;
	struct pollfd polled[OWN_COUNT + OTHERS] = {
		[LISTENER] = {.fd = run->listener, .events = POLLIN},
		[LINK] = {.fd = loop->lost ? -1 : client_fd(run->client), .events = POLLIN},
		[CLOSED] = {.fd = objects_fd(run->objects), .events = POLLIN},
		[SIGNALS] = {.fd = run->signal_fd, .events = POLLIN},
	};
	size_t count = OWN_COUNT + waits_poll(run, polled + OWN_COUNT, OTHERS);

	if (poll(polled, count, timeout_ms(deadline(loop))) < 0 && errno != EINTR)
		return -errno;
	if (polled[LISTENER].revents & POLLIN)
		serve_call(run);
	loop->alone = polled[LISTENER].revents & POLLHUP;
	if (polled[CLOSED].revents || objects_deadline(run->objects) <= clock_monotonic_ms())
		objects_reap(run->objects);
	if (polled[SIGNALS].revents || run->child_news)
		take_signals(loop);
	if (is_over(loop))
		return 0;
	take_data(loop, polled[LINK].revents);
	look_after(loop);
	return 0;
}

int supervisor_run(struct run *run)
{
	struct loop loop = {.run = run, .credit_ms = UINT64_MAX, .kill_ms = UINT64_MAX};
	int err;

	notify_tune(run);
	run->child_news = true; /* of the time before we have asked for it */
	while (!is_over(&loop)) {
		err = turn(&loop);
		if (err) {
			log_error("poll: %s", strerror(-err));
			processes_kill(SIGKILL);
			return -STATUS_FAILED;
		}
	}
	objects_reap(run->objects); /* what a shell has written last */
	return loop.lost ? -STATUS_FAILED : loop.status;
}
