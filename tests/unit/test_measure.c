// SPDX-License-Identifier: Apache-2.0
// Tests --ping and --bench: the test plays pump, board and clock.
#include "core/base/log.h"
#include "host-usb/bench.h"
#include "host-usb/ping.h"
#include "host-usb/status.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The fake pump: it records the calls of the near end under test. */
struct pump {
	unsigned int pings, closes;
	int status, stdout_err;
};

static struct pump pump;
static uint64_t now_ns;
static struct usb_lane_counts lane_counts;

void pump_ping(struct pump *p)
{
	p->pings++;
}

void pump_close(struct pump *p, int status)
{
	p->closes++;
	p->status = status;
}

void pump_stdout_failed(struct pump *p, int err)
{
	p->stdout_err = err;
}

struct usb_lane_counts usb_lane_counts(const struct usb_lane *lane)
{
	return lane_counts;
}

/* Replaces the C library's function in this program. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
	t->tv_sec = (time_t)(now_ns / 1000000000);
	t->tv_nsec = (long)(now_ns % 1000000000);
	return 0;
}

static void pass_us(uint64_t us)
{
	now_ns += us * 1000;
}

/* `output` is stdout while a test runs; `saved` is the real stdout. */
static int output, saved;

static int setup(void **state)
{
	pump = (struct pump){0};
	lane_counts = (struct usb_lane_counts){0, 0};
	now_ns = 5000000000;
	log_open("bpfd-usb", LOG_ERROR);
	fflush(stdout);
	output = memfd_create("stdout", MFD_CLOEXEC);
	saved = dup(STDOUT_FILENO);
	return dup2(output, STDOUT_FILENO) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	return close(output);
}

static void assert_printed(const char *expected)
{
	static char text[65536];
	ssize_t n = pread(output, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

static const struct hello_reply reply = {
	.hello = {.major = 1, .minor = 0, .max_transfer = 16384},
	.window = 262144,
	.version = "0.1.0",
};

static void say(const struct near_end *near, const char *text)
{
	assert_int_equal(near->write(near->context, text, strlen(text)), strlen(text));
}

/* Expects that the near end sends this command now, and nothing else. */
static void expect_command(const struct near_end *near, const char *command)
{
	char text[256];
	ssize_t n = near->read(near->context, text, sizeof(text) - 1);

	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, command);
}

static void expect_nothing(const struct near_end *near)
{
	char byte;

	assert_int_equal(near->read(near->context, &byte, 1), -EAGAIN);
}

#define VERSION_REPLY "START_BPFD_OUTPUT\n0.1.0 2 6.1\nEND_BPFD_OUTPUT\n"

static void one_round(const struct near_end *near, uint64_t link_us, uint64_t bpfd_us)
{
	pass_us(link_us);
	near->pong(near->context);
	expect_command(near, "BPFD_VERSION\n");
	pass_us(bpfd_us);
	say(near, VERSION_REPLY);
}

static uint64_t tick(const struct near_end *near)
{
	return near->tick(near->context, now_ns / 1000000);
}

static struct ping *open_ping(uint64_t count, const struct near_end **near)
{
	struct ping *ping = ping_new("b7", "b7 at 1-2", count);

	assert_non_null(ping);
	*near = ping_near(ping);
	assert_true(tick(*near) == UINT64_MAX);
	(*near)->opened((*near)->context, &pump, &reply);
	assert_int_equal(pump.pings, 1);
	return ping;
}

static void ping_rounds(void **state)
{
	const struct near_end *near;
	struct ping *ping = open_ping(3, &near);
	static const unsigned int link[] = {400, 200, 300}, bpfd[] = {1000, 3000, 2500};

	say(near, "STARTED_BPFD\n");
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(pump.pings, i + 1);
		expect_nothing(near);
		one_round(near, link[i], bpfd[i]);
		near->pong(near->context); /* answers a PING that keeps the lease */
		assert_int_equal(pump.closes, i == 2);
		if (i == 2)
			break;
		assert_int_equal(tick(near), 6000 + 1000 * i); /* a second after the round began */
		now_ns = (6000 + 1000 * i) * 1000000ull;
		tick(near);
	}
	assert_int_equal(pump.status, 0);
	assert_int_equal(ping_end(ping, 0), 0);
	assert_printed("PING b7 at 1-2: link 1.0, version 0.1.0\n"
		       "b7: seq=1 link=0.400 ms bpfd=1.000 ms\n"
		       "b7: seq=2 link=0.200 ms bpfd=3.000 ms\n"
		       "b7: seq=3 link=0.300 ms bpfd=2.500 ms\n"
		       "--- b7 ---\n"
		       "3 sent, 3 answered by the link, 3 by bpfd\n"
		       "link min/median/max = 0.200/0.300/0.400 ms\n"
		       "bpfd min/median/max = 1.000/2.500/3.000 ms\n");
	ping_free(ping);
}

