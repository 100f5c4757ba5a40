/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a session: one thread that waits only in poll. */
#include "host-usb/pump.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/signal_fd.h"
#include "host-usb/identity.h"
#include "host-usb/near.h"
#include "host-usb/notes.h"
#include "host-usb/pump_private.h"
#include "host-usb/signals.h"
#include "host-usb/status.h"
#include "host-usb/trace.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HELLO_TRIES 3	/* 7 s */
#define CLOSE_MS    300 /* for sending RESET; if it is lost, the lease ends the session */

enum { POLL_SIGNAL, POLL_STDIN, POLL_STDOUT, POLL_STDERR, POLL_LANE };

/* Ends the loop at once, unlike pump_close, which sends RESET first. */
static void pump_end(struct pump *p, int status)
{
	if (p->state == PUMP_RUNNING)
		p->status = status;
	p->state = PUMP_OVER;
}

void pump_close(struct pump *p, int status)
{
	if (p->state != PUMP_RUNNING)
		return;
	host_session_close(p->session);
	p->status = status;
	p->state = PUMP_CLOSING;
	p->close_ms = p->now_ms + CLOSE_MS;
}

/* Logs how far an interrupted session came, because commands must not be repeated blindly. */
static void pump_account(const struct pump *p)
{
	struct host_counts counts = host_session_counts(p->session);

	if (!p->near->accounts)
		return;
	log_error("session: %llu bytes sent, %llu of them consumed by the board, %llu received, "
		  "%llu written to stdout",
		(unsigned long long)counts.sent, (unsigned long long)counts.consumed,
		(unsigned long long)counts.received, (unsigned long long)p->written);
}

static void pump_lane_lost(struct pump *p, int err)
{
	if (p->state != PUMP_RUNNING) {
		p->state = PUMP_OVER;
		return;
	}
	log_error("lane %u: %s", usb_lane_interface(p->lane), usb_lane_error_text(err));
	pump_account(p);
	pump_end(p, STATUS_LOST);
}

static void pump_hello(struct pump *p)
{
	uint64_t nonce;

	if (p->tries++ == HELLO_TRIES) {
		log_error("lane %u: the board does not answer; check that bpfd-gadget runs on it",
			usb_lane_interface(p->lane));
		pump_close(p, STATUS_LOST);
		return;
	}
	if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
		log_error("getrandom: %s", strerror(errno));
		pump_end(p, STATUS_LOST);
		return;
	}
	host_session_open(p->session, nonce, p->now_ms);
}

void pump_ping(struct pump *p)
{
	host_session_ping(p->session, p->now_ms);
}

void pump_stdout_failed(struct pump *p, int err)
{
	if (p->state != PUMP_RUNNING)
		return;
	if (err == -EPIPE) {
		log_error("stdout: closed by its reader");
		pump_account(p);
		pump_close(p, -SIGPIPE);
		return;
	}
	log_error("stdout: %s", strerror(-err));
	pump_account(p);
	pump_close(p, STATUS_LOST);
}

/* The board's process has ended and all its output is written. */
static void pump_exit(struct pump *p)
{
	const struct exit_info *info = &p->event.exit;
	struct host_counts counts = host_session_counts(p->session);
	unsigned int status = info->signal ? 128U + info->signal : info->code;
	int err = p->near->finish(p->near->context);

	if (err < 0) {
		pump_stdout_failed(p, err);
		return;
	}
	if (info->signal)
		log_info("board: the process was killed by signal %u", info->signal);
	if (counts.sent > counts.consumed)
		log_debug("board: %llu bytes of input did not reach the process",
			(unsigned long long)(counts.sent - counts.consumed));
	if (status > STATUS_CORE_MAX) {
		log_warning("board: the process's exit status %u is shown as %d", status,
			STATUS_CORE_MAX);
		status = STATUS_CORE_MAX;
	}
	pump_end(p, (int)status);
}

static void pump_opened(struct pump *p)
{
	const struct hello_reply *reply = host_session_reply(p->session);

	p->opened_ms = p->now_ms;
	log_debug("lane %u: session open, board has version %s, link %u.%u, lease %lu ms",
		usb_lane_interface(p->lane), reply->version, reply->hello.major, reply->hello.minor,
		(unsigned long)reply->hello.lease_ms);
	if (p->near->opened)
		p->near->opened(p->near->context, p, reply);
}

static void pump_pongs(struct pump *p)
{
	uint64_t pongs = host_session_counts(p->session).pongs;

	if (pongs == p->pongs)
		return;
	p->pongs = pongs;
	if (p->near->pong)
		p->near->pong(p->near->context);
}

