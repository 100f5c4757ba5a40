/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the throughput of a session, in rounds. */
#include "host-usb/bench.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/options.h"
#include "host-usb/print.h"
#include "host-usb/replies.h"
#include "host-usb/status.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BENCH_ROUNDS 5
/* Then nothing new is sent, and the round ends with the last reply. */
#define BENCH_ROUND_NS	1000000000ull
#define BENCH_SILENT_MS 15000 /* give up if only the link is alive */

/* The size of the map's value, in bytes. The kernel copies it through contiguous memory, which a
 * small board still has at this size. The reply of 87 KB is so long that its command does not
 * matter. */
#define BENCH_VALUE "65536"
/* Lookups sent in advance keep bpfd busy. At full speed their replies take most of a second. */
#define BENCH_AHEAD 8

enum bench_phase { BENCH_CLOSED, BENCH_BANNER, BENCH_MAP, BENCH_OUT, BENCH_IN, BENCH_OVER };

struct bench {
	struct near_end near;
	struct pump *pump;
	const struct usb_lane *lane;
	size_t transfer; /* size of the lane's buffers in bytes */
	const char *title;
	enum bench_phase phase;
	struct replies replies;
	uint64_t asked;	    /* commands sent so far */
	char command[128];  /* the last command */
	const char *unsent; /* the rest of it, still to be sent; NULL: none */
	char lookup[64];    /* the command that reads the map */
	uint64_t moved_ms;  /* when bytes last moved in either direction */

	/* The current round. */
	unsigned int round;
	uint64_t start_ns, bytes, transfers;
	bool is_late; /* its time is over */

	struct samples out, in; /* bytes per second */
	bool ended;		/* the board's process has ended */
};

static void bench_failed(struct bench *b)
{
	b->phase = BENCH_OVER;
	pump_close(b->pump, STATUS_LOST);
}

static void bench_ask(struct bench *b, const char *command)
{
	snprintf(b->command, sizeof(b->command), "%s", command);
	b->unsent = b->command;
	b->asked++;
}

static uint64_t bench_transfers(const struct bench *b)
{
	struct usb_lane_counts counts = usb_lane_counts(b->lane);

	return b->phase == BENCH_OUT ? counts.out_transfers : counts.in_transfers;
}

static void bench_round(struct bench *b, enum bench_phase phase)
{
	b->round = phase == b->phase ? b->round + 1 : 1;
	b->phase = phase;
	b->bytes = 0;
	b->is_late = false;
	b->transfers = bench_transfers(b);
	b->start_ns = clock_ns(CLOCK_MONOTONIC);
}

static bool bench_late(struct bench *b)
{
	if (!b->is_late)
		b->is_late = clock_ns(CLOCK_MONOTONIC) - b->start_ns >= BENCH_ROUND_NS;
	return b->is_late;
}

static const char *direction(enum bench_phase phase)
{
	return phase == BENCH_OUT ? "to the board" : "from the board";
}

static void bench_round_over(struct bench *b)
{
	double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - b->start_ns) / 1e9;
	uint64_t transfers = bench_transfers(b) - b->transfers;
	double rate = (double)b->bytes / seconds;
	int err;

	samples_add(b->phase == BENCH_OUT ? &b->out : &b->in, (uint64_t)rate);
	err = print("%-14s  round %u: %llu bytes in %llu transfers, %.3f s, %.2f MB/s\n",
		direction(b->phase), b->round, (unsigned long long)b->bytes,
		(unsigned long long)transfers, seconds, rate / 1e6);
	if (err < 0) {
		pump_stdout_failed(b->pump, err);
	} else if (b->round < BENCH_ROUNDS) {
		bench_round(b, b->phase);
	} else if (b->phase == BENCH_OUT) {
		bench_round(b, BENCH_IN);
	} else {
		b->phase = BENCH_OVER;
		pump_close(b->pump, 0);
	}
}

static void bench_not_bpfd(struct bench *b)
{
	log_error("bench: the program on the lane is not bpfd; nothing more is sent to it");
	bench_failed(b);
}

/* Handles the reply of BPF_CREATE_MAP. */
static void bench_map(struct bench *b)
{
	static const char made[] = "bpf_create_map: ret=";
	const char *ret = b->replies.first + strlen(made);
	uint64_t handle;

	if (strncmp(b->replies.first, made, strlen(made)) == 0 &&
		options_number(ret, 0, INT_MAX, &handle) == 0) {
		snprintf(b->lookup, sizeof(b->lookup),
			"BPF_LOOKUP_ELEM %d AAAAAA== 4 " BENCH_VALUE "\n", (int)handle);
		bench_round(b, BENCH_OUT);
		return;
	}
	log_error("bench: bpfd on the board cannot create the map to read; check that it runs as "
		  "root");
	bench_failed(b);
}

static void bench_reply(struct bench *b)
{
	static const char refused[] = "bpf_lookup_elem: ret=";

	if (b->phase == BENCH_MAP) {
		bench_map(b);
	} else if (b->phase == BENCH_IN &&
		   (strncmp(b->replies.first, refused, strlen(refused)) == 0 ||
			   strncmp(b->replies.first, "Command", 7) == 0)) {
		log_error("bench: bpfd on the board cannot read its own map");
		bench_failed(b);
	} else if (b->is_late && b->replies.count == b->asked && b->phase != BENCH_OVER) {
		bench_round_over(b);
	}
}

