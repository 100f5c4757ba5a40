/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a part of a fault campaign in the VM; prints TAP and the faults survived. */
#include "tests/campaign/campaign.h"

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define IDLE_EVERY 12	 /* faults */
#define RINGS_FEW  10	 /* fewer sessions with a ring may have no record at all */
#define WAIT_MS	   90000 /* generous, for a busy machine */

static const char usage[] =
	"usage: campaign --build DIR --script FILE --rings FILE --seed N [--first N] [--faults N]\n"
	"                [--seconds N] [--only WORD] [--verbose] [--trace]\n"
	"Injects the faults --first to --first + --faults - 1 of a seed, none after --seconds.\n"
	"--only: injects only kinds whose names contain this word.\n"
	"--trace: prints the frames of sessions that are wrong or slow.\n";

static struct {
	unsigned int violations;
	const char *kind;
	uint64_t number;
	uint64_t longest, longest_ms;
} run;

uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t z = a + 0x9e3779b97f4a7c15 * (b + 1);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t draw(uint64_t *state, uint64_t limit)
{
	*state = mix(*state, 0);
	return *state % limit;
}

/* Works on eight bytes at a time, because emulation is slow. */
void pattern(uint64_t key, uint64_t at, uint8_t *data, size_t len)
{
	while (len > 0) {
		uint64_t word = mix(key, at / 8);
		size_t from = at % 8, part = 8 - from < len ? 8 - from : len;

		memcpy(data, (uint8_t *)&word + from, part);
		data += part;
		at += part;
		len -= part;
	}
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void nap(unsigned int ms)
{
	poll(NULL, 0, (int)ms);
}

void violation(const char *format, ...)
{
	char text[6000], *line, *rest = text;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	run.violations++;
	printf("# VIOLATION after fault %" PRIu64 " (%s):\n", run.number, run.kind);
	while ((line = strsep(&rest, "\n")))
		printf("#   %s\n", line);
	fflush(stdout);
}

unsigned int violations(void)
{
	return run.violations;
}

struct target {
	struct session *s;
	bool child;
};

static bool target_there(void *arg)
{
	const struct target *t = arg;

	if (!t->s->pid)
		t->s->rest_ms = 0;
	return t->s->pid && !t->s->taint && (!t->child || session_child(t->s) > 0);
}

struct recovery {
	struct sessions *all;
	unsigned int lane;
	uint64_t era;
};

static bool has_recovered(void *arg)
{
	const struct recovery *r = arg;

	/* The lane's present session need not keep its input open. */
	r->all->lanes[r->lane].hold_ms = 0;

	return r->all->good[r->lane] >= r->era;
}

/* Checks that the next session on this lane is clean, and that nothing is left. */
static void verify(struct campaign *c, unsigned int lane)
{
	struct recovery r = {&c->sessions, lane, ++c->sessions.era};

	c->sessions.short_lane = lane;
	if (!sessions_run(&c->sessions, WAIT_MS, has_recovered, &r))
		violation("lane %u: no clean session: %.*s", lane, (int)c->board.tail_len,
			c->board.tail);
	c->sessions.short_lane = CAMPAIGN_LANES;
	board_read_log(&c->board);
	if (!board_alive(&c->board)) {
		violation("daemon: has ended: %.*s", (int)c->board.tail_len, c->board.tail);
		campaign_restart(c, run.number, false);
	}
	invariants_watch();
}

static bool is_idle(void *sessions)
{
	return sessions_idle(sessions);
}

static void check_idle(struct campaign *c)
{
	c->sessions.starting = false;
	if (!sessions_run(&c->sessions, WAIT_MS, is_idle, &c->sessions))
		violation("session: does not end");
	else
		invariants_idle(&c->sessions, &c->board);
	c->sessions.starting = true;
}

static void one_fault(struct campaign *c, const struct plan *plan)
{
	const struct kind *kind = &kinds[plan->kind];
	unsigned int lane = plan->lane % c->sessions.count;
	struct target target = {&c->sessions.lanes[lane], kind->flags & NEEDS_CHILD};

	if (kind->flags & ON_LANE && !sessions_run(&c->sessions, WAIT_MS, target_there, &target)) {
		violation("lane %u: no session for the fault", lane);
		return;
	}
	sessions_run(&c->sessions, plan->delay_ms, NULL, NULL);
	if (kind->flags & ON_LANE && !sessions_run(&c->sessions, WAIT_MS, target_there, &target))
		violation("lane %u: no session for the fault", lane);
	else
		kind->inject(c, plan, target.s);
}

struct tally {
	unsigned int tried, survived;
	uint64_t ms;
};

struct settings {
	const char *build, *script, *rings, *only;
	uint64_t seed, first, faults, seconds;
	bool verbose, trace;
};

static uint64_t campaign(struct campaign *c, const struct settings *o, struct tally *tally)
{
	uint64_t begin = now_ms(), start, n;
	struct plan plan;
	unsigned int before;

	for (n = 0; n < o->faults && now_ms() - begin < o->seconds * 1000; n++) {
		plan = plan_fault(c->seed, o->first + n);
		for (uint64_t i = 1; o->only && !strstr(kinds[plan.kind].name, o->only); i++)
			plan = plan_fault(mix(c->seed, i), o->first + n);
		run.kind = kinds[plan.kind].name;
		run.number = o->first + n;
		before = run.violations;
		start = now_ms();
		one_fault(c, &plan);
		if (!plan.rush)
			verify(c, plan.lane % c->sessions.count);
		if (n % IDLE_EVERY == IDLE_EVERY - 1)
			check_idle(c);
		tally[plan.kind].tried++;
		tally[plan.kind].survived += run.violations == before;
		tally[plan.kind].ms += now_ms() - start;
		if (now_ms() - start > run.longest_ms) {
			run.longest_ms = now_ms() - start;
			run.longest = run.number;
		}
		if (o->verbose) {
			printf("# %" PRIu64 " %s%s: %" PRIu64 " ms, lane %u of %u\n", run.number,
				run.kind, plan.rush ? " (rush)" : "", now_ms() - start,
				plan.lane % c->sessions.count, c->sessions.count);
			fflush(stdout);
		}
	}
	return n;
}

static void report(const struct campaign *c, const struct tally *tally, uint64_t n, uint64_t ms)
{
	unsigned int tests = 0;

	for (unsigned int i = 0; i < kind_count; i++) {
		if (tally[i].tried == 0)
			continue;
		printf("%sok %u - %s: survived %u of %u, %" PRIu64 " ms each\n",
			tally[i].survived == tally[i].tried ? "" : "not ", ++tests, kinds[i].name,
			tally[i].survived, tally[i].tried, tally[i].ms / tally[i].tried);
	}
	printf("%sok %u - no violation\n", run.violations ? "not " : "", ++tests);
	printf("%sok %u - records of rings arrive\n",
		c->sessions.by_mode[MODE_RING] < RINGS_FEW || traffic_records() ? "" : "not ",
		++tests);
	printf("1..%u\n", tests);
	for (unsigned int i = 0; i < MODES; i++)
		printf("# sessions %s: %" PRIu64 "\n", mode_name((enum mode)i),
			c->sessions.by_mode[i]);
	printf("# records of rings: %" PRIu64 "\n", traffic_records());
	printf("# sessions: %" PRIu64 ", %" PRIu64 " of them clean, %" PRIu64
	       " bytes of output; the machine stalled %" PRIu64 " times\n",
		c->sessions.done, c->sessions.done_well, c->sessions.bytes, c->sessions.stalls);
	printf("# the longest session, %" PRIu64 " ms: %.*s\n", c->sessions.slowest_ms,
		(int)strcspn(c->sessions.slowest, "\n"), c->sessions.slowest);
	printf("# the longest fault, %" PRIu64 " ms: number %" PRIu64 "\n", run.longest_ms,
		run.longest);
	invariants_report();
	printf("# seed %" PRIu64 ": %" PRIu64 " faults in %" PRIu64 " s, %" PRIu64
	       " ms each, %u violations\n",
		c->seed, n, ms / 1000, n ? ms / n : 0, run.violations);
}

static bool take_options(struct settings *o, int argc, char **argv)
{
	static const struct option options[] = {{"build", 1, NULL, 'b'}, {"script", 1, NULL, 'S'},
		{"rings", 1, NULL, 'R'}, {"seed", 1, NULL, 's'}, {"first", 1, NULL, 'f'},
		{"faults", 1, NULL, 'n'}, {"seconds", 1, NULL, 't'}, {"only", 1, NULL, 'o'},
		{"verbose", 0, NULL, 'v'}, {"trace", 0, NULL, 'T'}, {0}};
	int id;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (id) {
		case 'b':
			o->build = optarg;
			break;
		case 'S':
			o->script = optarg;
			break;
		case 'R':
			o->rings = optarg;
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			o->first = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			o->faults = strtoull(optarg, NULL, 0);
			break;
		case 't':
			o->seconds = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			o->only = optarg;
			break;
		case 'T':
			o->trace = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			return false;
		}
	}
	return o->build && o->script && o->rings && optind == argc;
}

