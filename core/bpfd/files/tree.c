/* SPDX-License-Identifier: Apache-2.0 */
/* Opens what tree_rights() allows.
 *
 * A path is first opened with O_PATH, which has no effect on the file. Then the file that its links
 * led to is checked, and only then is it opened for reading, through that descriptor. */
#include "core/bpfd/files/tree.h"

#include "core/base/paths.h"
#include "core/base/shortage.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/files/storage.h"
#include "core/bpfd/files/tree_private.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS "/sys/fs/bpf"
#define LOG   "/dev/kmsg"

/* Writes the redirected name of a path. */
static int real_path(const struct paths *paths, const char *path, char real[PATH_MAX])
{
	const char *rest = file_tree_tracefs(path);
	char root[PATH_MAX];
	int err;

	if (rest) {
		err = file_tracefs(paths, NULL, root);
		return err ? err : path_format(real, "%s%s", root, rest);
	}
	rest = file_tree_below(path, "/proc");
	if (rest)
		return path_format(real, "%s%s", paths->proc, rest);
	rest = file_tree_below(path, "/sys");
	if (rest)
		return path_format(real, "%s%s", paths->sysfs, rest);
	return path_format(real, "%s", path);
}

/* If `real` is in the directory `root`, writes the name that the client knows it by. */
static bool name_below(const char *real, const char *root, const char *as, char path[PATH_MAX])
{
	char canonical[PATH_MAX];
	const char *rest;

	if (!realpath(root, canonical))
		return false;
	rest = file_tree_below(real, canonical);
	return rest && !path_format(path, "%s%s", as, rest);
}

static int descriptor_path(const struct paths *paths, int fd, char path[PATH_MAX])
{
	int err = path_format(path, "/proc/self/fd/%d", fd);

	if (err || !access(path, F_OK))
		return err;
	return path_format(path, "%s/self/fd/%d", paths->proc, fd);
}

/* Writes the name of an open file, as the client knows it. */
static int opened_path(const struct paths *paths, int fd, char path[PATH_MAX])
{
	char link[PATH_MAX], real[PATH_MAX], root[PATH_MAX];
	ssize_t len;
	int err = descriptor_path(paths, fd, link);

	if (err)
		return err;
	len = readlink(link, real, sizeof(real) - 1);
	if (len < 0)
		return -errno;
	real[len] = '\0';
	if (!file_tracefs(paths, NULL, root) && name_below(real, root, "/sys/kernel/tracing", path))
		return 0;
	if (name_below(real, paths->sysfs, "/sys", path) ||
		name_below(real, paths->proc, "/proc", path))
		return 0;
	return path_format(path, "%s", real);
}

/* Returns the rights that are left after links were followed. sysfs is full of links to its
 * devices; some of these keep the rights of the link. Elsewhere the target needs the rights by its
 * own name as well. */
static unsigned int opened_rights(const struct paths *paths, const char *path, int fd)
{
	unsigned int rights = tree_rights(paths, path), other;
	char opened[PATH_MAX];
	struct stat st;

	/* The only links in /proc with rights are those of processes, which lead anywhere. */
	if (file_tree_below(path, "/proc"))
		return rights;
	if (opened_path(paths, fd, opened))
		return 0;
	other = tree_rights(paths, opened);
	if (file_tree_below(path, "/sys") && file_tree_below(opened, "/sys/devices") && !other)
		return !fstat(fd, &st) && tree_links_allowed(paths, path, !S_ISLNK(st.st_mode))
			       ? rights
			       : 0;
	return (rights & other & ~(unsigned int)TREE_CODE) | ((rights | other) & TREE_CODE);
}

/* Finds the effective user of a process. The owner of its directory would not do: that is root for
 * an undumpable process, and any process can make itself undumpable. */
