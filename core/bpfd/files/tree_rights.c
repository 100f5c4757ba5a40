/* SPDX-License-Identifier: Apache-2.0 */
/* What a remote client may see: the list of it. */
#include "core/base/paths.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/files/tree_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_RIGHTS	 (TREE_STAT | TREE_READ)
#define DIRECTORY_RIGHTS (TREE_STAT | TREE_LIST)
#define LINK_RIGHTS	 (TREE_STAT | TREE_LINK)
#define ALL_RIGHTS	 (TREE_STAT | TREE_READ | TREE_LIST | TREE_LINK)

#define DIGITS "0123456789"

struct name_rights {
	const char *name;
	unsigned int rights;
};

/* Files of /proc itself. */
static const char *const proc_files[] = {"buddyinfo", "cmdline", "config.gz", "cpuinfo", "devices",
	"diskstats", "filesystems", "interrupts", "iomem", "kallsyms", "loadavg", "meminfo",
	"modules", "partitions", "schedstat", "slabinfo", "softirqs", "stat", "swaps", "uptime",
	"version", "version_signature", "vmstat", "zoneinfo"};

/* What a process has. No memory, no environment. */
static const struct name_rights process_files[] = {
	{"cgroup", FILE_RIGHTS},
	{"cmdline", FILE_RIGHTS},
	{"comm", FILE_RIGHTS},
	{"cwd", LINK_RIGHTS},
	{"exe", LINK_RIGHTS | TREE_READ | TREE_CODE},
	{"fd", DIRECTORY_RIGHTS},
	{"maps", FILE_RIGHTS},
	{"mountinfo", FILE_RIGHTS},
	{"ns", DIRECTORY_RIGHTS},
	{"root", LINK_RIGHTS},
	{"stat", FILE_RIGHTS},
	{"status", FILE_RIGHTS},
	{"task", DIRECTORY_RIGHTS},
};

static const char *const thread_files[] = {"comm", "stat", "status"};

