/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of faults: of a session, of the daemon, and of the bus. */
#include "tests/campaign/campaign.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS 120000
#define WAIT_MS	 SESSION_MS
#define GADGET	 "/sys/kernel/config/usb_gadget/bpfd"
#define UDC	 "dummy_udc.0"
#define UDC_DIR	 "/sys/class/udc/" UDC
#define DRIVER	 "/sys/bus/usb/drivers/usb"
#define SHORT_MS 400 /* far below each lease */
/* Growth shows late, so in every other block of this many faults no process of the daemon ends. */
#define LONG_LIFE 50

static void hold(struct campaign *c, unsigned int ms)
{
	sessions_run(&c->sessions, ms, NULL, NULL);
	board_read_log(&c->board);
}

/* Until outage_end sessions may be lost, also new ones. */
static void outage_begin(struct campaign *c)
{
	sessions_taint(&c->sessions, TAINT_LOST);
	c->sessions.taint_new = TAINT_LOST;
}

static void outage_end(struct campaign *c)
{
	if (!sessions_run(&c->sessions, READY_MS, board_ready, &c->board)) {
		board_read_log(&c->board);
		violation("board: does not come back: %.*s", (int)c->board.tail_len, c->board.tail);
		campaign_restart(c, c->seed, false);
	}
	sessions_taint(&c->sessions, TAINT_LOST);
	c->sessions.taint_new = 0;
}

static void must(int err, const char *what)
{
	if (err < 0)
		violation("%s: %s", what, strerror(-err));
}

static void send_signal(struct session *s, int signal)
{
	s->taint |= TAINT_KILLED;
	s->signal = signal;
	kill(s->pid, signal);
}

/* ---- faults of a session */
static void bridge_kill(struct campaign *c, const struct plan *plan, struct session *s)
{
	send_signal(s, SIGKILL);
}

static void bridge_signal(struct campaign *c, const struct plan *plan, struct session *s)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	send_signal(s, signals[plan->hold_ms % 3]);
}

static void bridge_stop(struct campaign *c, const struct plan *plan, struct session *s)
{
	pid_t pid = s->pid;

	kill(pid, SIGSTOP);
	hold(c, plan->hold_ms % SHORT_MS);
	kill(pid, SIGCONT);
}

/* Stops bpfd-usb for longer than the lease, so the board ends the session. */
static void bridge_sleep(struct campaign *c, const struct plan *plan, struct session *s)
{
	pid_t pid = s->pid;

	s->taint |= TAINT_LOST;
	kill(pid, SIGSTOP);
	hold(c, s->lease_s * 1000 + plan->hold_ms);
	kill(pid, SIGCONT);
}

static void core_kill(struct campaign *c, const struct plan *plan, struct session *s)
{
	s->taint |= TAINT_CORE;
	kill(session_child(s), SIGKILL);
}

static void core_stop(struct campaign *c, const struct plan *plan, struct session *s)
{
	pid_t pid = session_child(s);

	kill(pid, SIGSTOP);
	hold(c, plan->hold_ms);
	kill(pid, SIGCONT);
}

/* Stops bpfd forever. The daemon must kill it when the host has ended. */
static void core_hang(struct campaign *c, const struct plan *plan, struct session *s)
{
	kill(session_child(s), SIGSTOP);
	hold(c, plan->hold_ms);
	if (s->pid)
		send_signal(s, SIGKILL);
}

static void stdout_close(struct campaign *c, const struct plan *plan, struct session *s)
{
	s->taint |= TAINT_CLOSED | TAINT_KILLED;
	s->signal = SIGPIPE;
	if (s->out >= 0)
		close(s->out);
	s->out = -1;
}

static void stdout_unread(struct campaign *c, const struct plan *plan, struct session *s)
{
	s->out_pause_ms = now_ms() + (plan->hold_ms % 8 ? plan->hold_ms : s->lease_s * 1300);
}

static void stdin_end(struct campaign *c, const struct plan *plan, struct session *s)
{
	/* The input ends here, so the output is complete when this much has come back. */
	if (s->mode == MODE_ECHO && s->sent >= s->script.len) {
		s->in_total = s->sent;
		s->out_total = s->sent - s->script.len;
		s->hold_ms = 0;
	}
}

static void next_mode(struct campaign *c, const struct plan *plan, enum mode mode)
{
	struct session *s = &c->sessions.lanes[plan->lane % c->sessions.count];
	uint64_t end = now_ms() + WAIT_MS;

	c->sessions.want_mode[s->lane] = (int)mode;
	while ((c->sessions.want_mode[s->lane] >= 0 || !s->pid) && now_ms() < end)
		hold(c, 5);
}