static int process_user(int process, uid_t *user)
{
	char text[1024]; /* "Uid:" is the ninth line */
	const char *line;
	ssize_t len;
	int fd = openat(process, "status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len < 0 ? 0 : len] = '\0';
	line = strstr(text, "\nUid:");
	return line && sscanf(line, "\nUid: %*u %u", user) == 1 ? 0 : -ESRCH;
}

/* Checks that a file of symbols belongs to the process. Otherwise a process could put another
 * user's file in that place, by a hard link or by a mount, and learn what it cannot read. */
static int check_symbols(int process, int fd)
{
	struct stat st;
	uid_t user;

	if (fstat(fd, &st))
		return -errno;
	return st.st_nlink == 1 && !process_user(process, &user) && st.st_uid == user ? 0 : -EACCES;
}

/* Opens a path within the root of a process. */
static int open_in_root(
	const struct paths *paths, const char *path, enum tree_right want, bool follow)
{
	const char *rest = tree_root_rest(path);
	bool symbols = tree_is_symbols(rest);
	int process, root, fd, err;
	char directory[PATH_MAX];

	if (path_format(directory, "%s%.*s", paths->proc,
		    (int)(rest - path - (int)strlen("/proc/root")), path + strlen("/proc")))
		return -ENAMETOOLONG;
	process = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return -errno;
	root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = root < 0 ? -errno : tree_walk(root, rest, follow, !symbols);
	if (fd == -ENOTDIR) /* it would tell that there is a file, see hide() */
		fd = -ENOENT;
	err = fd >= 0 && symbols && want == TREE_READ ? check_symbols(process, fd) : 0;
	if (err) {
		close(fd);
		fd = err;
	}
	if (root >= 0)
		close(root);
	close(process);
	return fd;
}

static int reopen(const struct paths *paths, int fd, int flags)
{
	char path[PATH_MAX];
	int err = descriptor_path(paths, fd, path), again;

	if (err)
		return err;
	again = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return again < 0 ? -errno : again;
}

/* True if an open file is a program, a library or an object file. Core dumps are not: they hold the
 * memory of a process or of the kernel. */
static bool is_code(int fd)
{
	unsigned char header[EI_NIDENT + 2];
	unsigned int type;

	if (pread(fd, header, sizeof(header), 0) != sizeof(header) ||
		memcmp(header, ELFMAG, SELFMAG) != 0)
		return false;
	type = header[EI_DATA] == ELFDATA2MSB ? header[EI_NIDENT] << 8U | header[EI_NIDENT + 1]
					      : header[EI_NIDENT + 1] << 8U | header[EI_NIDENT];
	return type == ET_EXEC || type == ET_DYN || type == ET_REL;
}

/* Checks that a file is code, for paths at which only code may be read. */
static int check_code(const struct paths *paths, const char *path, int fd, dev_t device)
{
	const char *rest = tree_root_rest(path);
	struct statfs fs;
	int file, err;

	/* Reading 18 bytes of a kernel file can have effects: at a FunctionFS endpoint it takes a
	 * transfer. */
	if (fstatfs(fd, &fs) || !storage_is(device, (uint32_t)fs.f_type))
		return -EACCES;
	if (rest && tree_is_symbols(rest))
		return 0;
	file = reopen(paths, fd, O_RDONLY | O_NONBLOCK);
	if (file < 0)
		return file;
	err = is_code(file) ? 0 : -EACCES;
	close(file);
	return err;
}

/* Checks a file before it is opened for reading. Opening devices, pipes and the tracer's write-only
 * files has effects. */
static int check_file(const struct paths *paths, const char *path, int fd)
{
	unsigned int rights = opened_rights(paths, path, fd);
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0444))
		return -EACCES;
	return rights & TREE_CODE ? check_code(paths, path, fd, st.st_dev) : 0;
}

/* True if the client may know that the file exists. Where it may read code only, it may know that
 * of code only; in the root of a process also of directories and links, which lead to code. */
static bool may_be_seen(const struct paths *paths, const char *path, enum tree_right want, int fd)
{
	unsigned int rights = opened_rights(paths, path, fd);
	struct stat st;

	if (!(rights & want))
		return false;
	if (!(rights & TREE_CODE) || !check_file(paths, path, fd))
		return true;
	return file_tree_below(path, "/proc") && !fstat(fd, &st) &&
	       (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode));
}

/* Returns the error for a file that was not opened. Where the client may read code only, the error
 * is the same whether there is no such file or another one. */
static int hide(const struct paths *paths, const char *path, bool follow, int err)
{
	/* The same for what links of sysfs lead to. */
	if (file_tree_below(path, "/sys"))
		return tree_links_allowed(paths, path, follow) ? err : -EACCES;
	if (!(tree_rights(paths, path) & TREE_CODE) || is_shortage(err))
		return err;
	return -ENOENT;
}

