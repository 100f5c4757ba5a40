/* SPDX-License-Identifier: Apache-2.0 */
/* Runs sessions of bpfd-usb on each lane, one after another, and judges each end. */
#include "tests/campaign/campaign.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 20
#define BLOCK	32768
#define SLOW_MS 5000

void sessions_init(struct sessions *all, uint64_t seed)
{
	*all = (struct sessions){.seed = seed, .short_lane = CAMPAIGN_LANES};
	for (unsigned int i = 0; i < CAMPAIGN_LANES; i++) {
		all->lanes[i] = (struct session){.lane = i, .in = -1, .out = -1, .err = -1};
		all->want_mode[i] = -1;
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Runs in the new process. Resets SIGPIPE, which the driver ignores. */
static void exec_bridge(const struct session *s, const int in[2], const int out[2], int err)
{
	char lease[16], trace[64];

	signal(SIGPIPE, SIG_DFL);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	snprintf(lease, sizeof(lease), "%u", s->lease_s);
	snprintf(trace, sizeof(trace), TRACE_FILE, s->lane);
	execlp("bpfd-usb", "bpfd-usb", "-w=30", "-s", SERIAL, "--lease", lease,
		s->trace ? "--trace" : NULL, trace, (char *)NULL);
	_exit(126);
}

static void open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0) {
		perror("campaign: pipe");
		exit(1);
	}
}

static void session_spawn(struct session *s)
{
	int in[2], out[2], err[2], full;

	open_pipe(in);
	open_pipe(out);
	open_pipe(err);
	full = s->err_full ? open("/dev/full", O_WRONLY | O_CLOEXEC) : -1;
	if (s->err_unread)
		fcntl(err[1], F_SETPIPE_SZ, 4096);
	s->pid = fork();
	if (s->pid == 0)
		exec_bridge(s, in, out, full >= 0 ? full : err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	if (full >= 0)
		close(full);
	if (s->pid < 0) {
		perror("campaign: fork");
		exit(1);
	}
	s->in = in[1];
	s->out = out[0];
	s->err = err[0];
	fcntl(s->in, F_SETFL, O_NONBLOCK);
	fcntl(s->out, F_SETFL, O_NONBLOCK);
	fcntl(s->err, F_SETFL, O_NONBLOCK);
}

static void session_start(struct sessions *all, unsigned int lane)
{
	struct session *s = &all->lanes[lane];
	char path[64];
	uint64_t rng;

	script_free(&s->script);
	*s = (struct session){
		.lane = lane, .number = ++all->numbers[lane], .in = -1, .out = -1, .err = -1};
	traffic_plan(s, all->seed, all->want_mode[lane], all->short_lane == lane);
	all->want_mode[lane] = -1;
	rng = mix(s->key, 3);
	s->err_unread = s->mode == MODE_NOTES && draw(&rng, 2);
	s->err_full = draw(&rng, 16) == 0;
	s->taint = all->taint_new;
	s->trace = all->trace;
	s->since = all->era;
	s->started_ms = now_ms();
	snprintf(path, sizeof(path), PID_FILE, lane);
	unlink(path);
	session_spawn(s);
}

pid_t session_child(const struct session *s)
{
	char path[64];
	uint64_t number;
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), PID_FILE, s->lane);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d %" SCNu64, &pid, &number) != 2 || number != s->number)
		pid = 0;
	fclose(file);
	return pid;
}

static void session_wrong(const struct session *s, const char *why, int status)
{
	violation("lane %u, session %" PRIu64 " (%s): %s; status %#x, %" PRIu64 " of %" PRIu64
		  " sent, %" PRIu64 " of %" PRIu64 " received, after %" PRIu64
		  " ms, lease %u s, taint %u; stderr: %.*s",
		s->lane, s->number, mode_name(s->mode), why, (unsigned int)status, s->sent,
		s->in_total, s->received, s->out_total, now_ms() - s->started_ms, s->lease_s,
		s->taint, (int)s->tail_len, s->tail);
}