static void stdin_flood(struct campaign *c, const struct plan *plan, struct session *s)
{
	next_mode(c, plan, MODE_GARBAGE);
}

static void core_no_memory(struct campaign *c, const struct plan *plan, struct session *s)
{
	next_mode(c, plan, MODE_NOMEM);
}

static void core_no_files(struct campaign *c, const struct plan *plan, struct session *s)
{
	next_mode(c, plan, MODE_NOFD);
}

static void stderr_full(struct campaign *c, const struct plan *plan, struct session *s)
{
	next_mode(c, plan, MODE_NOTES);
}

/* ---- faults of the daemon */
static void worker_kill(struct campaign *c, const struct plan *plan, struct session *s)
{
	pid_t old = board_worker(&c->board);
	uint64_t end = now_ms() + READY_MS;

	outage_begin(c);
	kill(old, SIGKILL);
	do
		hold(c, 20);
	while ((board_worker(&c->board) == old || board_worker(&c->board) == 0) && now_ms() < end);
	if (board_worker(&c->board) == 0)
		violation("worker: killed, and no new one starts");
	outage_end(c);
}

static void worker_stop(struct campaign *c, const struct plan *plan, struct session *s)
{
	pid_t pid = board_worker(&c->board);

	kill(pid, SIGSTOP);
	hold(c, plan->hold_ms % SHORT_MS);
	kill(pid, SIGCONT);
}

static void worker_hang(struct campaign *c, const struct plan *plan, struct session *s)
{
	pid_t pid = board_worker(&c->board);

	outage_begin(c);
	kill(pid, SIGSTOP);
	hold(c, 3000 + plan->hold_ms);
	kill(pid, SIGCONT);
	outage_end(c);
}

static void daemon_stop(struct campaign *c, const struct plan *plan, struct session *s)
{
	kill(c->board.daemon, SIGSTOP);
	hold(c, plan->hold_ms);
	kill(c->board.daemon, SIGCONT);
}

static unsigned int plan_lanes(uint64_t seed, uint64_t number)
{
	return 1 + (unsigned int)(mix(seed, number + 77) % CAMPAIGN_LANES);
}

/* The new daemon takes over the gadget of the killed one. */
void campaign_restart(struct campaign *c, uint64_t number, bool full_disk)
{
	outage_begin(c);
	board_kill(&c->board);
	c->sessions.count = plan_lanes(c->seed, number);
	if (board_start(&c->board, c->sessions.count, full_disk) < 0)
		exit(1); /* every later fault would fail */
	for (unsigned int i = c->sessions.count; i < CAMPAIGN_LANES; i++) {
		struct session *s = &c->sessions.lanes[i];

		/* Its lane no longer exists, so it would wait for another one. */
		if (s->pid)
			send_signal(s, SIGKILL);
	}
	outage_end(c);
}

static void daemon_kill(struct campaign *c, const struct plan *plan, struct session *s)
{
	outage_begin(c);
	board_kill(&c->board);
	hold(c, plan->hold_ms);
	campaign_restart(c, plan->number, false);
}

static void end_daemon(struct campaign *c, const struct plan *plan, bool full_disk)
{
	int status;

	outage_begin(c);
	status = board_stop(&c->board);
	if (status != 0)
		violation("daemon: ended with wait status %#x: %.*s", (unsigned int)status,
			(int)c->board.tail_len, c->board.tail);
	hold(c, plan->hold_ms);
	invariants_stopped();
	campaign_restart(c, plan->number, full_disk);
}

static void daemon_end(struct campaign *c, const struct plan *plan, struct session *s)
{
	end_daemon(c, plan, false);
}

static void log_full(struct campaign *c, const struct plan *plan, struct session *s)
{
	end_daemon(c, plan, true);
}

static void log_unread(struct campaign *c, const struct plan *plan, struct session *s)
{
	board_fill_log(&c->board);
	hold(c, 200 + plan->hold_ms);
	c->board.log_unread = false;
	board_read_log(&c->board);
}

