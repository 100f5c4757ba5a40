/* SPDX-License-Identifier: Apache-2.0 */
/* The cost of perf rings with text commands: draining a full ring, and events at full speed.
 *
 * usage: rings BPFD [OTHER]     in the VM, as root; OTHER: another program with the same protocol
 *
 * Rows are like those of micro. Fails unless delivered and lost events add up to all that were
 * sent. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD	    32 /* bytes that the program writes: 36 with their size, 40 aligned */
#define DRAIN_PAGES 1024
#define DRAIN	    20000
#define PAGE	    4096U

static unsigned int events = 300000; /* $BPFD_BENCH_COUNT times 100 */

/* A program that writes 32 bytes to the ring of its CPU. `map` is the array of rings. */
#define INSN(op, dst, src, offset, value)                                                         \
	{                                                                                         \
		.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value) \
	}
#define STORE(offset) INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, offset, 0x5a)
static const struct bpf_insn program[] = {
	STORE(-8),
	STORE(-16),
	STORE(-24),
	STORE(-32),
	INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, 0 /* map */),
	INSN(0, 0, 0, 0, 0),
	INSN(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, -1 /* the current CPU */),
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_10, 0, 0),
	INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_4, 0, 0, -32),
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_5, 0, 0, RECORD),
	INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_perf_event_output),
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
	INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
};
#define MAP_INSN 4

/* Causes events on the first CPU, because only that one has a ring. */
static void cause(unsigned int count)
{
	one_processor(true);
	while (count--)
		syscall(SYS_getpgid, 0);
	one_processor(false);
}

/* Starts a bpfd with a ring of CPU 0, *ring, that a tracepoint fills. */
static struct peer traced(const char *bpfd, unsigned int pages, int *ring)
{
	struct peer peer = peer_start(bpfd);
	struct bpf_insn insns[sizeof(program) / sizeof(program[0])];
	uint32_t cpu = 0, value;
	int map, prog;

	map = peer_ask(&peer, "BPF_CREATE_MAP 4 rings 4 4 %ld 0\n", sysconf(_SC_NPROCESSORS_CONF));
	memcpy(insns, program, sizeof(insns));
	insns[MAP_INSN].imm = map;
	prog = peer_ask(&peer, "BPF_PROG_LOAD 5 bench %zu GPL 0 %s\n", sizeof(insns),
		base64(insns, sizeof(insns)));
	*ring = peer_ask(&peer, "BPF_OPEN_PERF_BUFFER -1 0 %u\n", pages);
	value = (uint32_t)*ring;
	peer_ask(
		&peer, "BPF_UPDATE_ELEM %d %s 4 %s 4 0\n", map, base64(&cpu, 4), base64(&value, 4));
	peer_ask(&peer, "BPF_ATTACH_TRACEPOINT %d syscalls sys_enter_getpgid\n", prog);
	return peer;
}

/* Polls once. Returns the number of records. */
static unsigned int poll_once(struct peer *peer, int ring, int timeout_ms)
{
	unsigned int lines = 0;
	char line[64];

	snprintf(line, sizeof(line), "PERF_READER_POLL %d 1 %d\n", timeout_ms, ring);
	peer_send(peer, line, strlen(line));
	peer_until(peer, reply_end, &lines);
	return lines - 2; /* without START and END */
}

/* The same without bpfd: the ring is mapped here, and each record is copied. */
struct own {
	int map, event;
	struct perf_event_mmap_page *page;
};

static struct own own_ring(unsigned int pages)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_RAW,
		.wakeup_events = 1};
	union bpf_attr map = {.map_type = BPF_MAP_TYPE_PERF_EVENT_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = (uint32_t)sysconf(_SC_NPROCESSORS_CONF)};
	struct own own;
	uint32_t cpu = 0;

	own.map = must_bpf(BPF_MAP_CREATE, &map);
	own.event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (own.event < 0)
		fail("perf_event_open");
	own.page = mmap(
		NULL, (size_t)(pages + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, own.event, 0);
	if (own.page == MAP_FAILED || ioctl(own.event, PERF_EVENT_IOC_ENABLE, 0))
		fail("perf ring");
	memset(&map, 0, sizeof(map));
	map.map_fd = (uint32_t)own.map;
	map.key = (uintptr_t)&cpu;
	map.value = (uintptr_t)&own.event;
	must_bpf(BPF_MAP_UPDATE_ELEM, &map);
	return own;
}

static int tracepoint_id(void)
{
	FILE *file = fopen("/sys/kernel/tracing/events/syscalls/sys_enter_getpgid/id", "r");
	int id;

	if (!file || fscanf(file, "%d", &id) != 1)
		fail("sys_enter_getpgid");
	fclose(file);
	return id;
}

static int own_program(const struct own *own)
{
	struct bpf_insn insns[sizeof(program) / sizeof(program[0])];
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_TRACEPOINT,
		.license = (uintptr_t) "GPL",
		.insn_cnt = sizeof(program) / sizeof(program[0]),
		.insns = (uintptr_t)insns};
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = (uint64_t)tracepoint_id(),
		.sample_period = 1,
		.wakeup_events = 1};
	int prog, event;

	memcpy(insns, program, sizeof(insns));
	insns[MAP_INSN].imm = own->map;
	prog = must_bpf(BPF_PROG_LOAD, &load);
	event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0 || ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) ||
		ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
		fail("tracepoint");
	close(prog);
	return event;
}