/* bpfd prints its banner late and in pieces. Then it hangs, and its late reply does not count for
 * the round in which it arrives. */
static void ping_slow_bpfd(void **state)
{
	const struct near_end *near;
	struct ping *ping = open_ping(0, &near);

	pass_us(500);
	near->pong(near->context);
	expect_nothing(near);
	pass_us(3000000);
	tick(near);
	say(near, "STARTED");
	expect_nothing(near);
	say(near, "_BPFD\n");
	expect_command(near, "BPFD_VERSION\n");
	pass_us(100);
	assert_true(tick(near) > now_ns / 1000000);
	pass_us(5000000);
	tick(near); /* the round is over */
	tick(near); /* the next begins */
	assert_int_equal(pump.pings, 2);
	pass_us(600);
	near->pong(near->context);
	expect_nothing(near);
	say(near, VERSION_REPLY);
	pass_us(1000000);
	tick(near);
	one_round(near, 700, 800);
	assert_int_equal(ping_end(ping, -SIGINT), 0);
	assert_printed("PING b7 at 1-2: link 1.0, version 0.1.0\n"
		       "b7: seq=1 link=0.500 ms bpfd: no answer\n"
		       "b7: seq=2 link=0.600 ms bpfd: still no answer\n"
		       "b7: seq=3 link=0.700 ms bpfd=0.800 ms\n"
		       "--- b7 ---\n"
		       "3 sent, 3 answered by the link, 1 by bpfd\n"
		       "link min/median/max = 0.500/0.600/0.700 ms\n"
		       "bpfd min/median/max = 0.800/0.800/0.800 ms\n");
	ping_free(ping);
}

/* Nothing is sent to a program other than bpfd, whether it is silent or not. */
static void check_ping_foreign(const char *text)
{
	const struct near_end *near;
	struct ping *ping = open_ping(2, &near);

	pass_us(500);
	near->pong(near->context);
	if (text)
		say(near, text);
	else
		pass_us(5000000);
	tick(near);
	expect_nothing(near);
	pass_us(1000000);
	tick(near);
	assert_int_equal(pump.pings, 2);
	pass_us(700);
	near->pong(near->context);
	expect_nothing(near);
	assert_int_equal(pump.closes, 1);
	assert_int_equal(ping_end(ping, 0), 0);
	ping_free(ping);
}

static void ping_foreign_prompt(void **state)
{
	check_ping_foreign("$ ");
	assert_printed("PING b7 at 1-2: link 1.0, version 0.1.0\n"
		       "b7: seq=1 link=0.500 ms\n"
		       "b7: seq=2 link=0.700 ms\n"
		       "--- b7 ---\n"
		       "2 sent, 2 answered by the link, 0 by bpfd\n"
		       "link min/median/max = 0.500/0.500/0.700 ms\n");
}

static void ping_foreign_line(void **state)
{
	check_ping_foreign("hello\n");
}

static void ping_foreign_replies(void **state)
{
	check_ping_foreign("STARTED_BPFD\n" VERSION_REPLY VERSION_REPLY);
}

