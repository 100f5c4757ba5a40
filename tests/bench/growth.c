/* SPDX-License-Identifier: Apache-2.0 */
/* How the cost of a session of bpfd grows with perf rings, up to 64, and attached probes.
 *
 * usage: growth BPFD
 *
 * Runs in the VM, as root. All rings are of CPU 0, which makes no difference to bpfd. */
#include "tests/bench/bench.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RINGS_MAX  64
#define PROBES_MAX 1000
#define POLLS	   50

static const struct bpf_insn nothing[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	{.code = BPF_JMP | BPF_EXIT},
};

static void put_poll(char *line, size_t size, const int *rings, unsigned int count)
{
	size_t used = (size_t)snprintf(line, size, "PERF_READER_POLL 0 %u", count);

	for (unsigned int i = 0; i < count; i++)
		used += (size_t)snprintf(line + used, size - used, " %d", rings[i]);
	snprintf(line + used, size - used, "\n");
}

/* Returns the microseconds of bpfd's processor time for a poll of `count` rings. */
static double poll_cost(struct peer *peer, const int *rings, unsigned int count)
{
	struct samples cost;
	char line[1024];

	put_poll(line, sizeof(line), rings, count);
	for (int i = -1; i < ROUNDS; i++) {
		double begin = peer_cpu(peer);

		round_trips(peer, line, reply_end, POLLS);
		cost.value[i < 0 ? 0 : i] = 1e6 * (peer_cpu(peer) - begin) / POLLS;
	}
	return median(&cost);
}

static void part_rings(const char *bpfd)
{
	struct peer peer = bpfd_start(bpfd);
	unsigned int count = 0;
	int rings[RINGS_MAX];

	for (unsigned int wanted = 1; wanted <= RINGS_MAX; wanted *= 2) {
		double begin = peer_cpu(&peer), opened;
		unsigned int before = count;

		while (count < wanted)
			rings[count++] = peer_ask(&peer, "BPF_OPEN_PERF_BUFFER -1 0 8\n");
		opened = 1e6 * (peer_cpu(&peer) - begin) / (count - before);
		point("rings, opening one (rings)", count, opened, "us");
		point("rings, a poll of all (rings)", count, poll_cost(&peer, rings, count), "us");
	}
	peer_stop(&peer);
}

/* Reads names of kernel functions that can be probed and that this benchmark does not call. */
static unsigned int read_functions(char names[][64], unsigned int max)
{
	FILE *file = fopen("/sys/kernel/tracing/available_filter_functions", "r");
	unsigned int count = 0;
	char line[256];

	while (file && count < max && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \n")] = '\0';
		if (strncmp(line, "acpi_", 5) != 0 && strncmp(line, "pci_", 4) != 0 &&
			strncmp(line, "usb_", 4) != 0 && strncmp(line, "dev_", 4) != 0)
			continue;
		if (strlen(line) < sizeof(names[0]) && !strchr(line, '.') &&
			(count == 0 || strcmp(line, names[count - 1]) != 0))
			strcpy(names[count++], line);
	}
	if (file)
		fclose(file);
	return count;
}

static int kprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "r");
	int type;

	if (!file || fscanf(file, "%d", &type) != 1)
		fail("kprobe PMU");
	fclose(file);
	return type;
}

/* Attaches a probe without bpfd. Returns the event, or -1 if the function cannot be probed. */
static int own_attach(int type, int prog, const char *function)
{
	struct perf_event_attr attr = {.type = (uint32_t)type,
		.size = sizeof(attr),
		.config1 = (uintptr_t)function,
		.sample_period = 1,
		.wakeup_events = 1};
	int event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (event >= 0 && (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) ||
				  ioctl(event, PERF_EVENT_IOC_ENABLE, 0)))
		fail("%s", function);
	return event;
}

static int own_program(void)
{
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_KPROBE,
		.license = (uintptr_t) "GPL",
		.insn_cnt = sizeof(nothing) / sizeof(nothing[0]),
		.insns = (uintptr_t)nothing};

	return must_bpf(BPF_PROG_LOAD, &load);
}

/* Attaches probes without bpfd and keeps only the names that the kernel accepts. Returns the
 * microseconds per probe; sets *end_ms to the milliseconds in which all are closed. */
static double own_probes(char names[][64], unsigned int *count, double *end_ms)
{
	int type = kprobe_type(), prog = own_program(), events[PROBES_MAX];
	unsigned int found = *count, used = 0;
	double begin = now(), took;

	for (unsigned int i = 0; i < found && used < PROBES_MAX; i++) {
		events[used] = own_attach(type, prog, names[i]);
		if (events[used] >= 0)
			memmove(names[used++], names[i], sizeof(names[0]));
	}
	took = 1e6 * (now() - begin) / used;
	begin = now();
	for (unsigned int i = 0; i < used; i++)
		close(events[i]);
	*end_ms = 1e3 * (now() - begin);
	close(prog);
	*count = used;
	return took;
}

static void part_probes(const char *bpfd)
{
	static char names[2 * PROBES_MAX][64];
	unsigned int count = read_functions(names, 2 * PROBES_MAX), done = 0;
	double begin, all = 0, end_ms;
	struct samples ours, base = always(own_probes(names, &count, &end_ms));
	struct peer peer = bpfd_start(bpfd);
	int prog;

	if (count < PROBES_MAX)
		fail("only %u functions to probe", count);
	prog = peer_ask(&peer, "BPF_PROG_LOAD 2 bench %zu GPL 0 %s\n", sizeof(nothing),
		base64(nothing, sizeof(nothing)));
	for (unsigned int wanted = 1; wanted <= PROBES_MAX; wanted *= 10) {
		unsigned int before = done;

		begin = now();
		for (; done < wanted; done++)
			peer_ask(&peer, "BPF_ATTACH_KPROBE %d 0 p_%s %s\n", prog, names[done],
				names[done]);
		all += now() - begin;
		point("attached probes, attaching one (probes)", done,
			1e6 * (now() - begin) / (done - before), "us");
		point("attached probes, round trip of a command (probes)", done,
			1e6 * round_trips(&peer, "BPF_CLOSE_PERF_EVENT_FD -1\n", reply_end, 200),
			"us");
	}
	ours = always(1e6 * all / PROBES_MAX);
	row("attaching a kprobe, 1000 of them", "us", &ours, "perf_event_open and two ioctls",
		&base, "");
	begin = now();
	peer_stop(&peer);
	ours = always(1e3 * (now() - begin));
	base = always(end_ms);
	row("end of a session with 1000 kprobes", "ms", &ours, "closing the events", &base, "");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: growth BPFD\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	part_rings(argv[1]);
	part_probes(argv[1]);
	return 0;
}
