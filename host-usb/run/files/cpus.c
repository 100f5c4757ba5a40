/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the board's lists of CPUs.
 *
 * The number of CPUs in HELLO decides how many bytes we write into the tool for a value of a
 * per-CPU map. A tool that read a list of fewer CPUs would have a smaller buffer. Libraries of
 * tools write beyond their arrays if a list is not in ascending order. */
#include "host-usb/run/files/cpus.h"

#include "core/base/log.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/run.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POSSIBLE "/sys/devices/system/cpu/possible"
#define LIST_MAX 65536 /* bytes; more than a list of every second CPU */

/* A set of CPUs. */
struct cpus {
	bool has[CPUS_MAX];
	uint32_t count;
};

static bool take_number(const char **at, unsigned long *number)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	*number = strtoul(*at, &end, 10);
	*at = end;
	return *number < CPUS_MAX;
}

/* Reads a list such as "0,2-3\n", or "\n" for none. Refuses lists that the kernel would not write,
 * because tools differ in how they read them. */
static bool parse(const char *list, struct cpus *cpus)
{
	unsigned long first, last, next = 0;

	memset(cpus, 0, sizeof(*cpus));
	if (strcmp(list, "\n") == 0)
		return true;
	for (;; list++) {
		if (!take_number(&list, &first) || first < next)
			return false;
		last = first;
		if (*list == '-') {
			list++;
			if (!take_number(&list, &last) || last <= first)
				return false;
		}
		cpus->count += (uint32_t)(last - first + 1);
		memset(cpus->has + first, true, last - first + 1);
		next = last + 1;
		if (*list != ',')
			return strcmp(list, "\n") == 0;
	}
}

/* Reads the list in a file. Returns false if it is none. */
static bool read_list(int fd, struct cpus *cpus)
{
	char list[LIST_MAX];
	ssize_t n = fd < 0 ? -1 : pread(fd, list, sizeof(list) - 1, 0);

	if (n <= 0)
		return false;
	list[n] = 0;
	return strlen(list) == (size_t)n && parse(list, cpus);
}

static int make_list(uint32_t possible)
{
	int fd = memfd_create("bpfd:file", MFD_CLOEXEC), n;

	if (fd < 0)
		return -errno;
	n = possible > 1 ? dprintf(fd, "0-%u\n", possible - 1) : dprintf(fd, "0\n");
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		n = -errno;
		close(fd);
		return n;
	}
	return fd;
}

static int check_possible(struct run *run, int fd)
{
	struct cpus cpus;

	if (client_dead(run->client))
		return fd;
	if (run->board.possible_cpus && read_list(fd, &cpus) &&
		cpus.count == run->board.possible_cpus)
		return fd;
	if (fd >= 0) {
		log_warning(
			"%s: does not list the %u CPUs that the board announced; using that number",
			POSSIBLE, run->board.possible_cpus);
		close(fd);
	}
	return make_list(run->board.possible_cpus);
}

/* Returns true if each CPU of the list is possible, and there is one. */
static bool is_subset(struct run *run, const struct cpus *cpus)
{
	int fd = check_possible(run, remote_open(run->remote, POSSIBLE));
	struct cpus possible;
	bool is_list = read_list(fd, &possible);

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; is_list && i < CPUS_MAX; i++)
		is_list = !cpus->has[i] || possible.has[i];
	return is_list && cpus->count;
}

static bool starts_with(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool ends_with(const char *path, const char *end)
{
	size_t length = strlen(path), tail = strlen(end);

	return length >= tail && strcmp(path + length - tail, end) == 0;
}

/* True for files that contain a list of CPUs, or of NUMA nodes in the same form. */
static bool is_list_file(const char *path)
{
	static const char *const names[] = {
		"/online", "/present", "/offline", "/isolated", "/possible", "/cpulist", "_list"};

	if (starts_with(path, "/sys/bus/event_source/devices/"))
		return ends_with(path, "/cpumask") || ends_with(path, "/cpus");
	if (!starts_with(path, "/sys/devices/system/"))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (ends_with(path, names[i]))
			return true;
	return false;
}

int cpus_check(struct run *run, const char *path, int fd)
{
	struct cpus cpus;
	bool is_good;

	if (strcmp(path, POSSIBLE) == 0)
		return check_possible(run, fd);
	if (fd < 0 || !is_list_file(path))
		return fd;
	is_good = read_list(fd, &cpus);
	if (is_good && (strcmp(path, "/sys/devices/system/cpu/online") == 0 ||
			       strcmp(path, "/sys/devices/system/cpu/present") == 0))
		is_good = is_subset(run, &cpus);
	if (is_good)
		return fd;
	log_error("%s: refused: not a list of CPUs that the board can have", path);
	close(fd);
	return -EIO;
}