static void limit_worker(struct campaign *c, const struct plan *plan, int resource, rlim_t value)
{
	struct rlimit low = {value, RLIM_INFINITY}, old;
	pid_t pid = board_worker(&c->board);

	if (prlimit(pid, resource, NULL, &old) < 0)
		return;
	low.rlim_max = old.rlim_max;
	/* The processes that the worker starts now inherit the limit. */
	c->sessions.taint_new = TAINT_LOST | TAINT_LIMITED;
	for (unsigned int i = 0; i < CAMPAIGN_LANES; i++)
		if (c->sessions.lanes[i].pid && session_child(&c->sessions.lanes[i]) == 0)
			c->sessions.lanes[i].taint |= c->sessions.taint_new;
	must(prlimit(pid, resource, &low, NULL) < 0 ? -errno : 0, "prlimit");
	hold(c, 200 + plan->hold_ms);
	must(prlimit(pid, resource, &old, NULL) < 0 ? -errno : 0, "prlimit");
	outage_end(c);
}

/* The limit is the current number, because poll(2) fails with more descriptors than the limit. */
static void worker_no_files(struct campaign *c, const struct plan *plan, struct session *s)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)board_worker(&c->board));
	limit_worker(c, plan, RLIMIT_NOFILE, count_files(path));
}

/* The limit is below the current size, so the worker gets no more memory. */
static void worker_no_memory(struct campaign *c, const struct plan *plan, struct session *s)
{
	limit_worker(c, plan, RLIMIT_AS, 1 << 20);
}

/* ---- faults of the bus */
static void udc_unbind(struct campaign *c, const struct plan *plan, struct session *s)
{
	outage_begin(c);
	must(put(GADGET, "UDC", "\n"), "unbinding the gadget");
	hold(c, plan->hold_ms);
	must(put(GADGET, "UDC", UDC), "binding the gadget");
	outage_end(c);
}

/* dummy_hcd of Linux 6.1 no longer calls its gadget after this until the gadget is bound again. */
static void soft_connect(struct campaign *c, const struct plan *plan, struct session *s)
{
	outage_begin(c);
	must(put(UDC_DIR, "soft_connect", "disconnect"), "soft_connect");
	hold(c, plan->hold_ms);
	put(UDC_DIR, "soft_connect", "connect");
	must(put(GADGET, "UDC", "\n"), "unbinding the gadget");
	must(put(GADGET, "UDC", UDC), "binding the gadget");
	outage_end(c);
}

/* Writes `off` to a file of the device, then `on`. */
static void device_file(struct campaign *c, const struct plan *plan, const char *name,
	const char *off, const char *on)
{
	char dir[256];

	if (!board_device(dir, sizeof(dir))) {
		violation("bus: %s: no device", name);
		return;
	}
	outage_begin(c);
	must(put(dir, name, off), name);
	hold(c, plan->hold_ms);
	must(put(dir, name, on), name);
	outage_end(c);
}

static void authorized(struct campaign *c, const struct plan *plan, struct session *s)
{
	device_file(c, plan, "authorized", "0", "1");
}

static void configuration(struct campaign *c, const struct plan *plan, struct session *s)
{
	device_file(c, plan, "bConfigurationValue", "0", "1");
}

static void bus_reset(struct campaign *c, const struct plan *plan, struct session *s)
{
	char dir[256], bus[16], device[16], node[64];
	int fd;

	outage_begin(c);
	if (board_device(dir, sizeof(dir)) && get(dir, "busnum", bus, sizeof(bus)) &&
		get(dir, "devnum", device, sizeof(device))) {
		snprintf(node, sizeof(node), "/dev/bus/usb/%03d/%03d", atoi(bus), atoi(device));
		fd = open(node, O_RDWR | O_CLOEXEC);
		must(fd < 0 || ioctl(fd, USBDEVFS_RESET) < 0 ? -errno : 0, node);
		if (fd >= 0)
			close(fd);
	}
	outage_end(c);
}

/* Unbinds the host's driver of the whole device and binds it again. */
static void driver_unbind(struct campaign *c, const struct plan *plan, struct session *s)
{
	char dir[256];

	outage_begin(c);
	if (board_device(dir, sizeof(dir))) {
		must(put(DRIVER, "unbind", strrchr(dir, '/') + 1), "unbinding the device");
		hold(c, plan->hold_ms);
		must(put(DRIVER, "bind", strrchr(dir, '/') + 1), "binding the device");
	}
	outage_end(c);
}

static bool is_idle(void *sessions)
{
	return sessions_idle(sessions);
}

static bool is_suspended(void *dir)
{
	char text[32];

	return get(dir, "power/runtime_status", text, sizeof(text)) && !strcmp(text, "suspended");
}

