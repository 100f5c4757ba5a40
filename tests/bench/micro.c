/* SPDX-License-Identifier: Apache-2.0 */
/* The cost of bpfd over pipes and files, compared with the same work without it.
 *
 * usage: micro BPFD [OTHER]     as root; OTHER: another program with the same protocol to compare
 *
 * Prints a JSON object for each row: the median of ROUNDS with the lowest and highest, after a
 * round to warm up. Rounds of the compared programs alternate, so other work of the machine affects
 * both. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KEY	8  /* bytes */
#define VALUE	40 /* bytes */
#define ENTRIES 10240

/* $BPFD_BENCH_COUNT scales these, because emulated machines are slow. */
static unsigned int lookups = 500000, trips = 20000, symbols = 200000;
static const char *other; /* program to compare with, or NULL */

static void put_map(FILE *input, uint32_t entries)
{
	unsigned char value[VALUE];

	fprintf(input, "BPF_CREATE_MAP 1 bench %d %d %u 0\n", KEY, VALUE, entries);
	memset(value, 0xa5, sizeof(value));
	for (uint64_t key = 0; key < entries; key++) {
		fprintf(input, "BPF_UPDATE_ELEM 3 %s %d ", base64(&key, KEY), KEY);
		fprintf(input, "%s %d 0\n", base64(value, VALUE), VALUE);
	}
}

static void put_lookups(FILE *input, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint64_t key = (uint64_t)i * 7919 % ENTRIES;

		fprintf(input, "BPF_LOOKUP_ELEM 3 %s %d %d\n", base64(&key, KEY), KEY, VALUE);
	}
}

/* Maps without bpfd */

static int own_map(uint32_t entries)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH,
		.key_size = KEY,
		.value_size = VALUE,
		.max_entries = entries};
	unsigned char value[VALUE] = {0xa5};
	int map = sys_bpf(BPF_MAP_CREATE, &attr);

	if (map < 0)
		fail("map");
	for (uint64_t key = 0; key < entries; key++) {
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)map;
		attr.key = (uintptr_t)&key;
		attr.value = (uintptr_t)value;
		if (sys_bpf(BPF_MAP_UPDATE_ELEM, &attr))
			fail("update");
	}
	return map;
}

static double own_lookups(int map)
{
	unsigned char value[VALUE];
	double begin = now();

	for (unsigned int i = 0; i < lookups; i++) {
		uint64_t key = (uint64_t)i * 7919 % ENTRIES;
		union bpf_attr attr = {
			.map_fd = (uint32_t)map, .key = (uintptr_t)&key, .value = (uintptr_t)value};

		if (sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr))
			fail("lookup");
	}
	return now() - begin;
}

/* Reads the whole map in batches of 4,096 elements. */
static double own_dump(int map)
{
	static char keys[4096 * KEY], values[4096 * VALUE];
	uint64_t token = 0;
	bool first = true;
	double begin = now();
	int err;

	do {
		union bpf_attr attr = {.map_type = 0};

		attr.batch.map_fd = (uint32_t)map;
		attr.batch.in_batch = first ? 0 : (uintptr_t)&token;
		attr.batch.out_batch = (uintptr_t)&token;
		attr.batch.keys = (uintptr_t)keys;
		attr.batch.values = (uintptr_t)values;
		attr.batch.count = 4096;
		err = sys_bpf(BPF_MAP_LOOKUP_BATCH, &attr);
		first = false;
	} while (!err);
	if (errno != ENOENT)
		fail("batch");
	return now() - begin;
}

static void part_lookups(const char *bpfd)
{
	struct samples ours, theirs, base;
	FILE *setup = input_new(), *all = input_new();
	int map = own_map(ENTRIES);

	put_map(setup, ENTRIES);
	put_map(all, ENTRIES);
	put_lookups(all, lookups);
	for (int i = -1; i < ROUNDS; i++) {
		int at = i < 0 ? 0 : i;

		ours.value[at] = lookups / (run(bpfd, all) - run(bpfd, setup));
		base.value[at] = lookups / own_lookups(map);
		if (other)
			theirs.value[at] = lookups / (run(other, all) - run(other, setup));
	}
	row("pipelined lookups", "1/s", &ours, "bpf(2) alone", &base, "");
	if (other)
		row("pipelined lookups, other", "1/s", &ours, "other", &theirs, ">=2.5");
	fclose(setup);
	fclose(all);
	close(map);
}