void pump_signals(struct pump *p)
{
	int number;

	while ((number = signal_fd_next(p->options->signal_fd)) != 0) {
		switch (number) {
		case SIGTSTP:
			tty_restore(p->options->tty);
			signals_stop(number);
			p->now_ms = clock_monotonic_ms();
			/* fall through */
		case SIGCONT:
			tty_raw(p->options->tty);
			/* Another job may own the terminal now. */
			p->input_ready = p->near->in_fd < 0;
			/* We did not listen meanwhile: measure the board's silence from now. */
			host_session_heard(p->session, p->now_ms);
			break;
		default:
			if (p->state == PUMP_CLOSING)
				pump_end(p, p->status); /* a second signal: do not wait for RESET */
			else
				pump_close(p, -number);
			break;
		}
	}
}

static void pump_reset(struct pump *p)
{
	const struct reset_info *reset = &p->event.reset;
	bool refused = reset->reason == RESET_AUTH;

	log_error("session: ended by the board: %s%s%s", reset_reason_text(reset->reason),
		reset->text[0] ? ": " : "", reset->text);
	if (refused)
		identity_refused(p->options->identity);
	else
		pump_account(p);
	pump_end(p, refused ? STATUS_PERMISSION : STATUS_LOST);
}

static void pump_event(struct pump *p)
{
	switch (p->event.type) {
	case HOST_OPENED:
		pump_opened(p);
		break;
	case HOST_EXIT:
		pump_exit(p);
		break;
	case HOST_ASKED:
		pump_answer(p);
		break;
	case HOST_RESET:
		pump_reset(p);
		break;
	case HOST_BROKEN:
		log_error("session: the board broke the protocol: %s", p->event.reset.text);
		pump_account(p);
		pump_close(p, STATUS_LOST);
		break;
	case HOST_NONE:
		usb_lane_release(p->lane);
		p->transfer = NULL;
		break;
	case HOST_OUTPUT:
	case HOST_NOTE:
		break; /* written by pump_write */
	}
}

/* Writes as much of the last event's data as possible without waiting. */
static void pump_write(struct pump *p)
{
	struct host_event *event = &p->event;
	ssize_t n;

	while (event->len > 0) {
		if (event->type == HOST_NOTE) {
			n = (ssize_t)notes_write(p->notes, event->data, event->len, p->now_ms);
			p->noted += (uint64_t)n;
		} else {
			n = p->near->write(p->near->context, event->data, event->len);
			if (n < 0 && n != -EAGAIN)
				pump_stdout_failed(p, (int)n);
			p->written += n > 0 ? (uint64_t)n : 0;
		}
		if (n <= 0)
			return;
		event->data += n;
		event->len -= (size_t)n;
	}
}

/* Handles what arrived, until there is no more or writing would wait. */
static void pump_receive(struct pump *p)
{
	int n;

	while (p->state == PUMP_RUNNING) {
		pump_write(p);
		if (p->event.len > 0)
			break;
		if (!p->transfer) {
			n = usb_lane_receive(p->lane, &p->transfer, &p->transfer_len);
			if (n < 0)
				pump_lane_lost(p, n);
			if (n <= 0)
				break;
			p->offset = 0;
			host_session_heard(p->session, p->now_ms);
			trace_transfer(
				p->options->trace, TRACE_FROM_BOARD, p->transfer, p->transfer_len);
		}
		host_session_next(p->session, p->transfer, p->transfer_len, &p->offset, &p->event);
		pump_pongs(p);
		pump_event(p);
	}
	host_session_block(p->session, p->event.len > 0, p->now_ms);
}

/* Puts input into the transfer, within the board's window. */
static void pump_input(struct pump *p, struct transfer *t)
{
	size_t room = host_session_room(p->session, t);
	ssize_t n;

	if (room == 0 || p->input_ended || !p->input_ready || p->state != PUMP_RUNNING)
		return;
	n = p->near->read(p->near->context, link_payload(t), room);
	if (n > 0) {
		host_session_put(p->session, t, (size_t)n);
		return;
	}
	p->input_ready = p->near->in_fd < 0;
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		log_error("stdin: %s", strerror((int)-n));
		pump_account(p);
		pump_close(p, STATUS_LOST);
		return;
	}
	p->input_ended = true;
	host_session_eof(p->session);
}

static void pump_send(struct pump *p)
{
	struct transfer t;
	uint8_t *buffer;
	size_t len;

	while ((buffer = usb_lane_buffer(p->lane))) {
		host_session_begin(p->session, &t, buffer);
		pump_input(p, &t);
		len = host_session_finish(p->session, &t);
		if (len > 0) {
			trace_transfer(p->options->trace, TRACE_TO_BOARD, buffer, len);
			usb_lane_send(p->lane, len);
		} else if (!host_session_pending(p->session)) {
			break;
		}
	}
}

static void pump_tick(struct pump *p)
{
	switch (host_session_tick(p->session, p->now_ms)) {
	case HOST_TICK_RETRY:
		pump_hello(p);
		break;
	case HOST_TICK_DEAD:
		log_error("board: silent for the whole lease of %lu s",
			(unsigned long)host_session_reply(p->session)->hello.lease_ms / 1000);
		pump_account(p);
		pump_end(p, STATUS_LOST);
		break;
	case HOST_TICK_NOTHING:
		break;
	}
	if (p->state == PUMP_RUNNING && p->near->tick)
		p->near_ms = p->near->tick(p->near->context, p->now_ms);
}

