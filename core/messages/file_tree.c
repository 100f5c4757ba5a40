/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the board's file tree. */
#include "core/messages/file_tree.h"

#include <string.h>

#define FILE	  (TREE_STAT | TREE_READ)
#define DIRECTORY (TREE_STAT | TREE_LIST)
#define LINK	  (TREE_STAT | TREE_LINK)
#define CODE	  (TREE_READ | TREE_CODE)
#define ALL	  (TREE_STAT | TREE_READ | TREE_LIST | TREE_LINK)

#define PROC(name)	    "/proc/" name, FILE, 0, TREE_BOARD
#define PROCESS(name)	    "/proc/#" name
#define SUBTREE(path, side) path, ALL, ALL, side

/* In rows with rights and TREE_HOST the two sides differ: the board serves the path to a client
 * that asks for it, but bpfd-run leaves the tool's path to the workstation. */
static const struct file_tree_row rows[] = {
	/* Everywhere else the board serves programs and libraries, for uprobes and symbols. The
	 * tool's own programs and libraries are the workstation's. */
	{"", TREE_STAT, TREE_STAT | CODE, TREE_HOST},
	{"/dev", 0, 0, TREE_HOST},
	{"/dev/kmsg", TREE_STAT, 0, TREE_BOARD}, /* FILE_FOLLOW reads it */

	/* Other names below /proc are refused: the workstation's would be a wrong answer. Of the
	 * tool's own process and its mounts and networks they are the workstation's. */
	{"/proc", DIRECTORY, 0, TREE_BOARD},
	{"/proc/self", 0, 0, TREE_HOST},
	{"/proc/thread-self", 0, 0, TREE_HOST},
	{"/proc/mounts", 0, 0, TREE_HOST},
	{"/proc/net", 0, 0, TREE_HOST},
	{PROC("buddyinfo")},
	{PROC("cgroups")},
	{PROC("cmdline")},
	{PROC("config.gz")},
	{PROC("consoles")},
	{PROC("cpuinfo")},
	{PROC("crypto")},
	{PROC("devices")},
	{PROC("diskstats")},
	{PROC("dma")},
	{PROC("filesystems")},
	{PROC("interrupts")},
	{PROC("iomem")},
	{PROC("ioports")},
	{"/proc/irq", DIRECTORY, FILE | DIRECTORY, TREE_BOARD},
	{PROC("kallsyms")},
	{PROC("loadavg")},
	{PROC("locks")},
	{PROC("meminfo")},
	{PROC("misc")},
	{PROC("modules")},
	{PROC("pagetypeinfo")},
	{PROC("partitions")},
	{"/proc/pressure", DIRECTORY, FILE, TREE_BOARD},
	{PROC("sched_debug")},
	{PROC("schedstat")},
	{PROC("slabinfo")},
	{PROC("softirqs")},
	{PROC("stat")},
	{PROC("swaps")},
	{"/proc/sys", FILE | DIRECTORY, FILE | DIRECTORY, TREE_BOARD},
	{PROC("timer_list")},
	{PROC("tty/drivers")},
	{PROC("uptime")},
	{PROC("version")},
	{PROC("version_signature")},
	{PROC("vmallocinfo")},
	{PROC("vmstat")},
	{PROC("zoneinfo")},

	/* Processes: neither their memory nor their environment. */
	{PROCESS(""), DIRECTORY, 0, TREE_BOARD_PROCESS},
	{PROCESS("/cgroup"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/cmdline"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/comm"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/cwd"), LINK, 0, TREE_BOARD_PROCESS},
	{PROCESS("/exe"), LINK | CODE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/fd"), DIRECTORY, 0, TREE_BOARD_PROCESS},
	{PROCESS("/fd/*"), LINK, 0, TREE_BOARD_PROCESS},
	{PROCESS("/maps"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/mountinfo"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/ns"), DIRECTORY, 0, TREE_BOARD_PROCESS},
	{PROCESS("/ns/*"), LINK, 0, TREE_BOARD_PROCESS},
	{PROCESS("/root"), LINK, LINK | CODE, TREE_BOARD_PROCESS},
	{PROCESS("/stat"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/status"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/task"), DIRECTORY, 0, TREE_BOARD_PROCESS},
	{PROCESS("/task/#"), DIRECTORY, 0, TREE_BOARD_PROCESS},
	{PROCESS("/task/#/comm"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/task/#/stat"), FILE, 0, TREE_BOARD_PROCESS},
	{PROCESS("/task/#/status"), FILE, 0, TREE_BOARD_PROCESS},

	/* Directories that lead to the board's trees. The tool sees the workstation's, which also
	 * lead to the workstation's devices. */
	{"/sys", DIRECTORY, 0, TREE_HOST},
	{"/sys/bus", DIRECTORY, 0, TREE_HOST},
	{"/sys/class", DIRECTORY, 0, TREE_HOST},
	{"/sys/devices", DIRECTORY, 0, TREE_HOST},
	{"/sys/devices/system", DIRECTORY, 0, TREE_HOST},
	{"/sys/fs", DIRECTORY, 0, TREE_HOST},

	{SUBTREE("/sys/block", TREE_BOARD)},
	{SUBTREE("/sys/bus/event_source", TREE_BOARD)},
	{SUBTREE("/sys/class/block", TREE_BOARD)},
	{SUBTREE("/sys/class/net", TREE_BOARD)},
	{SUBTREE("/sys/devices/system/cpu", TREE_BOARD)},
	{SUBTREE("/sys/devices/system/node", TREE_BOARD)},
	{SUBTREE("/sys/fs/bpf", TREE_BOARD)},
	{SUBTREE("/sys/fs/cgroup", TREE_BOARD)},
	{SUBTREE("/sys/kernel", TREE_BOARD)},
	/* Of debugfs only what tracing needs. */
	{"/sys/kernel/debug", DIRECTORY, 0, TREE_BOARD},
	{SUBTREE("/sys/kernel/debug/kprobes", TREE_BOARD)},
	{SUBTREE("/sys/kernel/debug/tracing", TREE_BOARD)},
	{SUBTREE("/sys/module", TREE_BOARD)},
};

const struct file_tree_row *file_tree_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

static bool is_component(const char *pattern, size_t pattern_size, const char *name, size_t size)
{
	if (!size)
		return false;
	if (pattern_size == 1 && *pattern == '#')
		return strspn(name, "0123456789") >= size;
	if (pattern_size == 1 && *pattern == '*')
		return true;
	return pattern_size == size && !memcmp(pattern, name, size);
}

/* Returns the part of a path after what the pattern matches, or NULL. */
static const char *match(const char *pattern, const char *path)
{
	while (*pattern) {
		size_t pattern_size, size;

		if (*path != '/')
			return NULL;
		pattern_size = strcspn(++pattern, "/");
		size = strcspn(++path, "/");
		if (!is_component(pattern, pattern_size, path, size))
			return NULL;
		pattern += pattern_size;
		path += size;
	}
	return path;
}

/* Returns the row that matches the most of a path; *is_own: it matches all of it. */
static const struct file_tree_row *find(const char *path, bool *is_own)
{
	const struct file_tree_row *row = &rows[0];
	const char *longest = path;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *rest = match(rows[i].path, path);

		if (!rest || rest < longest)
			continue;
		longest = rest;
		row = &rows[i];
	}
	*is_own = !longest[0] || !longest[1]; /* the root has a slash left */
	return row;
}

unsigned int file_tree_rights(const char *path)
{
	bool is_own;
	const struct file_tree_row *row = find(path, &is_own);

	return is_own ? row->own : row->below;
}

enum tree_side file_tree_side(const char *path)
{
	bool is_own;

	/* Most paths are outside of these trees, and the table is long. */
	if (strncmp(path, "/proc", 5) != 0 && strncmp(path, "/sys", 4) != 0 &&
		strncmp(path, "/dev/kmsg", 9) != 0)
		return TREE_HOST;
	return (enum tree_side)find(path, &is_own)->side;
}

const char *file_tree_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	if (strncmp(path, directory, length) != 0)
		return NULL;
	return path[length] == '/' || !path[length] ? path + length : NULL;
}

const char *file_tree_tracefs(const char *path)
{
	const char *rest = file_tree_below(path, "/sys/kernel/tracing");

	return rest ? rest : file_tree_below(path, "/sys/kernel/debug/tracing");
}
