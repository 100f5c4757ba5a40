/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves a path within a directory as if that were the root, links and all.
 *
 * As openat2(2) does with RESOLVE_IN_ROOT, which kernels before 5.6 lack, and which the filter of
 * system calls cannot let pass: what it opens a file for is in memory, where filters do not see it.
 * Each step goes down from a directory that is open, into what is no link, so that nobody who
 * renames things meanwhile can lead us out. */
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

#define LINKS_MAX  40  /* as the kernel */
#define STARTS_MAX 256 /* at the root, one for each link and ".."; each can be a long way down */
#define AGAIN	   INT_MIN /* no errno: a file system in user space can fail with each of them */

struct walk {
	int root;
	bool follow, links;
	char path[PATH_MAX]; /* what is left to be resolved, from the root */
};

/* Puts what a link holds in the place of the component from start to end. */
static int splice_link(struct walk *walk, int link, size_t start, size_t end)
{
	char target[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlinkat(link, "", target, sizeof(target) - 1);
	struct statfs fs;
	int err;

	if (len < 0)
		return -errno;
	/* Links of processes lead elsewhere than they say. */
	if (!walk->links || fstatfs(link, &fs) || fs.f_type == PROC_SUPER_MAGIC)
		return -ELOOP;
	target[len] = '\0';
	err = path_format(path, "%.*s%s%s", target[0] == '/' ? 0 : (int)start, walk->path, target,
		walk->path + end);
	if (!err)
		strcpy(walk->path, path);
	return err;
}

static void cut(struct walk *walk, size_t start, size_t end)
{
	memmove(walk->path + start, walk->path + end, strlen(walk->path + end) + 1);
}

/* Takes "..", which ends at `end`, and the directory before it away; start is where ".." does. */
static void splice_parent(struct walk *walk, size_t start, size_t end)
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

/* Goes down the path. Returns the descriptor; AGAIN: a component was replaced by what it stands
 * for, *links counts the links; or an errno. */
static int walk_down(struct walk *walk, int *links)
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
			cut(walk, start, end); /* ".." looks at what is before it */
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
	struct walk walk = {.root = root, .follow = follow, .links = links};
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