static ssize_t bench_write(void *context, const void *data, size_t len)
{
	struct bench *b = context;
	uint64_t before;

	b->moved_ms = clock_monotonic_ms();
	if (b->phase == BENCH_IN)
		b->bytes += len;
	for (size_t done = 0; done < len && b->phase != BENCH_OVER;) {
		before = b->replies.count;
		done += replies_take(&b->replies, (const char *)data + done, len - done);
		if (b->replies.state == REPLIES_FOREIGN || b->replies.count > b->asked) {
			bench_not_bpfd(b);
		} else if (b->phase == BENCH_BANNER && replies_ready(&b->replies)) {
			b->phase = BENCH_MAP;
			bench_ask(b, "BPF_CREATE_MAP 2 bench 4 " BENCH_VALUE " 1 0\n");
		} else if (b->replies.count > before) {
			bench_reply(b);
		}
	}
	return (ssize_t)len;
}

static ssize_t read_command(struct bench *b, void *data, size_t room)
{
	size_t len = strlen(b->unsent);

	if (len > room)
		len = room;
	memcpy(data, b->unsent, len);
	b->unsent = b->unsent[len] ? b->unsent + len : NULL;
	return (ssize_t)len;
}

static ssize_t read_blanks(void *data, size_t room)
{
	memset(data, ' ', room);
	((char *)data)[room - 1] = '\n';
	return (ssize_t)room;
}

/* A round to the board sends blanks, then a command; its reply shows that bpfd has read all blanks.
 * A round from the board keeps BENCH_AHEAD lookups unanswered. */
static ssize_t bench_read(void *context, void *data, size_t room)
{
	struct bench *b = context;
	ssize_t n = -EAGAIN;

	if (b->phase == BENCH_IN && b->asked == b->replies.count && bench_late(b))
		bench_round_over(b); /* its time ended when nothing was unanswered */
	if (!b->unsent && b->phase == BENCH_OUT && !b->is_late && bench_late(b))
		bench_ask(b, "BPFD_VERSION\n");
	if (!b->unsent && b->phase == BENCH_IN && b->asked - b->replies.count < BENCH_AHEAD &&
		!bench_late(b))
		bench_ask(b, b->lookup);
	if (b->unsent)
		n = read_command(b, data, room);
	else if (b->phase == BENCH_OUT && !b->is_late)
		n = read_blanks(data, room);
	if (n > 0)
		b->moved_ms = clock_monotonic_ms();
	if (n > 0 && b->phase == BENCH_OUT)
		b->bytes += (uint64_t)n;
	return n;
}

static int bench_finish(void *context)
{
	struct bench *b = context;

	b->ended = true;
	log_error("board: the process of the session has ended");
	return 0;
}

static void bench_opened(void *context, struct pump *pump, const struct hello_reply *reply)
{
	struct bench *b = context;
	size_t out =
		reply->hello.max_transfer < b->transfer ? reply->hello.max_transfer : b->transfer;
	int err = print("%s: version %s, transfers below %zu bytes to the board and %zu from it, "
			"window %lu\n",
		b->title, reply->version, out, b->transfer, (unsigned long)reply->window);

	b->pump = pump;
	b->phase = BENCH_BANNER;
	b->moved_ms = clock_monotonic_ms();
	if (err < 0)
		pump_stdout_failed(pump, err);
}

static uint64_t bench_tick(void *context, uint64_t now_ms)
{
	struct bench *b = context;
	uint64_t due = b->moved_ms;

	if (b->phase == BENCH_CLOSED || b->phase == BENCH_OVER)
		return UINT64_MAX;
	due += b->phase == BENCH_BANNER ? REPLIES_BANNER_MS : BENCH_SILENT_MS;
	if (now_ms < due)
		return due;
	if (b->phase == BENCH_BANNER) {
		bench_not_bpfd(b);
	} else {
		log_error("bench: bpfd on the board does not answer");
		bench_failed(b);
	}
	return UINT64_MAX;
}

struct bench *bench_new(const char *title, const struct usb_lane *lane, size_t transfer)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->title = title;
	b->lane = lane;
	b->transfer = transfer;
	b->near = (struct near_end){
		.context = b,
		.in_fd = -1,
		.out_fd = STDOUT_FILENO,
		.read = bench_read,
		.write = bench_write,
		.finish = bench_finish,
		.opened = bench_opened,
		.tick = bench_tick,
	};
	return b;
}

void bench_free(struct bench *bench)
{
	free(bench);
}

const struct near_end *bench_near(const struct bench *bench)
{
	return &bench->near;
}

static int print_rates(enum bench_phase phase, struct samples *samples)
{
	char name[32];

	snprintf(name, sizeof(name), "%-14s ", direction(phase));
	return print_samples(name, samples, 2, "MB/s");
}

int bench_end(struct bench *b, int status)
{
	int err;

	if (b->ended)
		status = STATUS_LOST;
	if (status == -SIGPIPE)
		return status;
	err = print_rates(BENCH_OUT, &b->out);
	if (err == 0)
		err = print_rates(BENCH_IN, &b->in);
	return print_end(status, err);
}