static void part_round_trip(const char *bpfd)
{
	static const char create[] = "BPF_CREATE_MAP 2 bench 4 8 1 0\n",
			  lookup[] = "BPF_LOOKUP_ELEM 3 AAAAAA== 4 8\n";
	struct peer ours, theirs = {0}, base;
	struct samples our, their, echoed;

	/* On two processors most of the time would be for waking the other one. */
	one_processor(true);
	ours = bpfd_start(bpfd);
	base = peer_start(NULL);

	peer_send(&ours, create, strlen(create));
	peer_until(&ours, reply_end, NULL);
	if (other) {
		theirs = peer_start(other); /* the original sends its banner with the first reply */
		peer_send(&theirs, create, strlen(create));
		peer_until(&theirs, reply_end, NULL);
	}
	for (int i = -1; i < ROUNDS; i++) {
		int at = i < 0 ? 0 : i;

		our.value[at] = 1e6 * round_trips(&ours, lookup, reply_end, trips);
		echoed.value[at] = 1e6 * round_trips(&base, lookup, "\n", trips);
		if (other)
			their.value[at] = 1e6 * round_trips(&theirs, lookup, reply_end, trips);
	}
	row("round trip of a lookup over a pipe, one processor", "us", &our, "echo over a pipe",
		&echoed, "");
	if (other) {
		row("round trip over a pipe, one processor, other", "us", &our, "other", &their,
			"<=0.84");
		peer_stop(&theirs);
	}
	peer_stop(&ours);
	peer_stop(&base);
	one_processor(false);
}

/* Returns the milliseconds of a dump; sets *peak to its increase of the peak memory. */
static double dump(const char *program, FILE *setup, double *peak)
{
	static const char line[] = "BPF_GET_FIRST_KEY 3 8 40 1\n";
	struct peer peer = bpfd_start(program);
	double before, begin;

	_Static_assert(KEY == 8 && VALUE == 40, "as in the line");
	peer_feed(&peer, setup);
	before = (double)memory_of(peer.pid, "VmHWM");
	begin = now();
	peer_send(&peer, line, strlen(line));
	peer_until(&peer, reply_end, NULL);
	begin = now() - begin;
	if (peak)
		*peak = (double)memory_of(peer.pid, "VmHWM") - before;
	peer_stop(&peer);
	return 1e3 * begin;
}

/* Reads a number with commas. */
static double with_commas(const char *text)
{
	double number = 0;

	for (; *text && *text != '\n'; text++)
		if (*text >= '0' && *text <= '9')
			number = 10 * number + (*text - '0');
	return number;
}

/* Returns the instructions that a program executes for its input, without the kernel's. Uses
 * valgrind's lackey: callgrind writes a file at the end, which bpfd's seccomp filter refuses. */
static double instructions(const char *program, FILE *input)
{
	char command[4096], line[256], *value;
	double count = -1;
	FILE *output;

	fflush(input);
	snprintf(command, sizeof(command),
		"valgrind --tool=lackey --basic-counts=yes --vgdb=no %s </proc/%d/fd/%d "
		"2>&1 >/dev/null",
		program, (int)getpid(), fileno(input));
	output = popen(command, "r");
	while (output && fgets(line, sizeof(line), output))
		if (count < 0 && (value = strstr(line, "guest instrs:")))
			count = with_commas(strchr(value, ':') + 1);
	if (!output || pclose(output) || count < 0)
		fail("valgrind");
	return count;
}

/* Writes a line of so many MB with an invalid program, which bpfd reads, decodes and refuses. */
static void put_line(FILE *input, unsigned int mb)
{
	size_t digits = (size_t)mb * 1000000;

	fprintf(input, "BPF_PROG_LOAD 1 bench %zu GPL 0 ", digits / 4 * 3);
	for (size_t i = 0; i < digits; i++)
		putc('A', input);
	putc('\n', input);
}