static unsigned int own_drain(struct own *own, unsigned int pages)
{
	static char copy[DRAIN_PAGES * PAGE];
	uint64_t head = __atomic_load_n(&own->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = own->page->data_tail, size = (uint64_t)pages * PAGE;
	const char *data = (char *)own->page + PAGE;
	unsigned int records = 0;
	char *to = copy;

	while (tail < head) {
		struct perf_event_header header;
		uint64_t at = tail % size;
		size_t first;

		memcpy(&header, data + at, sizeof(header));
		first = size - at < header.size ? size - at : header.size;
		memcpy(to, data + at, first);
		memcpy(to + first, data, header.size - first);
		to += header.size;
		tail += header.size;
		records++;
	}
	__atomic_store_n(&own->page->data_tail, tail, __ATOMIC_RELEASE);
	return records;
}

/* Returns records per second; sets *cpu to ns of bpfd's processor time per record. */
static double drain(const char *bpfd, double *cpu)
{
	int ring;
	struct peer peer = traced(bpfd, DRAIN_PAGES, &ring);
	double begin;

	cause(DRAIN);
	*cpu = peer_cpu(&peer);
	begin = now();
	if (poll_once(&peer, ring, 0) != DRAIN)
		fail("%s: a poll of %d records", bpfd, DRAIN);
	begin = now() - begin;
	*cpu = 1e9 * (peer_cpu(&peer) - *cpu) / DRAIN;
	peer_stop(&peer);
	return DRAIN / begin;
}

static void part_drain(const char *bpfd, const char *other)
{
	struct samples ours, base, cpu, copy, theirs, their_cpu;

	for (int i = -1; i < ROUNDS; i++) {
		int at = i < 0 ? 0 : i, event;
		struct own own = own_ring(DRAIN_PAGES);
		double begin;

		event = own_program(&own);
		cause(DRAIN);
		begin = now();
		if (own_drain(&own, DRAIN_PAGES) != DRAIN)
			fail("own ring");
		base.value[at] = DRAIN / (now() - begin);
		close(event);
		close(own.event);
		close(own.map);
		munmap(own.page, (DRAIN_PAGES + 1) * PAGE);
		copy.value[at] = 1e9 / base.value[at];
		ours.value[at] = drain(bpfd, &cpu.value[at]);
		if (other)
			theirs.value[at] = drain(other, &their_cpu.value[at]);
	}
	row("ring drain, one poll", "1/s", &ours, "records copied", &base, "");
	row("ring drain, processor time a record", "ns", &cpu, "a record copied", &copy, "");
	if (other) {
		row("ring drain, one poll, other", "1/s", &ours, "other", &theirs, ">=2");
		row("ring drain, processor time a record, other", "ns", &cpu, "other", &their_cpu,
			"<=0.5");
	}
}

/* Measures the percentage of delivered events, and events per second at full speed. */
static void part_flat_out(const char *bpfd, unsigned int pages)
{
	struct samples rate, alone, delivered_part, all = always(100);
	char name[64];

	for (int i = -1; i < ROUNDS; i++) {
		unsigned int delivered = 0, lost = 0, quiet = 0;
		int at = i < 0 ? 0 : i, ring;
		double begin = now(), end = 0;
		struct peer peer;
		pid_t pid;

		cause(events);
		alone.value[at] = events / (now() - begin);
		peer = traced(bpfd, pages, &ring);
		begin = now();
		pid = fork();
		if (pid == 0) {
			cause(events);
			_exit(0);
		}
		while (quiet < 2) {
			unsigned int n = poll_once(&peer, ring, 100);

			delivered += n;
			if (n)
				end = now();
			if (waitpid(pid, NULL, WNOHANG) != 0 && !n)
				quiet++;
		}
		lost = (unsigned int)peer_ask(&peer, "PERF_READER_LOST %d\n", ring);
		peer_stop(&peer);
		if (delivered + lost != events) {
			errno = EIO;
			fail("%u sent, %u delivered, %u lost", events, delivered, lost);
		}
		rate.value[at] = delivered / (end - begin);
		delivered_part.value[at] = 100.0 * delivered / events;
	}
	snprintf(name, sizeof(name), "events flat out, %u pages", pages);
	row(name, "1/s", &rate, "the system calls, untraced", &alone, "");
	snprintf(name, sizeof(name), "of these delivered, the rest counted, %u pages", pages);
	row(name, "%", &delivered_part, "all", &all, pages >= 64 ? ">=1" : "");
}

int main(int argc, char **argv)
{
	const char *count = getenv("BPFD_BENCH_COUNT");

	if (argc < 2 || argc > 3) {
		fputs("usage: rings BPFD [OTHER]\n", stderr);
		return 2;
	}
	if (count)
		events = 100 * (unsigned int)strtoul(count, NULL, 10);
	signal(SIGPIPE, SIG_IGN);
	part_drain(argv[1], argv[2]);
	part_flat_out(argv[1], 64);
	part_flat_out(argv[1], 8);
	return 0;
}
