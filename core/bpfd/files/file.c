/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files of /proc, /sys and tracefs that the operations need. */
#include "core/bpfd/files/file.h"

#include "core/base/bytes.h"
#include "core/base/paths.h"
#include "core/base/printable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define COPY_SIZE 65536 /* bytes handed to a sink at once */

/* Numbers of fields in /proc/PID/stat. The state is the first field after the name. */
#define STAT_STATE_FIELD 3
#define STAT_START_FIELD 22

bool file_is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	size_t len = strspn(name, allowed);

	return len && len <= NAME_MAX && !name[len] && strspn(name, ".") != len;
}

static int open_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

ssize_t file_read(const char *path, char *text, size_t size)
{
	size_t have = 0;
	int err = 0, fd = open_read(path);

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, text + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		have += (size_t)n;
		if (have == size) {
			err = -EFBIG;
			break;
		}
	}
	close(fd);
	if (err)
		return err;
	text[have] = '\0';
	return (ssize_t)have;
}

static int add(void *arg, const void *data, size_t size)
{
	struct bytes_out *all = arg;

	bytes_put(all, data, size);
	return all->failed ? -ENOMEM : 0;
}

int file_read_all(const char *path, char **text)
{
	struct bytes_out all = {.data = NULL};
	int err, fd = open_read(path);

	if (fd < 0)
		return fd;
	err = file_copy(fd, add, &all);
	close(fd);
	if (!err)
		err = add(&all, "", 1);
	if (err)
		bytes_out_free(&all);
	else
		*text = (char *)all.data;
	return err;
}

int file_copy(int fd, file_sink sink, void *arg)
{
	char *buffer = malloc(COPY_SIZE);
	int err = 0;

	if (!buffer)
		return -ENOMEM;
	while (!err) {
		ssize_t n = read(fd, buffer, COPY_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		err = sink(arg, buffer, (size_t)n);
	}
	free(buffer);
	return err;
}

static int is_directory(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

int file_list_directories(const char *path, file_name_sink sink, void *arg)
{
	struct dirent **entries;
	int count, err = 0;

	count = scandir(path, &entries, is_directory, alphasort);
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		if (!err)
			err = sink(arg, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return err;
}

int file_open_kallsyms(const struct paths *paths)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/kallsyms", paths->proc);

	return err ? err : open_read(path);
}

int file_open_blacklist(const struct paths *paths, const char *asked)
{
	char root[PATH_MAX], path[PATH_MAX];
	char *slash;
	int err, fd;

	err = file_tracefs(paths, asked, root);
	/* Without tracefs the list can still be in debugfs. */
	if (err && err != -ENOENT)
		return err;
	slash = err ? NULL : strrchr(root, '/');
	if (slash) {
		*slash = '\0';
		err = path_format(path, "%s/kprobes/blacklist", root);
		fd = err ? err : open_read(path);
		if (fd >= 0)
			return fd;
	}
	err = path_format(path, "%s/kernel/debug/kprobes/blacklist", paths->sysfs);
	return err ? err : open_read(path);
}

/* Tracefs is on its own mount, or below debugfs; kernels 4.9 and later have both. */
static int board_tracefs(const struct paths *paths, char root[PATH_MAX])
{
	char events[PATH_MAX];
	int err = path_format(root, "%s", paths->tracefs);

	if (!err)
		err = path_format(events, "%s/events", root);
	if (!err && access(events, X_OK))
		err = -errno;
	if (err != -ENOENT && err != -ENOTDIR)
		return err;
	err = path_format(root, "%s/kernel/debug/tracing", paths->sysfs);
	if (!err)
		err = path_format(events, "%s/events", root);
	if (!err && access(events, X_OK))
		err = -errno;
	return err;
}

static bool has_dots(const char *path)
{
	for (const char *at = strstr(path, ".."); at; at = strstr(at + 1, "..")) {
		if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return true;
	}
	return false;
}

int file_tracefs(const struct paths *paths, const char *asked, char root[PATH_MAX])
{
	struct statfs fs;
	size_t len;
	int err;

	if (!asked)
		return board_tracefs(paths, root);
	err = path_format(root, "%s", asked);
	if (err)
		return err;
	for (len = strlen(root); len > 1 && root[len - 1] == '/'; len--)
		root[len - 1] = '\0';
	if (!strcmp(root, paths->tracefs) || !strcmp(root, "/sys/kernel/tracing") ||
		!strcmp(root, "/sys/kernel/debug/tracing"))
		return board_tracefs(paths, root);
	if (root[0] != '/' || has_dots(root) || statfs(root, &fs))
		return -EACCES;
	return fs.f_type == TRACEFS_MAGIC || fs.f_type == DEBUGFS_MAGIC ? 0 : -EACCES;
}

int file_comm(const struct paths *paths, pid_t pid, char comm[FILE_COMM_SIZE])
{
	char path[PATH_MAX];
	ssize_t len;
	int err = path_format(path, "%s/%d/comm", paths->proc, (int)pid);

	if (err)
		return err;
	len = file_read(path, comm, FILE_COMM_SIZE);
	if (len < 0)
		return (int)len;
	if (len && comm[len - 1] == '\n')
		comm[--len] = '\0';
	/* A process chooses its name, which must not end a reply early. */
	printable_text(comm, (size_t)len);
	return 0;
}

void file_online_cpus(const struct paths *paths, char list[FILE_CPUS_SIZE])
{
	char path[PATH_MAX];
	ssize_t n = -1;

	*list = '\0';
	if (!path_format(path, "%s/devices/system/cpu/online", paths->sysfs))
		n = file_read(path, list, FILE_CPUS_SIZE);
	if (n > 0)
		list[strcspn(list, " \n")] = '\0';
	if (n <= 0 || !*list)
		strcpy(list, "?");
}

int file_pmu_type(const struct paths *paths, const char *pmu)
{
	char path[PATH_MAX], text[32];
	ssize_t len;
	int err, type;

	err = path_format(path, "%s/bus/event_source/devices/%s/type", paths->sysfs, pmu);
	if (err)
		return err;
	len = file_read(path, text, sizeof(text));
	if (len < 0)
		return (int)len;
	return sscanf(text, "%d", &type) == 1 && type >= 0 ? type : -EINVAL;
}

int file_start_time(const char *proc, pid_t pid, uint64_t *start)
{
	char path[PATH_MAX], text[1024], *at;
	ssize_t len;
	int err;

	err = pid ? path_format(path, "%s/%d/stat", proc, (int)pid)
		  : path_format(path, "%s/self/stat", proc);
	if (err)
		return err;
	len = file_read(path, text, sizeof(text));
	if (len < 0)
		return len == -ESRCH ? -ENOENT : (int)len;
	/* The name, in parentheses, may contain spaces and parentheses. */
	at = strrchr(text, ')');
	for (int field = STAT_STATE_FIELD - 1; at && field < STAT_START_FIELD; field++) {
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	return at && sscanf(at, "%" SCNu64, start) == 1 ? 0 : -EINVAL;
}
