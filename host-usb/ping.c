/* SPDX-License-Identifier: Apache-2.0 */
/* Measures round trips: each round is a PING of the link, then a command to bpfd. */
#include "host-usb/ping.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "host-usb/print.h"
#include "host-usb/replies.h"
#include "host-usb/status.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PING_INTERVAL_MS 1000 /* like ping(8) */
#define PING_ANSWER_MS	 5000 /* a round waits this long for bpfd's answer */
#define PING_RETRY_MS	 100  /* between two checks of a stdout that is full */

static const char command[] = "BPFD_VERSION\n"; /* the cheapest command that has a reply */

enum ping_state {
	PING_CLOSED,  /* no session yet */
	PING_LINK,    /* PING was sent */
	PING_BANNER,  /* the link answered; bpfd has not printed its banner yet */
	PING_COMMAND, /* the command was sent */
	PING_PAUSE,
};

struct ping {
	struct near_end near;
	struct pump *pump;
	const char *board, *title;
	uint64_t count;
	enum ping_state state;
	uint64_t rounds, opened_ms, round_ms;
	uint64_t sent_ns, link_ns; /* time of the last PING or command; round trip of the link */
	struct samples link, bpfd;
	struct replies replies;
	uint64_t commands; /* sent to bpfd so far */
	size_t unsent;	   /* bytes of the last command */
	bool link_only;	   /* the board's process is not bpfd */
	bool ended;	   /* the board's process has ended */
};

static void ping_round(struct ping *p)
{
	p->rounds++;
	p->round_ms = clock_monotonic_ms();
	p->state = PING_LINK;
	p->sent_ns = clock_ns(CLOCK_MONOTONIC);
	pump_ping(p->pump);
}

/* `answer` is the end of the line: the result of the command. */
static void ping_round_over(struct ping *p, const char *answer)
{
	int err = print("%s: seq=%llu link=%.3f ms%s\n", p->board, (unsigned long long)p->rounds,
		(double)p->link_ns / 1e6, answer);

	p->state = PING_PAUSE;
	if (err < 0)
		pump_stdout_failed(p->pump, err);
	else if (p->rounds == p->count)
		pump_close(p->pump, 0);
}

/* Begins the second half of a round, after the link has answered. Sends no command while bpfd has
 * not answered an earlier one. */
static void ping_command(struct ping *p)
{
	if (p->replies.state == REPLIES_FOREIGN && !p->link_only) {
		p->link_only = true;
		log_info("board: the program on the lane is not bpfd; measuring only the link");
	}
	if (p->link_only) {
		ping_round_over(p, "");
	} else if (!replies_ready(&p->replies)) {
		p->state = PING_BANNER;
	} else if (p->replies.count < p->commands) {
		ping_round_over(p, " bpfd: still no answer");
	} else {
		p->state = PING_COMMAND;
		p->commands++;
		p->unsent = strlen(command);
		p->sent_ns = clock_ns(CLOCK_MONOTONIC);
	}
}

static void ping_answered(struct ping *p)
{
	uint64_t ns = clock_ns(CLOCK_MONOTONIC) - p->sent_ns;
	char text[64];

	samples_add(&p->bpfd, ns);
	snprintf(text, sizeof(text), " bpfd=%.3f ms", (double)ns / 1e6);
	ping_round_over(p, text);
}

static ssize_t ping_read(void *context, void *data, size_t room)
{
	struct ping *p = context;
	size_t len = p->unsent < room ? p->unsent : room;

	if (len == 0)
		return -EAGAIN;
	memcpy(data, command + strlen(command) - p->unsent, len);
	p->unsent -= len;
	return (ssize_t)len;
}

static ssize_t ping_write(void *context, const void *data, size_t len)
{
	struct ping *p = context;

	for (size_t done = 0; done < len;)
		done += replies_take(&p->replies, (const char *)data + done, len - done);
	if (p->replies.count > p->commands) /* a reply without a command */
		p->replies.state = REPLIES_FOREIGN;
	if (p->state == PING_BANNER && p->replies.state != REPLIES_BANNER)
		ping_command(p);
	else if (p->state == PING_COMMAND && p->replies.state == REPLIES_FOREIGN)
		ping_command(p);
	else if (p->state == PING_COMMAND && p->replies.count >= p->commands)
		ping_answered(p);
	return (ssize_t)len;
}

static int ping_finish(void *context)
{
	struct ping *p = context;

	p->ended = true;
	log_error("board: the process of the session has ended");
	return 0;
}

static void ping_opened(void *context, struct pump *pump, const struct hello_reply *reply)
{
	struct ping *p = context;
	int err;

	p->pump = pump;
	p->opened_ms = clock_monotonic_ms();
	err = print("PING %s: link %u.%u, version %s\n", p->title, reply->hello.major,
		reply->hello.minor, reply->version);
	if (err < 0)
		pump_stdout_failed(pump, err);
	else
		ping_round(p);
}

static void ping_pong(void *context)
{
	struct ping *p = context;

	if (p->state != PING_LINK)
		return; /* answers a PING that keeps the lease */
	p->link_ns = clock_ns(CLOCK_MONOTONIC) - p->sent_ns;
	samples_add(&p->link, p->link_ns);
	ping_command(p);
}

static uint64_t ping_tick(void *context, uint64_t now_ms)
{
	struct ping *p = context;
	uint64_t due = UINT64_MAX;

	if (p->state == PING_BANNER)
		due = p->opened_ms + REPLIES_BANNER_MS;
	else if (p->state == PING_COMMAND)
		due = p->round_ms + PING_ANSWER_MS;
	else if (p->state == PING_PAUSE)
		due = p->round_ms + PING_INTERVAL_MS;
	if (now_ms < due)
		return due;
	if (p->state == PING_PAUSE && !print_ready())
		return now_ms + PING_RETRY_MS;
	if (p->state == PING_PAUSE) {
		ping_round(p);
		return UINT64_MAX;
	}
	if (p->state == PING_BANNER) {
		p->replies.state = REPLIES_FOREIGN;
		ping_command(p);
	} else {
		ping_round_over(p, " bpfd: no answer");
	}
	return now_ms;
}

struct ping *ping_new(const char *board, const char *title, uint64_t count)
{
	struct ping *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->board = board;
	p->title = title;
	p->count = count;
	p->near = (struct near_end){
		.context = p,
		.in_fd = -1,
		.out_fd = STDOUT_FILENO,
		.read = ping_read,
		.write = ping_write,
		.finish = ping_finish,
		.opened = ping_opened,
		.pong = ping_pong,
		.tick = ping_tick,
	};
	return p;
}

void ping_free(struct ping *ping)
{
	free(ping);
}

const struct near_end *ping_near(const struct ping *ping)
{
	return &ping->near;
}

int ping_end(struct ping *p, int status)
{
	int err;

	if (p->ended)
		status = STATUS_LOST;
	if (status == -SIGINT && p->link.count > 0)
		status = 0;
	if (p->rounds == 0 || status == -SIGPIPE)
		return status;
	err = print("--- %s ---\n%llu sent, %llu answered by the link, %llu by bpfd\n", p->board,
		(unsigned long long)p->rounds, (unsigned long long)p->link.count,
		(unsigned long long)p->bpfd.count);
	if (err == 0)
		err = print_samples("link", &p->link, 3, "ms");
	if (err == 0)
		err = print_samples("bpfd", &p->bpfd, 3, "ms");
	return print_end(status, err);
}