/* Returns the milliseconds until something is due, or -1 (poll's value for no limit). */
static int pump_timeout(const struct pump *p)
{
	uint64_t due = host_session_deadline(p->session), notes = notes_deadline(p->notes);
	int lane = usb_lane_timeout(p->lane), wait;

	if (p->state == PUMP_CLOSING && p->close_ms < due)
		due = p->close_ms;
	if (p->state == PUMP_RUNNING && notes < due)
		due = notes;
	if (p->state == PUMP_RUNNING && p->near_ms < due)
		due = p->near_ms;
	if (due <= p->now_ms)
		return 0;
	wait = due - p->now_ms > INT_MAX ? -1 : (int)(due - p->now_ms);
	return lane >= 0 && (wait < 0 || lane < wait) ? lane : wait;
}

/* A background job does not read the terminal; SIGCONT announces that it is in the foreground. */
static bool pump_wants_input(struct pump *p)
{
	return p->state == PUMP_RUNNING && !p->input_ended && !p->input_ready &&
	       host_session_credit(p->session) > 0 && tty_may_read(p->options->tty);
}

/* Watches stdout even if there is nothing to write: when its reader exits, the session ends, and so
 * does everything that it attached on the board. */
static void pump_wait(struct pump *p)
{
	struct pollfd fds[POLL_LANE + LANE_FDS_MAX];
	bool output = p->event.len > 0 && p->event.type == HOST_OUTPUT;
	bool note = p->event.len > 0 && p->event.type == HOST_NOTE;
	size_t lane_fds;

	fds[POLL_SIGNAL] = (struct pollfd){.fd = p->options->signal_fd, .events = POLLIN};
	fds[POLL_STDIN] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[POLL_STDOUT] = (struct pollfd){.fd = -1, .events = output ? POLLOUT : 0};
	fds[POLL_STDERR] = (struct pollfd){.fd = note ? notes_fd(p->notes) : -1, .events = POLLOUT};
	if (pump_wants_input(p))
		fds[POLL_STDIN].fd = p->near->in_fd;
	if (p->state == PUMP_RUNNING)
		fds[POLL_STDOUT].fd = p->near->out_fd;
	lane_fds = usb_lane_pollfds(p->lane, &fds[POLL_LANE]);
	/* After EINTR (the program was continued) or ENOMEM nothing is ready. */
	poll(fds, POLL_LANE + lane_fds, pump_timeout(p));
	p->now_ms = clock_monotonic_ms();
	if (fds[POLL_SIGNAL].revents)
		pump_signals(p);
	if (fds[POLL_STDIN].revents)
		p->input_ready = true;
	if (!output && fds[POLL_STDOUT].revents & (POLLERR | POLLHUP))
		pump_stdout_failed(p, -EPIPE);
}

/* True if RESET was sent, or its time is over. */
static bool pump_closed(const struct pump *p)
{
	bool sent = !host_session_pending(p->session) && !usb_lane_sending(p->lane);

	return sent || p->now_ms >= p->close_ms;
}

static void pump_loop(struct pump *p)
{
	const uint8_t *data;
	size_t len;
	int err;

	p->now_ms = clock_monotonic_ms();
	pump_hello(p);
	while (p->state != PUMP_OVER) {
		pump_send(p);
		if (p->state == PUMP_CLOSING &&
			(pump_closed(p) || usb_lane_receive(p->lane, &data, &len) < 0)) {
			p->state = PUMP_OVER;
			break;
		}
		pump_wait(p);
		err = usb_lane_handle(p->lane);
		if (err < 0)
			pump_lane_lost(p, err);
		pump_receive(p);
		if (p->state == PUMP_RUNNING)
			pump_tick(p);
	}
}

static void pump_count(const struct pump *p, struct pump_counts *counts)
{
	struct host_counts session = host_session_counts(p->session);

	*counts = (struct pump_counts){
		.sent = session.sent,
		.consumed = session.consumed,
		.received = session.received,
		.written = p->written,
		.notes = p->noted,
		.open_ms = p->opened_ms ? p->now_ms - p->opened_ms : 0,
	};
}

int pump_run(const struct pump_options *options, struct pump_counts *counts)
{
	const struct host_config config = {
		.max_transfer = (uint32_t)options->transfer,
		.lease_ms = options->lease_ms,
	};
	struct pump p = {
		.options = options,
		.near = options->near,
		.lane = options->lane,
		.status = STATUS_LOST,
		.near_ms = UINT64_MAX,
		.input_ready = options->near->in_fd < 0,
	};

	*counts = (struct pump_counts){0};
	p.session = host_session_new(&config);
	p.notes = notes_new(STDERR_FILENO);
	if (p.session && p.notes) {
		pump_loop(&p);
		pump_count(&p, counts);
	} else {
		log_error("session: %s", strerror(ENOMEM));
	}
	notes_free(p.notes);
	host_session_free(p.session);
	return p.status;
}
