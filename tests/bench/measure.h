/* SPDX-License-Identifier: Apache-2.0 */
/* Measures elapsed time, and processor time of board and host separately.
 *
 * Board and host share a kernel here. Their processes are in control groups, whose cpu.stat counts
 * the time of all processes of a group, also of ended ones. No group has the kernel's worker that
 * returns completed FunctionFS transfers. No other kernel worker is busy meanwhile, so the time of
 * all of them counts as the board's. The time of an interrupt counts for the process that it
 * interrupts, also that of the simulated cable. Both sides include a part of it, which is the same
 * for the same transfers. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEASURE_GROUPS 4

struct measure {
	uint64_t begin_ns, end_ns;
	uint64_t group_us[MEASURE_GROUPS];
	uint64_t workers_ns;
};

static inline uint64_t measure_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Waits for a random time of up to two polls of the simulated cable, which polls every 125 us.
 * Without the pause round trips would synchronize with the polls, and slightly more work could make
 * all of them one poll longer. */
static inline void measure_pause(void)
{
	uint64_t end = measure_ns() + (uint64_t)rand() % 250000;

	while (measure_ns() < end)
		;
}

static inline uint64_t measure_group(const char *name)
{
	unsigned long long us = 0;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/cpu.stat", name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "usage_usec %llu", &us) != 1) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return us;
}

/* Reads a worker's time: the first number of its schedstat. */
static inline uint64_t measure_worker(const char *pid)
{
	char path[300], name[64] = "";
	unsigned long long ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	if (strncmp(name, "kworker/", 8) != 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

static inline uint64_t measure_workers(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t ns = 0;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			ns += measure_worker(entry->d_name);
	if (proc)
		closedir(proc);
	return ns;
}

/* Reads the time of each control group in $BENCH_GROUPS, at most MEASURE_GROUPS. */
static inline void measure_groups(uint64_t us[MEASURE_GROUPS])
{
	const char *at = getenv("BENCH_GROUPS");
	char name[32];
	int used;

	memset(us, 0, MEASURE_GROUPS * sizeof(us[0]));
	for (int i = 0; at && i < MEASURE_GROUPS && sscanf(at, "%31s%n", name, &used) == 1; i++) {
		us[i] = measure_group(name);
		at += used;
	}
}

static inline void measure_begin(struct measure *m)
{
	m->workers_ns = measure_workers();
	measure_groups(m->group_us);
	m->begin_ns = measure_ns();
}

static inline void measure_end(struct measure *m)
{
	uint64_t us[MEASURE_GROUPS];

	m->end_ns = measure_ns();
	measure_groups(us);
	for (int i = 0; i < MEASURE_GROUPS; i++)
		m->group_us[i] = us[i] - m->group_us[i];
	m->workers_ns = measure_workers() - m->workers_ns;
}

/* Prints a line: the value, begin and end in ns, and microseconds of the kernel's workers and of
 * each group. */
static inline void measure_print(const struct measure *m, double value)
{
	printf("%.3f %llu %llu %llu", value, (unsigned long long)m->begin_ns,
		(unsigned long long)m->end_ns, (unsigned long long)m->workers_ns / 1000);
	for (int i = 0; i < MEASURE_GROUPS; i++)
		printf(" %llu", (unsigned long long)m->group_us[i]);
	putchar('\n');
}

#endif
