/* SPDX-License-Identifier: Apache-2.0 */
/* Moves bytes between the endpoints of a lane and the process of its session. */
#include "gadget/lane.h"

#include "core/base/log.h"
#include "core/base/resident.h"
#include "core/link/board_session.h"
#include "gadget/ffs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of a buffer; a lane has FFS_DEPTH of each kind. The kernel allocates contiguous memory of
 * this size for each transfer in flight, and the reads are always in flight. 32 KiB is
 * the most that it allocates without fear of fragmentation (PAGE_ALLOC_COSTLY_ORDER). Half of it
 * costs a third more of the board's time. */
#define LANE_RECEIVE (32 * 1024)
#define LANE_SEND    (32 * 1024)

enum { POLL_EP0, POLL_COMPLETION, POLL_STDIN, POLL_STDOUT, POLL_STDERR };

struct lane {
	unsigned int index;
	struct ffs *ffs;
	struct board_session *session;
	struct children *children;
	struct admission_lane admission;
	struct child *child;
	/* The session's HELLO arrived in a transfer that was started before ENABLE was read. What
	 * follows in other such transfers belongs to the same session. */
	bool opened_stale;
	bool bound;	       /* cleared when ep0 reports UNBIND */
	unsigned int bindings; /* BIND events */
	/* True if the pipe may be readable: poll reported it, or was not asked, and no later read
	 * drained it. */
	bool out_ready, err_ready;
	bool in_full; /* the process's stdin is full: do not write until poll reports it writable */
	bool failed; /* ep0 failed; the other lanes still inform their hosts that the daemon ends */
};

int lane_open(const struct lane_source *source, unsigned int index, struct children *children,
	struct admission *admission, struct lane **result)
{
	struct board_config config = {
		.max_transfer = LANE_RECEIVE,
		.max_send = LANE_SEND,
		.window = WINDOW_BYTES,
		.version = BPFD_USB_VERSION,
	};
	struct lane *lane = calloc(1, sizeof(*lane));
	int err = -ENOMEM;

	if (!lane) {
		log_error("lane %u: %s", index, strerror(ENOMEM));
		return -ENOMEM;
	}
	lane->index = index;
	lane->bound = true;
	lane->children = children;
	admission_lane_init(&lane->admission, admission, (uint8_t)index);
	config.gate = &lane->admission.gate;
	lane->session = board_session_new(&config);
	if (!lane->session)
		log_error("lane %u: %s", index, strerror(ENOMEM));
	else
		err = ffs_open(source->ep0, source->dir, LANE_RECEIVE, LANE_SEND, &lane->ffs);
	if (err < 0) {
		lane_close(lane);
		return err;
	}
	*result = lane;
	return 0;
}

static void lane_stop(struct lane *lane, const char *why)
{
	if (lane->child) {
		log_info("lane %u: session closed: %s", lane->index, why);
		child_release(lane->children, lane->child);
		resident_trim(); /* it may be long until the next one */
	}
	lane->child = NULL;
}

void lane_close(struct lane *lane)
{
	if (!lane)
		return;
	lane_stop(lane, "the daemon closes the lane");
	ffs_close(lane->ffs);
	board_session_free(lane->session);
	free(lane);
}

static void lane_start(struct lane *lane)
{
	char text[LINK_TEXT_MAX + 1];
	int err;

	log_limit(false); /* the host was admitted */
	lane_stop(lane, "a new session replaces it");
	err = child_start(lane->children, admission_command(&lane->admission), &lane->child);
	if (err == 0) {
		lane->out_ready = lane->err_ready = true;
		lane->in_full = false;
		log_info("lane %u: session opened", lane->index);
		return;
	}
	lane->child = NULL;
	snprintf(text, sizeof(text), "%s: %s", children_program(lane->children), strerror(-err));
	log_error("lane %u: cannot start %s", lane->index, text);
	board_session_end(lane->session, RESET_START, text);
}

static void lane_drop(struct lane *lane, const char *why)
{
	board_session_drop(lane->session);
	lane_stop(lane, why);
}

static int lane_events(struct lane *lane)
{
	int event;

	while ((event = ffs_next_event(lane->ffs)) != FFS_NONE) {
		switch (event) {
		case FFS_ENABLE:
			log_debug("lane %u: enabled", lane->index);
			lane->opened_stale = false;
			lane_drop(lane, "the host reset the lane");
			break;
		case FFS_BIND:
			lane->bound = true;
			lane->bindings++;
			break;
		case FFS_UNBIND:
			lane->bound = false;
			lane_drop(lane, "the gadget was unbound");
			break;
		case FFS_DISABLE:
			lane_drop(lane, "the host disconnected");
			break;
		case FFS_SUSPEND:
			board_session_end(lane->session, RESET_SUSPEND, NULL);
			lane_stop(lane, reset_reason_text(RESET_SUSPEND));
			break;
		default:
			if (event < 0) {
				log_error("lane %u: ep0: %s", lane->index, strerror(-event));
				return event;
			}
		}
	}
	return 0;
}