static void part_instructions(const char *bpfd)
{
	static const unsigned int count = 20000;
	FILE *setup = input_new(), *all = input_new();
	struct samples ours, base;

	put_map(setup, ENTRIES);
	put_map(all, ENTRIES);
	put_lookups(all, count);
	/* The number is the same in each round. */
	ours = always((instructions(bpfd, all) - instructions(bpfd, setup)) / count);
	base = always(2000);
	row("instructions of a pipelined lookup", "", &ours, "aim", &base, "<=1");
	if (other) {
		base = always((instructions(other, all) - instructions(other, setup)) / count);
		row("instructions of a pipelined lookup, other", "", &ours, "other", &base, "");
	}
	fclose(setup);
	fclose(all);
	setup = input_new();
	for (unsigned int mb = 1; mb <= 16; mb *= 2) {
		all = input_new();
		put_line(all, mb);
		point("line length, instructions (MB)", mb,
			(instructions(bpfd, all) - instructions(bpfd, setup)) / 1000, "kinstr");
		fclose(all);
	}
	fclose(setup);
}

static void part_dump(const char *bpfd)
{
	static const uint32_t sizes[] = {10240, 65536, 262144, 1048576};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct samples ours, base, peak;
		FILE *setup = input_new();
		int map = own_map(sizes[s]);
		char name[64];

		put_map(setup, sizes[s]);
		for (int i = -1; i < ROUNDS; i++) {
			int at = i < 0 ? 0 : i;

			ours.value[at] = dump(bpfd, setup, &peak.value[at]);
			base.value[at] = 1e3 * own_dump(map);
		}
		snprintf(name, sizeof(name), "dump of %u entries", sizes[s]);
		row(name, "ms", &ours, "batch lookups alone", &base, "");
		point("map dump (entries)", sizes[s], ours.value[ROUNDS / 2], "ms");
		point("map dump, memory (entries)", sizes[s], median(&peak), "KiB");
		fclose(setup);
		close(map);
	}
}

/* Symbols */

static double read_kallsyms(char *name, uint64_t *address)
{
	static char text[65536];
	double begin = now();
	int fd = open("/proc/kallsyms", O_RDONLY);
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		fail("/proc/kallsyms");
	while ((n = read(fd, text, sizeof(text) - 1)) > 0) {
		if (!size && address) {
			char *line;

			text[n] = 0;
			line = strstr(text, " T ");
			while (line && (strtoull(line - 16, NULL, 16) >> 63) == 0)
				line = strstr(line + 1, " T ");
			if (!line || sscanf(line - 16, "%lx T %63s", address, name) != 2)
				fail("no symbols in /proc/kallsyms");
		}
		size += (size_t)n;
	}
	close(fd);
	return now() - begin;
}

static void part_symbols(const char *bpfd)
{
	struct samples first, base, next, by_name, memory, echoed, aim;
	char line[128], address_line[128], name[64];
	struct peer plain;
	uint64_t address;

	one_processor(true);
	plain = peer_start(NULL);
	read_kallsyms(name, &address);
	snprintf(line, sizeof(line), "GET_KSYM_NAME 0x%lx\n", address + 1);
	snprintf(address_line, sizeof(address_line), "GET_KSYM_ADDR %s\n", name);
	for (int i = -1; i < ROUNDS; i++) {
		int at = i < 0 ? 0 : i;
		struct peer peer = bpfd_start(bpfd);
		long before = memory_of(peer.pid, "VmRSS");

		first.value[at] = 1e3 * round_trips(&peer, line, reply_end, 1);
		base.value[at] = 1e3 * read_kallsyms(NULL, NULL);
		memory.value[at] = (double)(memory_of(peer.pid, "VmRSS") - before);
		next.value[at] = 1e6 * round_trips(&peer, line, reply_end, trips);
		round_trips(&peer, address_line, reply_end, 1);
		by_name.value[at] = 1e6 * round_trips(&peer, address_line, reply_end, trips);
		echoed.value[at] = 1e6 * round_trips(&plain, line, "\n", trips);
		peer_stop(&peer);
	}
	row("first GET_KSYM_NAME", "ms", &first, "one read of /proc/kallsyms", &base, "<=1.3");
	aim = always(4096);
	row("symbol table, memory", "KiB", &memory, "aim", &aim, "<=1");
	row("next GET_KSYM_NAME, round trip, one processor", "us", &next, "echo over a pipe",
		&echoed, "");
	row("next GET_KSYM_ADDR, round trip, one processor", "us", &by_name, "echo over a pipe",
		&echoed, "");
	peer_stop(&plain);
	one_processor(false);
}