static void session_feed(struct session *s)
{
	uint8_t data[BLOCK];
	size_t len;
	ssize_t n;

	while (s->in >= 0 && s->sent < s->in_total) {
		len = traffic_input(s, data, sizeof(data));
		n = write(s->in, data, len);
		if (n < 0 && errno == EPIPE)
			close_fd(&s->in);
		if (n < 0)
			return;
		s->sent += (uint64_t)n;
	}
	if (s->in < 0)
		return;
	if (!s->input_done_ms)
		s->input_done_ms = now_ms();
	if (now_ms() - s->input_done_ms >= s->hold_ms)
		close_fd(&s->in);
}

/* Returns false at the end of the output. */
static bool session_read(struct sessions *all, struct session *s)
{
	uint8_t data[BLOCK];
	const char *why;
	ssize_t n;

	if (s->out < 0)
		return false;
	n = read(s->out, data, sizeof(data));
	if (n < 0)
		return errno == EAGAIN;
	if (n == 0)
		return false;
	all->bytes += (uint64_t)n;
	why = traffic_check(s, data, (size_t)n);
	if (why) {
		session_wrong(s, why, 0);
		close_fd(&s->out);
	}
	return !why;
}

static void session_notes(struct session *s)
{
	char data[4096];
	ssize_t n;

	while (s->err >= 0 && (n = read(s->err, data, sizeof(data))) != 0) {
		if (n < 0)
			return;
		/* Keep the end, which says how the session ended. */
		if ((size_t)n >= sizeof(s->tail)) {
			memcpy(s->tail, data + n - sizeof(s->tail), sizeof(s->tail));
			s->tail_len = sizeof(s->tail);
			continue;
		}
		if (s->tail_len + (size_t)n > sizeof(s->tail)) {
			memmove(s->tail, s->tail + n, sizeof(s->tail) - (size_t)n);
			s->tail_len = sizeof(s->tail) - (size_t)n;
		}
		memcpy(s->tail + s->tail_len, data, (size_t)n);
		s->tail_len += (size_t)n;
	}
}

/* Prints the frames of the session, without DATA and NOTE. */
static void print_trace(const struct session *s)
{
	char path[64], line[300];
	FILE *file;

	snprintf(path, sizeof(path), TRACE_FILE, s->lane);
	file = fopen(path, "re");
	printf("# %" PRIu64 " ms, taint %u: lane %u, session %" PRIu64 " (%s)\n",
		now_ms() - s->started_ms, s->taint, s->lane, s->number, mode_name(s->mode));
	while (file && fgets(line, sizeof(line), file))
		if (!strstr(line, " DATA ") && !strstr(line, " NOTE "))
			printf("#   %.120s%s", line, strlen(line) > 120 ? "\n" : "");
	if (file)
		fclose(file);
	fflush(stdout);
}

static void session_ended(struct sessions *all, struct session *s, int status)
{
	const char *why;

	while (session_read(all, s))
		;
	session_notes(s);
	why = traffic_verdict(s, status);
	if (now_ms() - s->started_ms > all->slowest_ms) {
		all->slowest_ms = now_ms() - s->started_ms;
		snprintf(all->slowest, sizeof(all->slowest),
			"lane %u, session %" PRIu64 " (%s): status %#x, %" PRIu64 " of %" PRIu64
			" sent, %" PRIu64 " of %" PRIu64 " received, taint %u: %.*s",
			s->lane, s->number, mode_name(s->mode), (unsigned int)status, s->sent,
			s->in_total, s->received, s->out_total, s->taint, (int)s->tail_len,
			s->tail);
	}
	if (why)
		session_wrong(s, why, status);
	if (s->trace && (why || now_ms() - s->started_ms > SLOW_MS))
		print_trace(s);
	close_fd(&s->in);
	close_fd(&s->out);
	close_fd(&s->err);
	s->pid = 0;
	s->ended_ms = now_ms();
	all->done++;
	all->by_mode[s->mode]++;
	if (WIFEXITED(status) && WEXITSTATUS(status) < 250 && !why) {
		all->good[s->lane] = s->since;
		all->done_well++;
	} else {
		all->lost++;
	}
}