/* Returns 0, or a negative errno, logged, if ep0 failed. */
static int lane_transfer(struct lane *lane, const struct ffs_transfer *t, uint64_t now_ms)
{
	bool hello = board_session_is_hello(t->data, t->len);
	int err;

	if (hello) {
		/* The host resets the lane before it sends HELLO. Read the ENABLE of that reset
		 * now: later it would end the session that this HELLO starts. */
		err = lane_events(lane);
		if (err < 0)
			return err;
		if (!ffs_enabled(lane->ffs))
			return 0; /* the host has disconnected since */
		lane->opened_stale = t->generation != ffs_generation(lane->ffs);
	} else if (t->generation != ffs_generation(lane->ffs) && !lane->opened_stale) {
		return 0;
	}
	switch (board_session_receive(lane->session, t->data, t->len, now_ms)) {
	case BOARD_START:
		lane_start(lane);
		break;
	case BOARD_STOP:
		lane_stop(lane, hello ? "a new HELLO ended it"
				      : "the host closed it or broke the protocol");
		break;
	case BOARD_NOTHING:
		break;
	}
	return 0;
}

/* Ends the session because a pipe to its process failed: the session's bytes have a gap. */
static void lane_pipe_failed(struct lane *lane, const char *pipe, int err)
{
	char text[LINK_TEXT_MAX + 1];

	snprintf(text, sizeof(text), "%s: %s: %s", children_program(lane->children), pipe,
		strerror(err));
	board_session_end(lane->session, RESET_START, text);
	lane_stop(lane, text);
}

/* Writes the host's input to the process. */
static void lane_feed(struct lane *lane)
{
	const uint8_t *data;
	size_t len;
	ssize_t n;

	if (!lane->child || child_stdin(lane->child) < 0 || lane->in_full)
		return;
	while ((data = board_session_input(lane->session, &len)) && len > 0) {
		n = write(child_stdin(lane->child), data, len);
		lane->in_full = n < 0 && errno == EAGAIN;
		if (lane->in_full || (n < 0 && errno == EINTR))
			return;
		if (n < 0 && errno != EPIPE) {
			lane_pipe_failed(lane, "cannot write to its input", errno);
			return;
		}
		if (n < 0) {
			/* The process no longer reads, but the host may go on writing. */
			board_session_discard_input(lane->session);
			child_close_stdin(lane->child);
			return;
		}
		board_session_consume(lane->session, (size_t)n);
	}
	if (board_session_input_ended(lane->session))
		child_close_stdin(lane->child);
}

static int lane_receive(struct lane *lane, uint64_t now_ms)
{
	struct ffs_transfer t = {.data = NULL};
	int n;

	ffs_complete(lane->ffs);
	while ((n = ffs_receive(lane->ffs, &t)) != 0) {
		if (n < 0) {
			board_session_end(lane->session, RESET_PROTOCOL,
				n == -EOVERFLOW ? "transfer too long" : "transfer lost");
			lane_stop(lane, strerror(-n));
		} else {
			n = lane_transfer(lane, &t, now_ms);
			if (n < 0)
				return n;
		}
		/* Write from the transfer itself: only what the process does not take is copied. */
		lane_feed(lane);
		board_session_keep(lane->session);
		ffs_release(lane->ffs);
	}
	return 0;
}

/* Moves output from a pipe of the process into the transfer. Returns 1, 0 at the pipe's end, or a
 * negative errno. `fd` is -1 after the end. */
static int lane_take(
	struct lane *lane, struct transfer *t, int fd, enum frame_type type, bool ended)
{
	bool *ready = type == FRAME_DATA ? &lane->out_ready : &lane->err_ready;
	size_t room = board_session_room(lane->session, t);
	ssize_t n;

	if (fd < 0)
		return 0;
	if (room == 0 || (!*ready && !ended))
		return 1;
	n = read(fd, link_payload(t), room);
	*ready = n == (ssize_t)room || (n < 0 && errno == EINTR);
	if (n > 0)
		board_session_put(lane->session, t, type, (size_t)n);
	if (n >= 0 || (errno != EINTR && errno != EAGAIN))
		return n > 0 ? 1 : n < 0 ? -errno : 0;
	/* Once the process has ended, an empty pipe is at its end, even if a descendant of the
	 * process holds it open. */
	return errno == EINTR || !ended;
}