/* Measures symbols per second in one stream, without the cost of a pipe. */
static void part_symbol_rate(const char *bpfd)
{
	static const char *const commands[] = {"GET_KSYM_NAME 0x%lx\n", "GET_KSYM_ADDR %s\n"};
	char name[64];
	uint64_t address;

	read_kallsyms(name, &address);
	for (int which = 0; which < 2; which++) {
		FILE *one = input_new(), *many = input_new();
		struct samples ours, aim = always(2);

		for (unsigned int i = 0; i <= symbols; i++) {
			FILE *file = i ? many : one;

			if (which == 0)
				fprintf(file, commands[0], address + i % 64);
			else
				fprintf(file, commands[1], name);
		}
		for (int i = -1; i < ROUNDS; i++) {
			int at = i < 0 ? 0 : i;

			ours.value[at] = -run(bpfd, one);
			ours.value[at] = 1e6 * (ours.value[at] + run(bpfd, many)) / symbols;
		}
		row(which ? "GET_KSYM_ADDR, pipelined" : "GET_KSYM_NAME, pipelined", "us", &ours,
			"aim", &aim, "<=1");
		fclose(one);
		fclose(many);
	}
}

static void part_line(const char *bpfd)
{
	for (unsigned int mb = 1; mb <= 16; mb *= 2) {
		FILE *empty = input_new(), *input = input_new();
		struct samples ours;

		put_line(input, mb);
		for (int i = -1; i < ROUNDS; i++)
			ours.value[i < 0 ? 0 : i] = 1e3 * (run(bpfd, input) - run(bpfd, empty));
		point("line length (MB)", mb, median(&ours), "ms");
		fclose(empty);
		fclose(input);
	}
}

/* $BPFD_BENCH_STATIC is the static program for small boards. */
static void part_idle(const char *bpfd)
{
	const char *linked = getenv("BPFD_BENCH_STATIC");
	struct samples ours, aim = always(700);

	for (int i = 0; i < ROUNDS; i++) {
		struct peer peer = bpfd_start(linked ? linked : bpfd);

		poll(NULL, 0, 100); /* bpfd returns memory to the kernel after its banner */
		ours.value[i] = (double)memory_of(peer.pid, "VmRSS");
		peer_stop(&peer);
	}
	row(linked ? "resident memory, idle, static" : "resident memory, idle", "KiB", &ours, "aim",
		&aim, linked ? "<=1" : "");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const char *bpfd);
	} parts[] = {
		{"instructions", part_instructions},
		{"lookups", part_lookups},
		{"dump", part_dump},
		{"round-trip", part_round_trip},
		{"symbols", part_symbols},
		{"symbol-rate", part_symbol_rate},
		{"line", part_line},
		{"idle", part_idle},
	};
	const char *wanted = getenv("BPFD_BENCH_PARTS"), *count = getenv("BPFD_BENCH_COUNT");

	if (argc < 2 || argc > 3) {
		fputs("usage: micro BPFD [OTHER]\n", stderr);
		return 2;
	}
	other = argv[2];
	if (count) {
		trips = (unsigned int)strtoul(count, NULL, 10);
		lookups = symbols = 10 * trips;
	}
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!wanted || strstr(wanted, parts[i].name))
			parts[i].run(argv[1]);
	return 0;
}
