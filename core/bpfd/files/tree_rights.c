/* SPDX-License-Identifier: Apache-2.0 */
/* The rights of a path on the board, and the forms of paths. */
#include "core/base/paths.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/files/tree_private.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ALL_RIGHTS (TREE_STAT | TREE_READ | TREE_LIST | TREE_LINK)
#define DIGITS	   "0123456789"

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

const char *tree_root_rest(const char *path)
{
	const char *rest = file_tree_below(path, "/proc");
	size_t digits = rest && *rest ? strspn(rest + 1, DIGITS) : 0;

	rest = digits ? file_tree_below(rest + 1 + digits, "/root") : NULL;
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

/* True if a path is the directory of a PMU's device or in it. */
static bool is_pmu(const struct paths *paths, const char *path)
{
	const char *rest = file_tree_below(path, "/sys/devices");
	char link[PATH_MAX];

	if (!rest || !*rest)
		return false;
	if (path_format(link, "%s/bus/event_source/devices/%.*s", paths->sysfs,
		    (int)strcspn(rest + 1, "/"), rest + 1))
		return false;
	return access(link, F_OK) == 0;
}

unsigned int tree_rights(const struct paths *paths, const char *path)
{
	unsigned int rights;

	if (!tree_is_valid(path))
		return 0;
	rights = file_tree_rights(path);
	return !rights && is_pmu(paths, path) ? ALL_RIGHTS : rights;
}
