/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where the symbolic links and mounts of this workstation lead. */
#include "host-usb/run/files/real_path.h"

#include "core/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as in the kernel */

/* Returns the length of a path up to its last component. */
static size_t parent_length(const char *path, size_t length)
{
	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length > 1 && path[length - 1] != '/')
		length--;
	return length;
}

/* Opens the longest part of a path that exists. Returns its descriptor and *length, or a negative
 * errno. */
static int open_longest(const char *path, bool follow, size_t *length)
{
	char part[PATH_MAX];
	size_t all = strlen(path);
	int fd;

	for (*length = all;; *length = parent_length(path, *length)) {
		bool is_link = !follow && *length == all;

		memcpy(part, path, *length);
		part[*length] = 0;
		fd = open(part, O_PATH | O_CLOEXEC | (is_link ? O_NOFOLLOW : 0));
		if (fd >= 0 || errno != ENOENT || *length <= 1)
			return fd < 0 ? -errno : fd;
	}
}

int real_path_of(int fd, char name[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	name[n] = 0;
	return name[0] == '/' ? 0 : -ENOENT; /* a pipe, for example */
}

/* Replaces the first component of `rest`, a name in the directory `fd` that does not exist, if it
 * is a link that leads nowhere here. Returns 1 with the new path, 0 if it is none, or a negative
 * errno. */
static int replace_link(int fd, const char *rest, bool follow, char path[PATH_MAX])
{
	char directory[PATH_MAX], name[NAME_MAX + 1], target[PATH_MAX];
	size_t length = strcspn(rest, "/");
	ssize_t n;
	int err;

	if (!length || (!follow && !rest[length]))
		return 0;
	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, rest, length);
	name[length] = 0;
	n = readlinkat(fd, name, target, sizeof(target) - 1);
	if (n < 0)
		return errno == ENOMEM ? -errno : 0;
	target[n] = 0;
	if (target[0] == '/') {
		err = path_format(path, "%s%s", target, rest + length);
	} else {
		err = real_path_of(fd, directory);
		if (!err)
			err = path_format(path, "%s/%s%s", directory, target, rest + length);
	}
	return err ? err : 1;
}

/* Returns true for types of file systems in which a kernel shows itself. */
static bool is_of_kernel(long type)
{
	switch (type) {
	case BPF_FS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case DEBUGFS_MAGIC:
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case TRACEFS_MAGIC:
		return true;
	default:
		return false;
	}
}

/* Names what was opened, and the rest of the path. Returns as real_path(). */
static int name_place(int fd, const char *rest, char real[PATH_MAX], bool *of_kernel)
{
	char directory[PATH_MAX];
	struct statfs fs;
	int err;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	*of_kernel = is_of_kernel((long)fs.f_type);
	/* /dev, which has the kernel's log, is a tmpfs to statfs(2). What does not exist may be a
	 * name in such a file system, which is not mounted here. */
	if (!*of_kernel && fs.f_type != TMPFS_MAGIC && !*rest)
		return 0;
	err = real_path_of(fd, directory);
	if (!err)
		err = path_format(real, "%s%s%s", directory, *rest ? "/" : "", rest);
	return err ? err : 1;
}

int real_path(const char *path, bool follow, char real[PATH_MAX], bool *of_kernel)
{
	char text[PATH_MAX];
	size_t length;
	int fd, ret = path_format(text, "%s", path);

	for (int links = 0; ret >= 0 && links < LINKS_MAX; links++) {
		fd = open_longest(text, follow, &length);
		if (fd < 0)
			return fd;
		ret = replace_link(fd, text + length, follow, real);
		if (ret == 0) {
			ret = name_place(fd, text + length, real, of_kernel);
			close(fd);
			return ret;
		}
		close(fd);
		if (ret > 0)
			ret = path_format(text, "%s", real);
	}
	return ret < 0 ? ret : -ELOOP;
}