static void lane_output(struct lane *lane, struct transfer *t)
{
	struct child *child = lane->child;
	int code, signal, out, err;
	bool ended;

	if (!child)
		return;
	ended = child_ended(child, &code, &signal);
	out = lane_take(lane, t, child_stdout(child), FRAME_DATA, ended);
	err = lane_take(lane, t, child_stderr(child), FRAME_NOTE, ended);
	if (out < 0 || err < 0) {
		lane_pipe_failed(lane, "cannot read its output", out < 0 ? -out : -err);
		return;
	}
	if (out == 0)
		child_close_stdout(child);
	if (err == 0)
		child_close_stderr(child);
	if (ended && out == 0 && err == 0) {
		board_session_exit(lane->session, code, signal);
		lane_stop(lane, "its process ended");
	}
}

static void lane_send(struct lane *lane)
{
	struct transfer t;
	uint8_t *buffer;
	size_t len;

	while ((buffer = ffs_send_buffer(lane->ffs))) {
		board_session_begin(lane->session, &t, buffer);
		lane_output(lane, &t);
		len = board_session_finish(lane->session, &t);
		if (len > 0)
			ffs_send(lane->ffs, len);
		else if (!board_session_pending(lane->session))
			break;
	}
	/* A lost transfer is a gap in the output: nothing may follow it. */
	if (ffs_send_error(lane->ffs) != 0)
		lane_drop(lane, "a transfer to the host was lost");
}

void lane_poll(struct lane *lane, struct pollfd *fds)
{
	const struct child *child = lane->child;
	bool sending = ffs_send_buffer(lane->ffs) != NULL;
	size_t input;

	board_session_input(lane->session, &input);
	fds[POLL_EP0] = (struct pollfd){.fd = ffs_ep0_fd(lane->ffs), .events = POLLIN};
	fds[POLL_COMPLETION] =
		(struct pollfd){.fd = ffs_completion_fd(lane->ffs), .events = POLLIN};
	fds[POLL_STDIN] = (struct pollfd){.fd = -1, .events = POLLOUT};
	fds[POLL_STDOUT] = (struct pollfd){.fd = -1, .events = POLLIN};
	fds[POLL_STDERR] = (struct pollfd){.fd = -1, .events = POLLIN};
	if (child && input > 0)
		fds[POLL_STDIN].fd = child_stdin(child);
	if (child && sending) {
		fds[POLL_STDOUT].fd = child_stdout(child);
		fds[POLL_STDERR].fd = child_stderr(child);
	}
}

/* Lines about a host that has no session are limited: it may have no key. */
static void limit_log(const struct lane *lane)
{
	log_limit(!board_session_is_open(lane->session));
}

static int process(struct lane *lane, const struct pollfd *fds, uint64_t now_ms)
{
	int err = 0;

	if (fds[POLL_STDOUT].fd < 0 || fds[POLL_STDOUT].revents)
		lane->out_ready = true;
	if (fds[POLL_STDERR].fd < 0 || fds[POLL_STDERR].revents)
		lane->err_ready = true;
	if (fds[POLL_STDIN].revents)
		lane->in_full = false;
	if (fds[POLL_EP0].revents)
		err = lane_events(lane);
	if (err == 0 && fds[POLL_COMPLETION].revents)
		err = lane_receive(lane, now_ms);
	if (err < 0)
		return err;
	if (board_session_tick(lane->session, now_ms) == BOARD_STOP)
		lane_stop(lane, reset_reason_text(RESET_LEASE));
	lane_feed(lane);
	lane_send(lane);
	return 0;
}

int lane_process(struct lane *lane, const struct pollfd *fds, uint64_t now_ms)
{
	int err;

	if (lane->failed)
		return 0;
	limit_log(lane);
	err = process(lane, fds, now_ms);
	log_limit(false);
	lane->failed = err < 0;
	return err;
}

uint64_t lane_deadline(const struct lane *lane)
{
	return board_session_deadline(lane->session);
}

void lane_shutdown(struct lane *lane)
{
	board_session_end(lane->session, RESET_SHUTDOWN, NULL);
	lane_stop(lane, reset_reason_text(RESET_SHUTDOWN));
}

bool lane_busy(const struct lane *lane)
{
	return !lane->failed && ffs_enabled(lane->ffs) &&
	       (board_session_pending(lane->session) || ffs_sending(lane->ffs));
}

bool lane_enabled(const struct lane *lane)
{
	return ffs_enabled(lane->ffs);
}

bool lane_bound(const struct lane *lane)
{
	return lane->bound;
}

unsigned int lane_bindings(const struct lane *lane)
{
	return lane->bindings;
}

int lane_addresses(const struct lane *lane, uint8_t *out, uint8_t *in)
{
	return ffs_addresses(lane->ffs, out, in);
}
