/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which paths of the tool name files of the board. */
#include "host-usb/run/files/path.h"

#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/base/shortage.h"
#include "core/messages/file_tree.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/files/real_path.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/processes.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROC_PREFIX   "/proc/"
#define REMOVED	      " (deleted)"   /* the kernel puts it after the name of a removed file */
#define MEMORY_PREFIX "/memfd:bpfd:" /* of links to the memory files that we give to the tool */

/* Removes repeated slashes, ".", and each ".." with the component before it. */
static void normalize(char *path)
{
	char *to = path;
	const char *from = path;

	while (*from) {
		size_t length;

		while (*from == '/')
			from++;
		length = strcspn(from, "/");
		if (length == 2 && from[0] == '.' && from[1] == '.') {
			while (to > path && *--to != '/')
				;
		} else if (length && !(length == 1 && from[0] == '.')) {
			*to++ = '/';
			memmove(to, from, length);
			to += length;
		}
		from += length;
	}
	if (to == path)
		*to++ = '/';
	*to = 0;
}

/* `path` is that of a process, after /proc/. */
static bool is_board_process(const char *path)
{
	long pid = strtol(path, NULL, 10);

	return pid <= INT_MAX && process_is_board((int)pid);
}

static bool is_board(const char *path)
{
	switch (file_tree_side(path)) {
	case TREE_BOARD:
		return true;
	case TREE_BOARD_PROCESS:
		return is_board_process(path + strlen(PROC_PREFIX));
	default:
		return false;
	}
}

bool path_is_in_proc(const char *path)
{
	return strncmp(path, PROC_PREFIX, strlen(PROC_PREFIX)) == 0;
}

bool path_has_end(const char *path, const char *end)
{
	size_t length = strlen(path), size = strlen(end);

	return length > size && strcmp(path + length - size, end) == 0;
}

bool path_is_of_process(const char *path, const char *name)
{
	return path_is_in_proc(path) && path_has_end(path + strlen(PROC_PREFIX) - 1, name);
}

bool path_is_of_tracefs(const char *path, const char *name)
{
	const char *rest = file_tree_tracefs(path);

	return rest && *rest == '/' && strcmp(rest + 1, name) == 0;
}

/* Finds the directory where a relative path starts. Returns 1 if it is the board's, with a stand-in
 * in the tool; 0 if it is the workstation's; or a negative errno: then the kernel runs the call and
 * reports the error. */
static int base_of(const struct call *call, int dirfd, char base[PATH_MAX])
{
	const struct object *object = NULL;
	char link[16] = "cwd";
	ssize_t n;

	if (dirfd != AT_FDCWD) {
		object = object_of(call, dirfd, OBJECT_DIRECTORY);
		snprintf(link, sizeof(link), "fd/%d", dirfd);
	}
	n = object ? 0 : memory_read_link(call, link, base, PATH_MAX);
	if (n < 0)
		return (int)n;
	if (!object && dirfd == AT_FDCWD && path_has_end(base, REMOVED)) /* as our stand-ins are */
		object = object_of_cwd(call);
	if (object)
		snprintf(base, PATH_MAX, "%s", object->path);
	return object != NULL;
}

/* Returns true for a name that stands for an open descriptor of the tool. */
static bool is_descriptor(const char *path)
{
	const char *rest = file_tree_below(path, "/proc/self/fd");

	if (!rest)
		rest = file_tree_below(path, "/dev/fd");
	return (rest && *rest && !strchr(rest + 1, '/')) || strcmp(path, "/dev/stdin") == 0 ||
	       strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0;
}

/* Resolves an absolute path that by its text is the workstation's, but whose links may lead to
 * names of the board. */