int main(int argc, char **argv)
{
	struct settings o = {.faults = 100, .seconds = 100000, .build = getenv("BPFD_BUILD")};
	struct campaign c = {.board = {.log = -1}};
	struct tally *tally = calloc(kind_count, sizeof(*tally));
	char bpfd[4096];
	uint64_t begin, n;

	if (argc == 2 && strcmp(argv[1], "--child") == 0)
		return child_main(o.build);
	if (!tally || !take_options(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	snprintf(bpfd, sizeof(bpfd), "%s/bpfd", o.build);
	if (script_learn(SCRIPT_TEXT, bpfd, o.script) < 0 ||
		script_learn(SCRIPT_RING, bpfd, o.rings) < 0 ||
		script_learn(SCRIPT_RPC, bpfd, NULL) < 0) {
		fprintf(stderr,
			"campaign: %s, %s, binary protocol: bpfd does not answer each request\n",
			o.script, o.rings);
		return 1;
	}
	c.seed = o.seed;
	c.board.build = o.build;
	run.kind = "start";
	invariants_init();
	sessions_init(&c.sessions, o.seed);
	begin = now_ms();
	campaign_restart(&c, o.first, false);
	c.sessions.starting = true;
	c.sessions.trace = o.trace;
	n = campaign(&c, &o, tally);
	run.kind = "end";
	check_idle(&c);
	session_kill_all(&c.sessions);
	if (board_stop(&c.board) != 0)
		violation("daemon: does not end with status 0");
	invariants_stopped();
	report(&c, tally, n, now_ms() - begin);
	free(tally);
	return run.violations ? 1 : 0;
}
