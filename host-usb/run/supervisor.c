/* SPDX-License-Identifier: Apache-2.0 */
/* The main loop of bpfd-run: one poll, one turn for all that is due. */
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

#define CREDIT_MS 3    /* interval of looking whether the tool has read from a full ring */
#define GRACE_MS  3000 /* for the tool to exit after SIGTERM; for a silent board to answer */
#define TALK_MS	  5000 /* for a board that keeps sending after the tool was asked to end */
#define AGAIN_MS  100  /* interval of SIGKILL, for processes that it missed */
#define OTHERS	  256  /* descriptors of held poll(2) calls that one turn can wait for */

enum { LISTENER, LINK, CLOSED, SIGNALS, OWN_COUNT };

struct loop {
	struct run *run;
	int status;	    /* the tool's wait status */
	bool lost;	    /* the link is lost */
	bool alone;	    /* no process of the tool is left */
	uint64_t credit_ms; /* when to look whether the tool has read from a full ring */
	uint64_t mirror_ms; /* when the mirrors were last synchronized */
	uint64_t kill_ms;   /* when to send SIGKILL to the tool's processes */
};

static void on_data(void *arg, uint32_t handle, uint64_t position, const void *data, size_t size)
{
	struct run *run = arg;
	struct object *object = object_of_handle(run->objects, handle);

	if (object) /* otherwise the tool has closed it meanwhile */
		tool_ring_receive(object, position, data, size);
}

int supervisor_signals(void)
{
	/* Leases cause SIGIO, see objects.c. All others but SIGCHLD are passed on to the tool. */
	static const int list[] = {
		SIGCHLD, SIGIO, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT, 0};

	/* Orphans of the tool become our children, so that we can end them. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	return signal_fd_open(list);
}

/* Returns true if the tool has received the signal too. The terminal sends its signals to the whole
 * process group. For a signal from a process we cannot know whether it went to the group: a tool
 * that gets it twice is better than one that never gets it. */
static bool has_tool_got(const struct run *run, const struct signalfd_siginfo *signal)
{
	if (run->own_group)
		return false;
	if (signal->ssi_signo != SIGINT && signal->ssi_signo != SIGQUIT)
		return false;
	return signal->ssi_code == SI_KERNEL;
}

/* A signal that the tool ignores, as under nohup, does not count: the tool continues and needs the
 * board. */
static bool asks_for_end(const struct run *run, int number)
{
	return number != SIGUSR1 && number != SIGUSR2 && !process_ignores(run->tool, number);
}

/* Passes signals on to the tool. Returns true if one of them asks for the end. */
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
	/* This also reaps orphans and the command of --via. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != run->tool)
			continue;
		run->ended = true;
		loop->status = status;
	}
}

/* Decides whether to stop waiting for the board. If the tool has exited, it needs no reply. A
 * tool that was asked to end must not hang on a silent board, nor on a board that never stops
 * sending in an operation that began before the signal. An operation that began after the signal is
 * not limited: tools fetch symbols for their last output. */
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

/* Ends the tool: without the board it would wait forever. */
static void lose_link(struct loop *loop)
{
	if (loop->lost || loop->run->ended)
		return;
	loop->lost = true;
	log_error("the link to the board is lost; ending the tool");
	processes_kill(SIGTERM);
	loop->kill_ms = clock_monotonic_ms() + GRACE_MS;
}

/* Returns when the next part is due; UINT64_MAX if none is. */
static uint64_t deadline(const struct loop *loop)
{
	const struct run *run = loop->run;
	const uint64_t due[] = {
		run->child_news ? 0 : UINT64_MAX, /* it arrived during a wait for the board */
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

/* Converts a deadline to a timeout for poll(2). */
static int timeout_ms(uint64_t due)
{
	uint64_t now = clock_monotonic_ms();

	if (due <= now)
		return 0;
	return due - now > INT_MAX ? -1 : (int)(due - now);
}

/* Handles data from the board. Some may be buffered already: it arrived with the last reply. */
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
			/* From the end, because on a slow link it takes longer than MIRROR_MS. */
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
	/* Objects that the tool closed before this call must end before we handle the call. */
	objects_reap(run->objects);
	notify_handle(run, request);
}

/* After the tool's exit its background processes may continue, unless the link is lost. */
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
	run->child_news = true; /* SIGCHLD may have arrived before it was blocked */
	while (!is_over(&loop)) {
		err = turn(&loop);
		if (err) {
			log_error("poll: %s", strerror(-err));
			processes_kill(SIGKILL);
			return -STATUS_FAILED;
		}
	}
	objects_reap(run->objects); /* a shell's last write takes effect with its close */
	return loop.lost ? -STATUS_FAILED : loop.status;
}