int tree_open(const struct paths *paths, const char *path, enum tree_right want, bool follow)
{
	int flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW), fd;
	char real[PATH_MAX];
	int err;

	if (!(tree_rights(paths, path) & want))
		return -EACCES;
	if (tree_root_rest(path)) {
		fd = open_in_root(paths, path, want, follow);
		if (fd < 0)
			return fd;
	} else {
		err = real_path(paths, path, real);
		if (err)
			return err;
		fd = open(real, flags);
		if (fd < 0)
			return hide(paths, path, follow, -errno);
	}
	if (may_be_seen(paths, path, want, fd))
		return fd;
	close(fd);
	return hide(paths, path, follow, -EACCES);
}

static bool is_endless(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return file_tree_tracefs(path) &&
	       (!strcmp(name, "trace_pipe") || !strcmp(name, "trace_pipe_raw") ||
		       !strcmp(name, "snapshot_raw"));
}

int tree_open_read(const struct paths *paths, const char *path)
{
	int fd = tree_open(paths, path, TREE_READ, true), file;

	if (fd < 0)
		return fd;
	file = is_endless(path) ? -EINVAL : check_file(paths, path, fd);
	if (!file)
		file = reopen(paths, fd, O_RDONLY | O_NONBLOCK);
	close(fd);
	return file;
}

int tree_open_directory(const struct paths *paths, const char *path)
{
	int fd = tree_open(paths, path, TREE_LIST, true), directory;

	if (fd < 0)
		return fd;
	directory = reopen(paths, fd, O_RDONLY | O_DIRECTORY);
	close(fd);
	return directory;
}

bool tree_is_log(const char *path)
{
	return !strcmp(path, LOG);
}

static int open_endless(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int tree_open_follow(const struct paths *paths, const char *path)
{
	const char *rest = file_tree_tracefs(path);
	char real[PATH_MAX];
	int err;

	if (tree_is_log(path))
		return open_endless(LOG);
	if (!rest || !tree_is_valid(path))
		return -EACCES;
	if (!strncmp(rest, "/per_cpu/cpu", 12)) {
		rest += 12;
		rest += strspn(rest, "0123456789");
	}
	if (strcmp(rest, "/trace_pipe") != 0)
		return -EACCES;
	err = real_path(paths, path, real);
	return err ? err : open_endless(real);
}

int tree_writable(const char *path, enum probe_event_kind *kind)
{
	const char *rest = file_tree_tracefs(path);

	for (*kind = PROBE_EVENT_KPROBE; rest && *kind <= PROBE_EVENT_UPROBE; (*kind)++)
		if (*rest == '/' && !strcmp(rest + 1, probe_event_file(*kind)))
			return 0;
	return -EACCES;
}

int tree_access(const struct paths *paths, const char *path, int mode)
{
	enum probe_event_kind kind;
	char again[PATH_MAX];
	int fd, err;

	if (mode & W_OK && tree_writable(path, &kind) && !file_tree_below(path, BPFFS))
		return -EACCES;
	fd = tree_open(paths, path, TREE_STAT, true);
	if (fd < 0)
		return fd;
	err = descriptor_path(paths, fd, again);
	if (!err && access(again, mode))
		err = -errno;
	close(fd);
	return err;
}

int tree_bpffs(const struct paths *paths, const char *path, char real[PATH_MAX])
{
	const char *rest = file_tree_below(path, BPFFS);

	if (!tree_is_valid(path) || !rest || !*rest)
		return -EACCES;
	return path_format(real, "%s%s", paths->sysfs, path + strlen("/sys"));
}

int tree_open_bpffs(const struct paths *paths, const char *path, const char **name)
{
	char real[PATH_MAX], opened[PATH_MAX];
	struct statfs fs;
	int err = tree_bpffs(paths, path, real), fd;

	if (err)
		return err;
	*strrchr(real, '/') = '\0';
	*name = strrchr(path, '/') + 1;
	fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = opened_path(paths, fd, opened);
	if (!err && (!file_tree_below(opened, BPFFS) || fstatfs(fd, &fs) ||
			    (uint32_t)fs.f_type != BPF_FS_MAGIC))
		err = -EACCES;
	if (!err)
		return fd;
	close(fd);
	return err;
}
