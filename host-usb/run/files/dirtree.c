/* SPDX-License-Identifier: Apache-2.0 */
/* Walks directory trees. Symbolic links are not followed. */
#include "host-usb/run/files/dirtree.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FTS *walk(const char *path)
{
	char copy[PATH_MAX];
	char *const paths[] = {copy, NULL};

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return NULL;
	return fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
}

uint64_t dirtree_size(const char *path)
{
	FTS *tree = walk(path);
	const FTSENT *entry;
	uint64_t size = 0;

	while (tree && (entry = fts_read(tree)))
		if (entry->fts_info != FTS_DP && entry->fts_statp)
			size += (uint64_t)entry->fts_statp->st_blocks * 512;
	if (tree)
		fts_close(tree);
	return size;
}

void dirtree_remove(const char *path)
{
	FTS *tree = walk(path);
	const FTSENT *entry;

	while (tree && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_DP || entry->fts_info == FTS_DNR)
			rmdir(entry->fts_accpath);
		else if (entry->fts_info != FTS_D)
			unlink(entry->fts_accpath);
	if (tree)
		fts_close(tree);
}

/* Returns true for a link to a directory or a regular file in the tree `root`. */
static bool leads_inside(const char *root, const char *link)
{
	size_t length = strlen(root);
	char real[PATH_MAX];
	struct stat st;

	return realpath(link, real) && strncmp(real, root, length) == 0 &&
	       (real[length] == '/' || !real[length]) && lstat(real, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

int dirtree_confine(const char *path)
{
	char root[PATH_MAX];
	const FTSENT *entry;
	bool allowed;
	FTS *tree;
	int err = 0;

	if (!realpath(path, root))
		return -errno;
	tree = walk(root);
	if (!tree)
		return -errno;
	errno = 0;
	while (!err && (entry = fts_read(tree))) {
		switch (entry->fts_info) {
		case FTS_D:
		case FTS_DP:
		case FTS_F:
			allowed = true;
			break;
		case FTS_SL:
		case FTS_SLNONE:
			allowed = leads_inside(root, entry->fts_accpath);
			break;
		case FTS_DNR:
		case FTS_ERR:
		case FTS_NS:
			return fts_close(tree), -EIO;
		default:
			allowed = false;
		}
		if (!allowed && unlink(entry->fts_accpath) < 0)
			err = -errno;
		errno = 0;
	}
	if (!err && errno)
		err = -errno;
	fts_close(tree);
	return err;
}
