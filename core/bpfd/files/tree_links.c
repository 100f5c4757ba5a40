/* SPDX-License-Identifier: Apache-2.0 */
/* Which links of sysfs a client may follow into /sys/devices.
 *
 * A device of the client's links to its driver, its bus and its firmware node, and from those links
 * lead to every device of the board. */
#include "core/base/paths.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/files/tree_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The devices of these directories are the client's. */
static const char *const device_lists[] = {
	"block", "class/block", "class/net", "bus/event_source/devices"};

/* Resolves all links of a path. */
static bool resolve(const char *path, char real[PATH_MAX])
{
	return realpath(path, real) != NULL;
}

/* True if `real`, which has no links, is a device of the lists. */
static bool is_listed(const struct paths *paths, const char *real)
{
	char entry[PATH_MAX], device[PATH_MAX];
	const char *name = strrchr(real, '/');

	for (size_t i = 0; name && i < sizeof(device_lists) / sizeof(device_lists[0]); i++)
		if (!path_format(entry, "%s/%s%s", paths->sysfs, device_lists[i], name) &&
			resolve(entry, device) && !strcmp(device, real))
			return true;
	return false;
}

/* True if the target of a link has rights by its own name in sysfs. */
static bool has_rights(const struct paths *paths, const char *real)
{
	char sysfs[PATH_MAX], path[PATH_MAX];
	const char *rest = resolve(paths->sysfs, sysfs) ? file_tree_below(real, sysfs) : NULL;

	return rest && !path_format(path, "/sys%s", rest) && tree_rights(paths, path);
}

/* `link` is the name of a link in sysfs. The device of a network interface or a disk, which the
 * link "device" leads to, is the client's too. */
static bool may_follow(const struct paths *paths, const char *link)
{
	const char *name = strrchr(link, '/');
	char real[PATH_MAX];

	if (name && !strcmp(name, "/device"))
		return true;
	return resolve(link, real) && (is_listed(paths, real) || has_rights(paths, real));
}

bool tree_links_allowed(const struct paths *paths, const char *path, bool follow)
{
	const char *rest = file_tree_below(path, "/sys"), *end = rest;
	char link[PATH_MAX], target[1];

	while (rest && *end) {
		end += 1 + strcspn(end + 1, "/");
		if (path_format(link, "%s%.*s", paths->sysfs, (int)(end - rest), rest))
			return false;
		if ((*end || follow) && readlink(link, target, sizeof(target)) > 0 &&
			!may_follow(paths, link))
			return false;
	}
	return rest != NULL;
}
