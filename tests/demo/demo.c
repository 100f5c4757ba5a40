/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's client: files that a board opens, live, and a histogram of their latency. It uses
 * bpfd's text commands only. */
#include "core/base/base64.h"
#include "tests/demo/client.h"
#include "tests/demo/opens.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS      256
#define RING_PAGES    64
#define POLL_MS	      500
#define NS_PER_SECOND 1000000000ull
#define BAR_COLUMNS   40

/* Numbers of enum bpf_map_type and enum bpf_prog_type in the kernel's ABI. */
enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_PERF_EVENT_ARRAY = 4, PROG_TRACEPOINT = 5 };

static const char usage[] =
	"Usage: demo [-t SECONDS] [-n EVENTS] BPF_LINE OBJECT COMMAND [ARGUMENT]...\n"
	"BPF_LINE makes a command of a program in OBJECT. COMMAND starts bpfd, such as bpfd-usb.\n"
	"Ends after SECONDS (default 20) or EVENTS shown. Fails if it has shown none.\n";

struct demo {
	struct client *client;
	const char *bpf_line, *object;
	long start, latency, events; /* handles of the maps */
	long rings[MAX_CPUS];
	unsigned int cpus;
	unsigned long shown, shown_max, lost;
	unsigned long long first_ns;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = 1;
}

static int fail(const char *what, long err)
{
	fprintf(stderr, "demo: %s: %s\n", what, strerror((int)-err));
	return -1;
}

/* Reads the CPUs from "VERSION PROTOCOL RELEASE MACHINE CPUS ...": a list like "0-3,6". */
static int find_cpus(struct demo *demo, unsigned int numbers[MAX_CPUS])
{
	char cpus[256];
	const char *reply, *p = cpus;
	int err = client_command(demo->client, true, "BPFD_VERSION");

	if (err < 0)
		return fail("BPFD_VERSION", err);
	reply = client_next(demo->client);
	if (!reply || sscanf(reply, "%*s %*s %*s %*s %255s", cpus) != 1)
		return fail("BPFD_VERSION", -EPROTO);
	while (*p) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && demo->cpus < MAX_CPUS; first++)
			numbers[demo->cpus++] = first;
		if (*end != ',' && *end != 0)
			return fail(cpus, -EPROTO);
		p = *end ? end + 1 : end;
	}
	return demo->cpus ? 0 : fail("CPUs", -EPROTO);
}

static int make_maps(struct demo *demo)
{
	demo->start = client_call(demo->client, "BPF_CREATE_MAP %d start 8 %zu 10240 0", MAP_HASH,
		sizeof(struct open_start));
	demo->latency = client_call(
		demo->client, "BPF_CREATE_MAP %d latency 4 8 %d 0", MAP_ARRAY, LATENCY_SLOTS);
	demo->events = client_call(
		demo->client, "BPF_CREATE_MAP %d events 4 4 %d 0", MAP_PERF_EVENT_ARRAY, MAX_CPUS);
	if (demo->start < 0)
		return fail("map start", demo->start);
	if (demo->latency < 0)
		return fail("map latency", demo->latency);
	return demo->events < 0 ? fail("map events", demo->events) : 0;
}

/* Loads the program of a section and attaches it to a tracepoint of the category syscalls. */
static int trace(struct demo *demo, const char *section, const char *tracepoint)
{
	char shell[1024];
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	long program, attached;
	FILE *pipe;
	int n;

	n = snprintf(shell, sizeof(shell),
		"'%s' -n opens '%s' %s %d GPL 0 start=%ld latency=%ld events=%ld", demo->bpf_line,
		demo->object, section, PROG_TRACEPOINT, demo->start, demo->latency, demo->events);
	if (n < 0 || (size_t)n >= sizeof(shell))
		return fail(demo->object, -ENAMETOOLONG);
	pipe = popen(shell, "r");
	if (!pipe)
		return fail(demo->bpf_line, -errno);
	len = getline(&line, &size, pipe);
	if (pclose(pipe) != 0 || len <= 0) {
		free(line);
		return fail(demo->object, -ENOEXEC);
	}
	line[len - 1] = 0;
	program = client_call(demo->client, "%s", line);
	free(line);
	if (program < 0)
		return fail("BPF_PROG_LOAD", program);
	attached = client_call(
		demo->client, "BPF_ATTACH_TRACEPOINT %ld syscalls %s", program, tracepoint);
	return attached < 0 ? fail(tracepoint, attached) : 0;
}

