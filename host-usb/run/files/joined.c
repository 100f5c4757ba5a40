/* SPDX-License-Identifier: Apache-2.0 */
/* Joins the build directory and the sources of a kernel that was built with O=. */
#include "host-usb/run/files/joined.h"

#include "core/base/paths.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Headers are compiled from these parts only. In the others the build directory has object files
 * beside many sources, which would be tens of thousands of links. */
static const char *const parts[] = {"include", "arch"};

/* True for a directory that is no link: in a link to one of the user's directories nothing may be
 * made. */
static bool is_directory(const char *parent, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return path_format(path, "%s%s", parent, name) == 0 && lstat(path, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* Repeats one entry in the tree, unless the tree has it. A directory that `other` has too becomes a
 * directory, and everything else a link. */
static int repeat_entry(
	FTS *walk, FTSENT *entry, const char *name, const char *other, const char *tree)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s%s", tree, name);

	if (err)
		return err;
	if (entry->fts_info == FTS_D && (!*name || (other && is_directory(other, name))))
		return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
	if (entry->fts_info == FTS_D)
		fts_set(walk, entry, FTS_SKIP);
	return symlink(entry->fts_path, path) < 0 && errno != EEXIST ? -errno : 0;
}

/* Repeats the entries of `from` in the tree; `other` may be NULL. */
static int repeat(const char *from, const char *other, const char *tree)
{
	char root[PATH_MAX];
	char *const roots[] = {root, NULL};
	FTSENT *entry;
	FTS *walk;
	int err = path_format(root, "%s", from);

	if (err)
		return err;
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!walk)
		return -errno;
	errno = 0;
	while (!err && (entry = fts_read(walk))) {
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
			err = -entry->fts_errno;
		else if (entry->fts_info != FTS_DP)
			err = repeat_entry(
				walk, entry, entry->fts_path + strlen(from), other, tree);
		errno = 0;
	}
	if (!err && errno)
		err = -errno;
	fts_close(walk);
	return err;
}

/* Repeats a part that both directories have. The build directory's entries come first and stay. */
static int join_part(const char *tree, const char *build, const char *source, const char *part)
{
	char in_tree[PATH_MAX], in_build[PATH_MAX], in_source[PATH_MAX];
	int err;

	if (path_format(in_tree, "%s/%s", tree, part) ||
		path_format(in_build, "%s/%s", build, part) ||
		path_format(in_source, "%s/%s", source, part))
		return -ENAMETOOLONG;
	if (!is_directory(in_build, "") || !is_directory(in_source, ""))
		return 0;
	err = repeat(in_build, in_source, in_tree);
	return err ? err : repeat(in_source, in_build, in_tree);
}

int joined_make(const char *tree, const char *build, const char *source)
{
	int err = mkdir(tree, 0700) < 0 ? -errno : 0;

	for (size_t i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++)
		err = join_part(tree, build, source, parts[i]);
	if (!err)
		err = repeat(source, NULL, tree);
	return err ? err : repeat(build, NULL, tree);
}