static void ping_foreign_silent(void **state)
{
	check_ping_foreign(NULL);
}

static void ping_statuses(void **state)
{
	struct ping *ping = ping_new("b7", "b7", 0);
	const struct near_end *near = ping_near(ping);

	/* The session was never opened: no summary. */
	assert_int_equal(ping_end(ping, STATUS_LOST), STATUS_LOST);
	assert_int_equal(ping_end(ping, -SIGINT), -SIGINT);
	assert_printed("");
	near->opened(near->context, &pump, &reply);
	assert_int_equal(ping_end(ping, -SIGINT), -SIGINT); /* no answer yet */
	near->pong(near->context);
	assert_int_equal(ping_end(ping, -SIGINT), 0);
	assert_int_equal(ping_end(ping, -SIGTERM), -SIGTERM);
	assert_int_equal(ping_end(ping, STATUS_LOST), STATUS_LOST);
	assert_int_equal(near->finish(near->context), 0);
	assert_int_equal(ping_end(ping, 0), STATUS_LOST);
	ping_free(ping);
}

#define LOOKUP "BPF_LOOKUP_ELEM 7 AAAAAA== 4 65536\n"

static struct bench *open_bench(const struct near_end **near)
{
	struct bench *bench = bench_new("b7", NULL, 65536);

	assert_non_null(bench);
	*near = bench_near(bench);
	(*near)->opened((*near)->context, &pump, &reply);
	return bench;
}

/* A round to the board: 1,000,000 bytes of blanks in a second, in transfers of 10,000. */
static void bench_to_board(const struct near_end *near)
{
	static char data[10000];

	for (int i = 0; i < 100; i++) {
		assert_int_equal(near->read(near->context, data, sizeof(data)), sizeof(data));
		assert_int_equal(strspn(data, " "), sizeof(data) - 1);
		assert_int_equal(data[sizeof(data) - 1], '\n');
		lane_counts.out_transfers++;
		pass_us(10000);
	}
	expect_command(near, "BPFD_VERSION\n");
	expect_nothing(near);
	pass_us(250000); /* until bpfd has read everything */
	say(near, VERSION_REPLY);
}

/* A round from the board: replies of 100 bytes, eight of them requested in advance. */
static void bench_from_board(const struct near_end *near)
{
	char text[128];
	int due = 0;

	snprintf(text, sizeof(text), "START_BPFD_OUTPUT\n%065d\nEND_BPFD_OUTPUT\n", 0);
	assert_int_equal(strlen(text), 100);
	for (int ms = 0; ms < 1000; ms += 100) {
		for (; due < 8; due++)
			expect_command(near, LOOKUP);
		expect_nothing(near);
		pass_us(100000);
		say(near, text);
		lane_counts.in_transfers++;
		due--;
	}
	expect_nothing(near);
	for (; due > 0; due--)
		say(near, text);
}

static void bench_rounds(void **state)
{
	const struct near_end *near;
	struct bench *bench = open_bench(&near);

	expect_nothing(near);
	say(near, "STARTED_BPFD\n");
	expect_command(near, "BPF_CREATE_MAP 2 bench 4 65536 1 0\n");
	expect_nothing(near);
	say(near, "START_BPFD_OUTPUT\nbpf_create_map: ret=7\nEND_BPFD_OUTPUT\n");
	for (int i = 0; i < 5; i++)
		bench_to_board(near);
	for (int i = 0; i < 5; i++)
		bench_from_board(near);
	assert_int_equal(pump.closes, 1);
	assert_int_equal(pump.status, 0);
	expect_nothing(near);
	assert_true(tick(near) == UINT64_MAX);
	assert_int_equal(bench_end(bench, 0), 0);
#define OUT(n) "to the board    round " n ": 1000013 bytes in 100 transfers, 1.250 s, 0.80 MB/s\n"
#define IN(n)  "from the board  round " n ": 1700 bytes in 10 transfers, 1.000 s, 0.00 MB/s\n"
	assert_printed("b7: version 0.1.0, transfers below 16384 bytes to the board and 65536 from "
		       "it, window 262144\n" OUT("1") OUT("2") OUT("3") OUT("4") OUT("5") IN(
			       "1") IN("2") IN("3") IN("4")
			       IN("5") "to the board    min/median/max = 0.80/0.80/0.80 MB/s\n"
				       "from the board  min/median/max = 0.00/0.00/0.00 MB/s\n");
	bench_free(bench);
}