/* Opens a ring for each CPU and puts its handle into the map that the programs write to. */
static int open_rings(struct demo *demo, const unsigned int *numbers)
{
	for (unsigned int i = 0; i < demo->cpus; i++) {
		unsigned char key[4], value[4];
		char key64[BASE64_SIZE(4) + 1] = "", value64[BASE64_SIZE(4) + 1] = "";
		long ring, err;

		ring = client_call(
			demo->client, "BPF_OPEN_PERF_BUFFER -1 %u %d", numbers[i], RING_PAGES);
		if (ring < 0)
			return fail("BPF_OPEN_PERF_BUFFER", ring);
		demo->rings[i] = ring;
		for (unsigned int byte = 0; byte < 4; byte++) {
			key[byte] = numbers[i] >> (8 * byte);
			value[byte] = ring >> (8 * byte);
		}
		base64_encode(key64, key, sizeof(key));
		base64_encode(value64, value, sizeof(value));
		err = client_call(demo->client, "BPF_UPDATE_ELEM %ld %s 4 %s 4 0", demo->events,
			key64, value64);
		if (err < 0)
			return fail("BPF_UPDATE_ELEM", err);
	}
	return 0;
}

/* Prints a record, which arrives as "RING SIZE BASE64". */
static int show_record(struct demo *demo, const char *line)
{
	unsigned char raw[BASE64_SIZE(sizeof(struct open_event) + 16)];
	struct open_event event;
	const char *text = strrchr(line, ' ');
	ssize_t n;

	if (!text || strlen(++text) > sizeof(raw))
		return fail(line, -EPROTO);
	n = base64_decode(raw, text, strlen(text));
	if (n < (ssize_t)sizeof(event))
		return fail(line, -EPROTO);
	memcpy(&event, raw, sizeof(event));
	if (!demo->first_ns)
		demo->first_ns = event.time_ns;
	/* Signed, because records of another CPU may be older than the first one shown. */
	printf("%9.3f %6u %-15.15s %4d %.*s\n",
		(double)(__s64)(event.time_ns - demo->first_ns) / NS_PER_SECOND, event.pid,
		event.comm, event.result, OPEN_PATH_SIZE, event.path);
	demo->shown++;
	return 0;
}

static int show_opens(struct demo *demo, unsigned int seconds)
{
	char poll[64 + MAX_CPUS * 12];
	const char *line;
	time_t end = time(NULL) + seconds;
	int n = snprintf(poll, sizeof(poll), "PERF_READER_POLL %d %u", POLL_MS, demo->cpus);

	for (unsigned int i = 0; i < demo->cpus; i++)
		n += snprintf(poll + n, sizeof(poll) - n, " %ld", demo->rings[i]);
	printf("  -> %s   (again and again)\n\n%9s %6s %-15s %4s %s\n", poll, "TIME", "PID", "COMM",
		"FD", "PATH");
	while (!interrupted && time(NULL) < end && demo->shown < demo->shown_max) {
		int err = client_command(demo->client, false, poll);

		if (err < 0)
			return fail("PERF_READER_POLL", err);
		while ((line = client_next(demo->client)))
			if (show_record(demo, line) < 0)
				return -1;
		fflush(stdout);
	}
	printf("\n");
	return 0;
}

static void show_bar(__u32 slot, __u64 count, __u64 most)
{
	unsigned long long low = slot ? 1ull << slot : 0, high = (2ull << slot) - 1;
	int bar = (int)(count * BAR_COLUMNS / most);

	printf("%9llu -> %-9llu %8llu  |%.*s%*s|\n", low, high, count, bar,
		"****************************************", BAR_COLUMNS - bar, "");
}

/* Reads the next entry of the dump: a line with the key, a line with the value. Returns 1, 0 at the
 * end, or a negative errno. */