/* Directories of /sys: the longest name that a path is in counts. */
static const struct {
	const char *directory;
	unsigned int own, below;
} sys_directories[] = {
	{"/sys", DIRECTORY_RIGHTS, 0},
	{"/sys/block", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/bus", DIRECTORY_RIGHTS, 0},
	{"/sys/bus/event_source", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/class", DIRECTORY_RIGHTS, 0},
	{"/sys/class/block", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/class/net", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/devices", DIRECTORY_RIGHTS, 0},
	{"/sys/devices/system", DIRECTORY_RIGHTS, 0},
	{"/sys/devices/system/cpu", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/devices/system/node", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/fs", DIRECTORY_RIGHTS, 0},
	{"/sys/fs/bpf", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/fs/cgroup", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/kernel", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/kernel/debug", DIRECTORY_RIGHTS, 0},
	{"/sys/kernel/debug/kprobes", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/kernel/debug/tracing", ALL_RIGHTS, ALL_RIGHTS},
	{"/sys/module", ALL_RIGHTS, ALL_RIGHTS},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool tree_is_valid(const char *path)
{
	size_t len;

	if (*path != '/' || strlen(path) >= PATH_MAX)
		return false;
	if (!path[1])
		return true;
	for (; *path; path += len) {
		len = strcspn(++path, "/");
		if (!len || (path[0] == '.' && (len == 1 || (len == 2 && path[1] == '.'))))
			return false;
	}
	return true;
}

const char *tree_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	if (strncmp(path, directory, len) != 0)
		return NULL;
	return path[len] == '/' || !path[len] ? path + len : NULL;
}

const char *tree_tracefs_rest(const char *path)
{
	const char *rest = tree_below(path, "/sys/kernel/tracing");

	return rest ? rest : tree_below(path, "/sys/kernel/debug/tracing");
}

const char *tree_root_rest(const char *path)
{
	const char *rest = tree_below(path, "/proc");
	size_t digits = rest && *rest ? strspn(rest + 1, DIGITS) : 0;

	rest = digits ? tree_below(rest + 1 + digits, "/root") : NULL;
	return rest && *rest ? rest : NULL;
}

/* /tmp/perf-PID.map */
bool tree_is_symbols(const char *path)
{
	size_t digits;

	if (strncmp(path, "/tmp/perf-", 10) != 0)
		return false;
	digits = strspn(path + 10, DIGITS);
	return digits && !strcmp(path + 10 + digits, ".map");
}

/* Whether a name with a slash before it is in the list. */
static bool listed(const char *const *names, size_t count, const char *rest)
{
	while (count--)
		if (!strcmp(names[count], rest + 1))
			return true;
	return false;
}

static unsigned int thread_rights(const char *rest)
{
	size_t digits = strspn(rest + 1, DIGITS);

	if (!digits)
		return 0;
	rest += 1 + digits;
	if (!*rest)
		return DIRECTORY_RIGHTS;
	return *rest == '/' && listed(thread_files, COUNT(thread_files), rest) ? FILE_RIGHTS : 0;
}

/* `rest` is behind /proc/PID. */
static unsigned int process_rights(const char *rest)
{
	const char *below;

	if (!*rest)
		return DIRECTORY_RIGHTS;
	for (size_t i = 0; i < COUNT(process_files); i++)
		if (!strcmp(process_files[i].name, rest + 1))
			return process_files[i].rights;
	if (tree_below(rest, "/root"))
		return LINK_RIGHTS | TREE_READ | TREE_CODE;
	below = tree_below(rest, "/task");
	if (below)
		return thread_rights(below);
	below = tree_below(rest, "/fd");
	if (!below)
		below = tree_below(rest, "/ns");
	return below && !strchr(below + 1, '/') ? LINK_RIGHTS : 0;
}

/* `rest` is behind /proc. */
static unsigned int proc_rights(const char *rest)
{
	size_t digits;

	if (!*rest)
		return DIRECTORY_RIGHTS;
	digits = strspn(rest + 1, DIGITS);
	if (digits && (rest[1 + digits] == '/' || !rest[1 + digits]))
		return process_rights(rest + 1 + digits);
	if (tree_below(rest, "/sys"))
		return FILE_RIGHTS | DIRECTORY_RIGHTS;
	return listed(proc_files, COUNT(proc_files), rest) ? FILE_RIGHTS : 0;
}

/* Whether a path is in the directory of a PMU's device. */
static bool is_pmu(const struct paths *paths, const char *path)
{
	const char *rest = tree_below(path, "/sys/devices");
	char link[PATH_MAX];

	if (!rest || !*rest)
		return false;
	if (path_format(link, "%s/bus/event_source/devices/%.*s", paths->sysfs,
		    (int)strcspn(rest + 1, "/"), rest + 1))
		return false;
	return access(link, F_OK) == 0;
}

static unsigned int sys_rights(const struct paths *paths, const char *path)
{
	unsigned int rights = 0;
	size_t longest = 0;

	for (size_t i = 0; i < COUNT(sys_directories); i++) {
		const char *rest = tree_below(path, sys_directories[i].directory);
		size_t len = strlen(sys_directories[i].directory);

		if (!rest || len < longest)
			continue;
		longest = len;
		rights = *rest ? sys_directories[i].below : sys_directories[i].own;
	}
	return rights || !is_pmu(paths, path) ? rights : ALL_RIGHTS;
}

unsigned int tree_rights(const struct paths *paths, const char *path)
{
	const char *rest;

	if (!tree_is_valid(path))
		return 0;
	if (!path[1])
		return TREE_STAT;
	rest = tree_below(path, "/proc");
	if (rest)
		return proc_rights(rest);
	if (tree_below(path, "/sys"))
		return sys_rights(paths, path);
	return tree_below(path, "/dev") ? 0 : TREE_STAT | TREE_READ | TREE_CODE;
}