/* The host suspends only a device that no program has open. */
static void autosuspend(struct campaign *c, const struct plan *plan, struct session *s)
{
	char dir[256], speed[16];

	c->sessions.starting = false;
	sessions_run(&c->sessions, WAIT_MS, is_idle, &c->sessions);
	if (board_device(dir, sizeof(dir))) {
		must(put(dir, "power/autosuspend_delay_ms", "0"), "autosuspend");
		must(put(dir, "power/control", "auto"), "power/control");
		/* At super speed dummy_hcd's device is not suspended (seen on 6.1). */
		if (get(dir, "speed", speed, sizeof(speed)) && strcmp(speed, "5000") != 0 &&
			!sessions_run(&c->sessions, READY_MS, is_suspended, dir))
			violation("bus: the idle device is not suspended");
		hold(c, plan->hold_ms);
		/* A session resumes it. */
		c->sessions.starting = true;
		hold(c, plan->hold_ms);
		must(put(dir, "power/control", "on"), "power/control");
	}
	c->sessions.starting = true;
}

const struct kind kinds[] = {
	{"bpfd-usb: SIGKILL", 10, bridge_kill, ON_LANE},
	{"bpfd-usb: SIGTERM, SIGINT, SIGHUP", 4, bridge_signal, ON_LANE},
	{"bpfd-usb: stopped briefly", 4, bridge_stop, ON_LANE},
	{"bpfd-usb: stopped for longer than the lease", 1, bridge_sleep, ON_LANE},
	{"bpfd: SIGKILL", 10, core_kill, ON_LANE | NEEDS_CHILD},
	{"bpfd: stopped briefly", 4, core_stop, ON_LANE | NEEDS_CHILD},
	{"bpfd: stopped forever", 2, core_hang, ON_LANE | NEEDS_CHILD},
	{"bpfd: out of memory", 3, core_no_memory, 0},
	{"bpfd: out of descriptors", 3, core_no_files, 0},
	{"bpfd-usb: stdout closed", 5, stdout_close, ON_LANE},
	{"bpfd-usb: stdout not read", 4, stdout_unread, ON_LANE},
	{"bpfd-usb: stdin ends early", 4, stdin_end, ON_LANE},
	{"bpfd-usb: stdin floods", 3, stdin_flood, 0},
	{"bpfd-usb: stderr not read", 2, stderr_full, 0},
	{"worker: SIGKILL", 3, worker_kill, ENDS},
	{"worker: stopped briefly", 3, worker_stop, 0},
	{"worker: stopped for longer than the lease", 1, worker_hang, 0},
	{"worker: out of descriptors", 3, worker_no_files, 0},
	{"worker: out of memory", 3, worker_no_memory, 0},
	{"daemon: stopped briefly", 3, daemon_stop, 0},
	{"daemon: SIGKILL", 2, daemon_kill, ENDS},
	{"daemon: SIGTERM", 2, daemon_end, ENDS},
	{"daemon: its log on a full disk", 1, log_full, ENDS},
	{"daemon: its log not read", 3, log_unread, 0},
	{"bus: gadget unbound", 6, udc_unbind, 0},
	{"bus: soft_connect", 4, soft_connect, 0},
	{"bus: authorized", 5, authorized, 0},
	{"bus: bConfigurationValue", 5, configuration, 0},
	{"bus: reset", 6, bus_reset, 0},
	{"bus: the host's driver unbound", 3, driver_unbind, 0},
	{"bus: autosuspend", 3, autosuspend, 0},
};
const unsigned int kind_count = sizeof(kinds) / sizeof(kinds[0]);

static unsigned int plan_kind(uint64_t *rng)
{
	unsigned int total = 0, at, kind = 0;

	for (unsigned int i = 0; i < kind_count; i++)
		total += kinds[i].weight;
	at = (unsigned int)draw(rng, total);
	while (at >= kinds[kind].weight)
		at -= kinds[kind++].weight;
	return kind;
}

struct plan plan_fault(uint64_t seed, uint64_t number)
{
	uint64_t rng = mix(seed, number);
	struct plan plan = {.number = number};

	do
		plan.kind = plan_kind(&rng);
	while (kinds[plan.kind].flags & ENDS && number / LONG_LIFE % 2);
	plan.lane = (unsigned int)draw(&rng, 12); /* 12 is a multiple of 1 to 4 lanes */
	plan.delay_ms = (unsigned int)draw(&rng, 1ull << draw(&rng, 9));
	plan.hold_ms = (unsigned int)draw(&rng, 1ull << draw(&rng, 10));
	plan.rush = draw(&rng, 4) == 0;
	return plan;
}