static int next_count(struct client *client, __u32 *slot, __u64 *count)
{
	/* Room for the longest decoded text. */
	unsigned char raw[BASE64_SIZE(sizeof(*count))];
	const char *key = client_next(client), *value;

	if (!key || !*key)
		return 0;
	value = client_next(client);
	if (!value || strlen(key) != BASE64_SIZE(sizeof(*slot)) ||
		strlen(value) != BASE64_SIZE(sizeof(*count)))
		return -EPROTO;
	if (base64_decode(raw, key, strlen(key)) != sizeof(*slot))
		return -EPROTO;
	memcpy(slot, raw, sizeof(*slot));
	if (base64_decode(raw, value, strlen(value)) != sizeof(*count))
		return -EPROTO;
	memcpy(count, raw, sizeof(*count));
	return 1;
}

/* Dumps the map with one command and prints it as a histogram. */
static int show_latency(struct demo *demo)
{
	__u64 counts[LATENCY_SLOTS] = {0}, count, most = 1;
	unsigned int slots = 0;
	__u32 slot;
	long err;

	err = client_call(demo->client, "BPF_GET_FIRST_KEY %ld 4 8 1", demo->latency);
	while (err >= 0 && (err = next_count(demo->client, &slot, &count)) == 1) {
		if (slot >= LATENCY_SLOTS || !count)
			continue;
		counts[slot] = count;
		most = count > most ? count : most;
		slots = slot >= slots ? slot + 1 : slots;
	}
	if (err < 0)
		return fail("BPF_GET_FIRST_KEY", err);
	printf("\n%22s %8s  %s\n", "microseconds", "opens", "distribution");
	for (slot = 0; slot < slots && !counts[slot]; slot++)
		;
	for (; slot < slots; slot++)
		show_bar(slot, counts[slot], most);
	printf("\n");
	return 0;
}

static int count_lost(struct demo *demo)
{
	for (unsigned int i = 0; i < demo->cpus; i++) {
		long lost = client_call(demo->client, "PERF_READER_LOST %ld", demo->rings[i]);

		if (lost < 0)
			return fail("PERF_READER_LOST", lost);
		demo->lost += lost;
	}
	return 0;
}

static int run(struct demo *demo, unsigned int seconds)
{
	unsigned int cpus[MAX_CPUS];

	if (find_cpus(demo, cpus) < 0 || make_maps(demo) < 0 || open_rings(demo, cpus) < 0 ||
		trace(demo, "tracepoint/exit", "sys_exit_openat") < 0 ||
		trace(demo, "tracepoint/enter", "sys_enter_openat") < 0 ||
		show_opens(demo, seconds) < 0)
		return -1;
	if (client_call(demo->client, "BPF_DETACH_TRACEPOINT syscalls sys_enter_openat") < 0 ||
		client_call(demo->client, "BPF_DETACH_TRACEPOINT syscalls sys_exit_openat") < 0)
		return -1;
	if (show_latency(demo) < 0 || count_lost(demo) < 0)
		return -1;
	printf("%lu opens shown, %lu lost\n", demo->shown, demo->lost);
	return demo->shown ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = interrupt};
	struct demo demo = {.shown_max = -1ul};
	unsigned int seconds = 20;
	int option, failed, status;

	while ((option = getopt(argc, argv, "+t:n:")) != -1) {
		if (option == 't')
			seconds = strtoul(optarg, NULL, 10);
		else if (option == 'n')
			demo.shown_max = strtoul(optarg, NULL, 10);
		else
			return fputs(usage, stderr), 2;
	}
	if (argc - optind < 3)
		return fputs(usage, stderr), 2;
	demo.bpf_line = argv[optind];
	demo.object = argv[optind + 1];
	/* If the command exits, writing must fail instead of killing the client. */
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGINT, &action, NULL);
	demo.client = client_open(argv + optind + 2);
	if (!demo.client) {
		fprintf(stderr, "demo: %s: no session: %s\n", argv[optind + 2], strerror(errno));
		return 1;
	}
	failed = run(&demo, seconds);
	status = client_close(demo.client);
	if (status != 0)
		fprintf(stderr, "demo: %s: exit status %d\n", argv[optind + 2], status);
	return failed || status != 0;
}