static int resolve_links(
	const struct call *call, const char *path, bool follow, char resolved[PATH_MAX])
{
	const char *own = file_tree_below(path, "/proc/self");
	char start[PATH_MAX];
	bool of_kernel;
	int ret;

	if (is_descriptor(path))
		return 0;
	/* For us this link leads to bpfd-run's own process. */
	if (own && path_format(start, "/proc/%d%s", (int)call->tid, own) == 0)
		path = start;
	ret = real_path(path, follow, resolved, &of_kernel);
	if (ret <= 0) /* the kernel reports errors of the path */
		return is_shortage(ret) ? ret : 0;
	normalize(resolved);
	if (file_tree_side(resolved) == TREE_BOARD)
		return 1;
	if (!of_kernel || file_tree_below(resolved, "/proc") || file_tree_below(resolved, "/sys"))
		return 0;
	log_warning("%s: not opened, because it shows this workstation's kernel; the board's files "
		    "are below /proc and /sys",
		resolved);
	return -EACCES;
}

/* Resolves a relative path. The kernel would start at the stand-in of a directory of the board, so
 * names of the workstation cannot be reached from there. */
static int resolve_relative(
	const struct call *call, int dirfd, const char *given, bool follow, char resolved[PATH_MAX])
{
	char base[PATH_MAX], path[PATH_MAX];
	int stand_in = base_of(call, dirfd, base);

	/* The link of a descriptor that is no directory may not start with a slash. */
	if (stand_in < 0 || base[0] != '/' ||
		path_format(path, "%s%s%s", base, *given ? "/" : "", given) < 0)
		return 0;
	strcpy(resolved, path);
	normalize(resolved);
	if (is_board(resolved))
		return 1;
	if (!stand_in)
		return resolve_links(call, path, follow, resolved);
	log_warning(
		"%s: not reached from the board's directory %s by a relative name", resolved, base);
	return -ENOENT;
}

/* Removes links to the tool's own root from the start of a path: they lead to the same names. */
static void strip_root(char *path)
{
	static const char *const roots[] = {"/proc/self/root", "/proc/thread-self/root"};
	const char *rest;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		while ((rest = file_tree_below(path, roots[i])) && *rest)
			memmove(path, rest, strlen(rest) + 1);
	}
}

int path_resolve(
	const struct call *call, int dirfd, uint64_t path, bool follow, char resolved[PATH_MAX])
{
	char given[PATH_MAX];
	ssize_t n = memory_read_string(call, path, given, sizeof(given));
	int err;

	if (n == -EFAULT || n == -ENAMETOOLONG)
		return 0; /* the kernel reports it */
	if (n < 0)
		return (int)n;
	err = call->run->use_path ? call->run->use_path(call->run->headers, given) : 0;
	if (err)
		return err;
	if (given[0] != '/')
		return resolve_relative(call, dirfd, given, follow, resolved);
	strcpy(resolved, given);
	normalize(resolved);
	strip_root(resolved);
	return is_board(resolved) ? 1 : resolve_links(call, given, follow, resolved);
}

/* Names the board's object that a descriptor stands for. Returns as path_resolve(). */
static int name_descriptor(const struct call *call, int fd, char name[PATH_MAX])
{
	const struct object *object = object_of_any(call, fd);
	char link[64];
	ssize_t n;

	if (object && object->path) {
		snprintf(name, PATH_MAX, "%s", object->path);
		return 1;
	}
	snprintf(link, sizeof(link), "fd/%d", fd);
	n = memory_read_link(call, link, name, PATH_MAX);
	if (n < 0)
		return n == -ESRCH ? (int)n : 0; /* the kernel reports other errors */
	return object || strncmp(name, MEMORY_PREFIX, strlen(MEMORY_PREFIX)) == 0;
}

int path_resolve_file(const struct call *call, int dirfd, uint64_t path, char resolved[PATH_MAX])
{
	char first;

	if (dirfd >= 0 && (!path || (!memory_read(call, path, &first, 1) && !first)))
		return name_descriptor(call, dirfd, resolved);
	return path_resolve(call, dirfd, path, true, resolved);
}