/* The time of a round ends while no command is unanswered. */
static void bench_idle_end(void **state)
{
	const struct near_end *near;
	struct bench *bench = open_bench(&near);

	say(near, "STARTED_BPFD\n");
	expect_command(near, "BPF_CREATE_MAP 2 bench 4 65536 1 0\n");
	say(near, "START_BPFD_OUTPUT\nbpf_create_map: ret=7\nEND_BPFD_OUTPUT\n");
	for (int i = 0; i < 5; i++)
		bench_to_board(near);
	for (int i = 0; i < 8; i++)
		expect_command(near, LOOKUP);
	for (int i = 0; i < 8; i++)
		say(near, VERSION_REPLY);
	pass_us(1000000);
	expect_command(near, LOOKUP); /* of the second round */
	bench_free(bench);
}

static void check_bench_refused(const char *first, const char *second)
{
	const struct near_end *near;
	struct bench *bench = open_bench(&near);
	char data[100];

	if (first) {
		say(near, first);
	} else {
		pass_us(5000000);
		tick(near);
	}
	if (second) {
		assert_true(near->read(near->context, data, sizeof(data)) > 0);
		say(near, second);
	}
	assert_int_equal(pump.closes, 1);
	assert_int_equal(pump.status, STATUS_LOST);
	expect_nothing(near);
	assert_true(tick(near) == UINT64_MAX);
	assert_int_equal(bench_end(bench, STATUS_LOST), STATUS_LOST);
	bench_free(bench);
	pump = (struct pump){0};
}

static void bench_refused(void **state)
{
	check_bench_refused(NULL, NULL);
	check_bench_refused("hello\n", NULL);
	check_bench_refused("STARTED_BPFD\nrubbish\n", NULL);
	check_bench_refused("STARTED_BPFD\n" VERSION_REPLY VERSION_REPLY, NULL);
	check_bench_refused(
		"STARTED_BPFD\n", "START_BPFD_OUTPUT\nbpf_create_map: ret=-1\nEND_BPFD_OUTPUT\n");
	check_bench_refused("STARTED_BPFD\n",
		"START_BPFD_OUTPUT\nbpf_create_map: ret=99999999999\nEND_BPFD_OUTPUT\n");
	check_bench_refused(
		"STARTED_BPFD\n", "START_BPFD_OUTPUT\nCommand not recognized\nEND_BPFD_OUTPUT\n");
}

/* The link answers, but bpfd hangs. */
static void bench_stuck(void **state)
{
	const struct near_end *near;
	struct bench *bench = open_bench(&near);
	char data[100];

	say(near, "STARTED_BPFD\n");
	near->read(near->context, data, sizeof(data));
	pass_us(14999000);
	tick(near);
	assert_int_equal(pump.closes, 0);
	pass_us(2000);
	tick(near);
	assert_int_equal(pump.status, STATUS_LOST);
	assert_int_equal(near->finish(near->context), 0);
	assert_int_equal(bench_end(bench, 0), STATUS_LOST);
	bench_free(bench);
}

#define measure_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		measure_test(ping_rounds),
		measure_test(ping_slow_bpfd),
		measure_test(ping_foreign_prompt),
		measure_test(ping_foreign_line),
		measure_test(ping_foreign_replies),
		measure_test(ping_foreign_silent),
		measure_test(ping_statuses),
		measure_test(bench_rounds),
		measure_test(bench_idle_end),
		measure_test(bench_refused),
		measure_test(bench_stuck),
	};

	return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
