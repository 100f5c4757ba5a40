/* SPDX-License-Identifier: Apache-2.0 */
/* The main loop of bpfd-run. */
#include "host-usb/run/supervisor.h"
#include "core/base/clock.h"

#include "core/base/log.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/wait.h"
#include "host-usb/run/objects/mirror.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/tool_ring.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREDIT_MS 3    /* how often we look whether the tool has read a full ring */
#define CLOSED_MS 5    /* how often we look at what seems closed */
#define GRACE_MS  3000 /* for the tool to end after SIGTERM, for a board to answer before it */
#define TALK_MS	  5000 /* for a board that goes on sending when the tool is asked to end */
#define AGAIN_MS  100  /* how often what SIGKILL has missed gets it */
#define OTHERS	  256  /* descriptors of held polls that we wait for */

enum { LISTENER, LINK, CLOSED, SIGNALS, OWN_COUNT };

/* Signals are a property of the process, and so is the descriptor that reads them. */
static int signal_fd = -1;

static const int passed_on[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT};

struct loop {
	struct run *run;
	int status;	   /* how the tool has ended */
	bool lost;	   /* the link is */
	bool alone;	   /* none of the tool's processes is left */
	bool stopped;	   /* the board waits for the tool to read a ring */
	int64_t kill_ms;   /* when the tool's processes get SIGKILL; 0: they do not */
	int64_t mirror_ms; /* when mirrors were last brought up to date */
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
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGIO); /* of leases, see objects.c */
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&set, passed_on[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	/* What the tool's processes leave behind stays below us, where it can be ended. */
	if (signal_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
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

	while (read(signal_fd, &signal, sizeof(signal)) == sizeof(signal)) {
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
	loop->kill_ms = (int64_t)clock_monotonic_ms() + GRACE_MS;
}

static int timeout_ms(const struct loop *loop)
{
	int timeout = waits_timeout(loop->run);
	int64_t left = loop->kill_ms - (int64_t)clock_monotonic_ms();

	if (loop->run->child_news) /* it came while we waited for the board */
		return 0;
	if (loop->stopped && (timeout < 0 || timeout > CREDIT_MS))
		timeout = CREDIT_MS;
	if (mirrors_exist(loop->run) && (timeout < 0 || timeout > MIRROR_MS))
		timeout = MIRROR_MS;
	if (objects_wait(loop->run->objects) && (timeout < 0 || timeout > CLOSED_MS))
		timeout = CLOSED_MS;
	if (loop->kill_ms && (timeout < 0 || timeout > left))
		timeout = left > 0 ? (int)left : 0;
	return timeout;
}

static void look_after(struct loop *loop)
{
	struct run *run = loop->run;
	int64_t now = (int64_t)clock_monotonic_ms();

	if (!client_dead(run->client)) {
		loop->stopped = tool_rings_credit(run->objects);
		if (now - loop->mirror_ms >= MIRROR_MS) {
			mirrors_sync(run);
			loop->mirror_ms = now;
		}
	}
	waits_answer(run);
	if (loop->kill_ms && now >= loop->kill_ms) {
		processes_kill(SIGKILL);
		loop->kill_ms = now + AGAIN_MS;
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

int supervisor_run(struct run *run)
{
	struct loop loop = {.run = run};
	struct pollfd polled[OWN_COUNT + OTHERS];

	notify_tune(run);
	run->child_news = true; /* of the time before we have asked for it */
	polled[LINK].revents = POLLIN;
	/* At a normal end, what the tool leaves in the background goes on. */
	while (!run->ended || (loop.lost && !loop.alone)) {
		size_t others;

		/* Also without new bytes: what came behind the last reply may still be there. */
		if (!client_dead(run->client) &&
			(polled[LINK].revents || client_pending(run->client)))
			client_receive(run->client);
		if (client_dead(run->client))
			lose_link(&loop);
		look_after(&loop);
		others = waits_poll(run, polled + OWN_COUNT, OTHERS);
		polled[LISTENER] = (struct pollfd){.fd = run->listener, .events = POLLIN};
		polled[LINK] = (struct pollfd){
			.fd = loop.lost ? -1 : client_fd(run->client), .events = POLLIN};
		polled[CLOSED] = (struct pollfd){.fd = objects_fd(run->objects), .events = POLLIN};
		polled[SIGNALS] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
		if (poll(polled, OWN_COUNT + others, timeout_ms(&loop)) < 0 && errno != EINTR) {
			log_error("poll: %s", strerror(errno));
			processes_kill(SIGKILL);
			return -125;
		}
		if (polled[LISTENER].revents & POLLIN)
			serve_call(run);
		loop.alone = polled[LISTENER].revents & POLLHUP;
		if (polled[CLOSED].revents || objects_wait(run->objects))
			objects_reap(run->objects);
		if (polled[SIGNALS].revents || run->child_news)
			take_signals(&loop);
	}
	objects_reap(run->objects); /* what a shell has written last */
	if (!loop.lost)
		return loop.status;
	return -125;
}
