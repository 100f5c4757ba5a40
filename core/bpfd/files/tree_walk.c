/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves a path and its links within a directory as if that were the root.
 *
 * openat2(2) does the same with RESOLVE_IN_ROOT, but kernels before 5.6 lack it, and the filter of
 * system calls cannot allow it: its flags are in memory, which filters do not see. Each step goes
 * down from an open directory into a component that is not a link, so that no process can lead the
 * walk out of the root by renaming directories meanwhile. */
#include "core/base/paths.h"
#include "core/bpfd/files/tree_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX  40	   /* as in the kernel */
#define STARTS_MAX 256	   /* from the root, one for each link and each ".." */
#define AGAIN	   INT_MIN /* not an errno: a FUSE file system can fail with any errno */

struct path_walk {
	int root;
	bool follow, links;
	char path[PATH_MAX]; /* from the root, with all links so far resolved */
};

/* Replaces the component from start to end by the target of a link. */
static int splice_link(struct path_walk *walk, int link, size_t start, size_t end)
{
	char target[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);
	struct statfs fs;
	int err;

	if (len < 0)
		return -errno;
	/* The target of a process's link is not the text that readlink(2) returns. */
	if (!walk->links || fstatfs(link, &fs) || fs.f_type == PROC_SUPER_MAGIC)
		return -ELOOP;
	target[len] = '\0';
	err = path_format(path, "%.*s%s%s", target[0] == '/' ? 0 : (int)start, walk->path, target,
		walk->path + end);
	if (!err)
		strcpy(walk->path, path);
	return err;
}

static void cut(struct path_walk *walk, size_t start, size_t end)
{
	memmove(walk->path + start, walk->path + end, strlen(walk->path + end) + 1);
}

/* Removes "..", from start to end, and the directory before it. */
static void splice_parent(struct path_walk *walk, size_t start, size_t end)
{
	while (start && walk->path[start - 1] == '/')
		start--;
	while (start && walk->path[start - 1] != '/')
		start--;
	cut(walk, start, end);
}

static int open_component(int directory, const char *name, size_t len, struct stat *st)
{
	char text[NAME_MAX + 1];
	int fd, err;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(text, name, len);
	text[len] = '\0';
	fd = openat(directory, text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Goes down the path. Returns the descriptor; AGAIN: a link or ".." was replaced, so the walk
 * starts again; or a negative errno. *links counts the links. */
static int walk_down(struct path_walk *walk, int *links)
{
	int fd = openat(walk->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	size_t start, end = 0;
	struct stat st;

	while (fd >= 0) {
		start = end + strspn(walk->path + end, "/");
		end = start + strcspn(walk->path + start, "/");
		if (start == end)
			return fd;
		if (end - start == 1 && walk->path[start] == '.') {
			cut(walk, start, end); /* so that it is not before a ".." */
			end = start;
			continue;
		}
		if (end - start == 2 && !strncmp(walk->path + start, "..", 2)) {
			splice_parent(walk, start, end);
			close(fd);
			return AGAIN;
		}
		next = open_component(fd, walk->path + start, end - start, &st);
		close(fd);
		if (next < 0)
			return next;
		fd = next;
		if (S_ISLNK(st.st_mode) && (walk->path[end] || walk->follow)) {
			next = ++*links > LINKS_MAX ? -ELOOP : splice_link(walk, fd, start, end);
			close(fd);
			return next ? next : AGAIN;
		}
	}
	return -errno;
}

int tree_walk(int root, const char *path, bool follow, bool links)
{
	struct path_walk walk = {.root = root, .follow = follow, .links = links};
	int links_followed = 0, fd;

	if (strlen(path) >= sizeof(walk.path))
		return -ENAMETOOLONG;
	strcpy(walk.path, path);
	for (int starts = 0; starts < STARTS_MAX; starts++) {
		fd = walk_down(&walk, &links_followed);
		if (fd != AGAIN)
			return fd;
	}
	return -ELOOP;
}
