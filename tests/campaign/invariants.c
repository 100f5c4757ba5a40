/* SPDX-License-Identifier: Apache-2.0 */
/* Invariants: at any time, while no session is open, and while no daemon runs. */
#include "tests/campaign/campaign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRACING	  "/sys/kernel/tracing"
#define CONFIGFS  "/sys/kernel/config/usb_gadget"
#define LEFT_MS	  10000 /* the longest lease, the grace of a process, and a slow machine */
#define GROWTH_KB 256	/* memory that the allocator may keep */
#define LANE_KB	  192	/* buffers of a lane, which are resident after their first use */
#define SUSPECTS  32

/* A process that is checked each time no session is open. */
struct life {
	const char *name;
	pid_t pid;
	unsigned int fds, checks;
	long rss_kb, grown_kb;
	unsigned int longest; /* most checks of one process */
	long longest_first_kb, longest_last_kb;
};

static struct {
	int kmsg;
	unsigned int programs, maps;
	struct life daemon, worker;
	struct {
		int pid;
		uint64_t since;
	} suspects[SUSPECTS];
} state;

static unsigned int count_ids(int command)
{
	union bpf_attr attr = {.start_id = 0};
	unsigned int count = 0;

	while (syscall(SYS_bpf, command, &attr, sizeof(attr)) == 0) {
		attr.start_id = attr.next_id;
		count++;
	}
	return count;
}

void invariants_init(void)
{
	state.kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (state.kmsg >= 0)
		lseek(state.kmsg, 0, SEEK_END);
	state.programs = count_ids(BPF_PROG_GET_NEXT_ID);
	state.maps = count_ids(BPF_MAP_GET_NEXT_ID);
	state.daemon.name = "daemon";
	state.worker.name = "worker";
}

static void watch_kernel(void)
{
	static const char *const bad[] = {"BUG:", "WARNING:", "Oops",
		"Call Trace:", "refcount_t:", "blocked for more than", "general protection"};
	char line[2048];
	ssize_t n;

	while (state.kmsg >= 0 &&
		((n = read(state.kmsg, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE))) {
		line[n > 0 ? n : 0] = '\0';
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			if (strstr(line, bad[i]))
				violation("kernel: %.300s", line);
	}
}

/* Returns the time at which this dead process was first seen to own a probe. */
static uint64_t suspect_since(int pid)
{
	unsigned int free_at = 0;

	for (unsigned int i = 0; i < SUSPECTS; i++) {
		if (state.suspects[i].pid == pid)
			return state.suspects[i].since;
		if (state.suspects[i].since < state.suspects[free_at].since)
			free_at = i;
	}
	state.suspects[free_at].pid = pid;
	return state.suspects[free_at].since = now_ms();
}

static void watch_probes(const char *name)
{
	char path[64], line[512], *at;
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), TRACING "/%s", name);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		at = strstr(line, "bpfd_");
		pid = at ? atoi(at + 5) : 0;
		if (pid > 0 && kill(pid, 0) < 0 && now_ms() - suspect_since(pid) > LEFT_MS)
			violation("probes: a dead process owns one: %s", line);
	}
	if (file)
		fclose(file);
}

void invariants_watch(void)
{
	watch_kernel();
	watch_probes("kprobe_events");
	watch_probes("uprobe_events");
}

static bool is_empty(const char *name)
{
	char text[8];

	return get(TRACING, name, text, sizeof(text)) && !text[0];
}

static bool nothing_left(void *arg)
{
	const struct board *b = arg;
	char dir[64], children[64] = "";
	int worker = b ? board_worker(b) : 0;

	snprintf(dir, sizeof(dir), "/proc/%d/task/%d", worker, worker);
	if (b && (worker == 0 || !get(dir, "children", children, sizeof(children))))
		return false;
	return !children[0] && is_empty("kprobe_events") && is_empty("uprobe_events") &&
	       count_ids(BPF_PROG_GET_NEXT_ID) <= state.programs &&
	       count_ids(BPF_MAP_GET_NEXT_ID) <= state.maps;
}

static void report_left(const struct board *b, const char *when)
{
	char probes[200] = "", children[64] = "", dir[64];
	int worker = b ? board_worker(b) : 0;

	get(TRACING, "kprobe_events", probes, sizeof(probes));
	snprintf(dir, sizeof(dir), "/proc/%d/task/%d", worker, worker);
	get(dir, "children", children, sizeof(children));
	violation("%s: left are %d programs, %d maps, processes \"%s\", probes \"%s\"", when,
		(int)(count_ids(BPF_PROG_GET_NEXT_ID) - state.programs),
		(int)(count_ids(BPF_MAP_GET_NEXT_ID) - state.maps), children, probes);
}

static long rss_kb(int pid)
{
	char dir[64], text[128];
	long pages;

	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	if (!get(dir, "statm", text, sizeof(text)) || sscanf(text, "%*d %ld", &pages) != 1)
		return 0;
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Descriptors and memory of a process must not grow during its life. */
static void watch_life(struct life *life, pid_t pid, unsigned int lanes)
{
	char path[64];
	unsigned int fds;
	long rss = rss_kb(pid);

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	fds = count_files(path);
	if (pid != life->pid)
		*life = (struct life){.name = life->name,
			.pid = pid,
			.fds = fds,
			.rss_kb = rss,
			.grown_kb = life->grown_kb,
			.longest = life->longest,
			.longest_first_kb = life->longest_first_kb,
			.longest_last_kb = life->longest_last_kb};
	life->checks++;
	if (fds != life->fds)
		violation("%s: has %u descriptors, had %u", life->name, fds, life->fds);
	if (rss - life->rss_kb > GROWTH_KB + (long)lanes * LANE_KB)
		violation("%s: has %ld kB of memory, had %ld", life->name, rss, life->rss_kb);
	if (rss - life->rss_kb > life->grown_kb)
		life->grown_kb = rss - life->rss_kb;
	if (life->checks >= life->longest) {
		life->longest = life->checks;
		life->longest_first_kb = life->rss_kb;
		life->longest_last_kb = rss;
	}
}

static unsigned int count_mounts(void)
{
	FILE *file = fopen("/proc/mounts", "re");
	unsigned int count = 0;
	char line[1024];

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, " functionfs ") != NULL;
	if (file)
		fclose(file);
	return count;
}

void invariants_idle(struct sessions *all, struct board *b)
{
	if (!sessions_run(all, LEFT_MS, nothing_left, b))
		report_left(b, "no session");
	if (count_files(CONFIGFS) != 1 || count_mounts() != b->lanes)
		violation("no session: %u gadgets, %u mounts, %u lanes", count_files(CONFIGFS),
			count_mounts(), b->lanes);
	watch_life(&state.daemon, b->daemon, 0);
	watch_life(&state.worker, board_worker(b), b->lanes);
}

void invariants_stopped(void)
{
	uint64_t end = now_ms() + LEFT_MS;

	while (!nothing_left(NULL) && now_ms() < end)
		nap(50);
	if (!nothing_left(NULL))
		report_left(NULL, "no daemon");
	if (count_files(CONFIGFS) != 0 || count_mounts() != 0)
		violation(
			"no daemon: %u gadgets, %u mounts", count_files(CONFIGFS), count_mounts());
}

static void report_life(const struct life *life)
{
	printf("# %s: grew at most %ld kB; the longest life had %u checks, %ld to %ld kB\n",
		life->name, life->grown_kb, life->longest, life->longest_first_kb,
		life->longest_last_kb);
}

void invariants_report(void)
{
	report_life(&state.daemon);
	report_life(&state.worker);
}