static void session_reap(struct sessions *all, struct session *s)
{
	uint64_t age = now_ms() - s->started_ms;
	int status;

	if (!s->pid)
		return;
	if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
		session_ended(all, s, status);
	} else if (age > SESSION_MS) {
		session_wrong(s, "does not end", 0);
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &status, 0);
		s->taint |= TAINT_KILLED;
		s->signal = SIGKILL;
		session_ended(all, s, status);
	}
}

void session_kill_all(struct sessions *all)
{
	for (unsigned int i = 0; i < CAMPAIGN_LANES; i++) {
		struct session *s = &all->lanes[i];
		int status;

		if (!s->pid)
			continue;
		s->taint |= TAINT_KILLED;
		s->signal = SIGKILL;
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &status, 0);
		session_ended(all, s, status);
	}
}

/* A lane rests between sessions, unless the driver waits for one. */
static bool session_is_due(const struct sessions *all, const struct session *s)
{
	return all->short_lane == s->lane || all->want_mode[s->lane] >= 0 ||
	       now_ms() - s->ended_ms >= s->rest_ms;
}

static void sessions_step(struct sessions *all, unsigned int ms)
{
	struct pollfd fds[3 * CAMPAIGN_LANES];
	uint64_t now = now_ms();
	unsigned int i;

	for (i = 0; i < CAMPAIGN_LANES; i++) {
		struct session *s = &all->lanes[i];
		bool more = s->pid && s->in >= 0 && s->sent < s->in_total;

		if (!s->pid && all->starting && i < all->count && session_is_due(all, s))
			session_start(all, i);
		fds[3 * i] = (struct pollfd){more ? s->in : -1, POLLOUT, 0};
		fds[3 * i + 1] = (struct pollfd){now < s->out_pause_ms ? -1 : s->out, POLLIN, 0};
		fds[3 * i + 2] = (struct pollfd){s->err_unread ? -1 : s->err, POLLIN, 0};
	}
	poll(fds, 3 * CAMPAIGN_LANES, (int)ms);
	/* The machine stalled, so bpfd-usb or the board may have given up a session. */
	if (now_ms() - now > ms + STALL_MS) {
		all->stalls++;
		sessions_taint(all, TAINT_LOST);
	}
	for (i = 0; i < CAMPAIGN_LANES; i++) {
		struct session *s = &all->lanes[i];

		if (!s->pid)
			continue;
		session_feed(s);
		if (fds[3 * i + 1].revents)
			session_read(all, s);
		if (fds[3 * i + 2].revents)
			session_notes(s);
		session_reap(all, s);
	}
}

bool sessions_run(struct sessions *all, unsigned int ms, bool (*until)(void *arg), void *arg)
{
	uint64_t end = now_ms() + ms, now;

	do {
		if (until && until(arg))
			return true;
		now = now_ms();
		syscall(SYS_getsid, 0); /* makes a record in each ring */
		sessions_step(all,
			end > now && end - now < TICK_MS ? (unsigned int)(end - now) : TICK_MS);
	} while (now_ms() < end);
	return until && until(arg);
}

void sessions_taint(struct sessions *all, unsigned int taint)
{
	for (unsigned int i = 0; i < CAMPAIGN_LANES; i++)
		if (all->lanes[i].pid)
			all->lanes[i].taint |= taint;
}

bool sessions_idle(const struct sessions *all)
{
	for (unsigned int i = 0; i < CAMPAIGN_LANES; i++)
		if (all->lanes[i].pid)
			return false;
	return true;
}
