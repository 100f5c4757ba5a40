/* SPDX-License-Identifier: Apache-2.0 */
/* Adds and removes probe events in tracefs, and cleans up after dead bpfd processes. */
#include "core/bpfd/bpf/probe_event.h"

#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/bpfd/files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GROUP_PREFIX "bpfd_"

/* The kernel releases an event some time after its last descriptor was closed. After another error,
 * for example for want of memory, a few tries are enough: there may be many events. */
#define BUSY_TRIES     50
#define OTHER_TRIES    3
#define REMOVE_WAIT_MS 10

static const char *const files[] = {
	[PROBE_EVENT_KPROBE] = "kprobe_events",
	[PROBE_EVENT_UPROBE] = "uprobe_events",
};

const char *probe_event_file(enum probe_event_kind kind)
{
	return files[kind];
}

static void format_group(char group[PROBE_GROUP_SIZE], int pid, uint64_t start)
{
	snprintf(group, PROBE_GROUP_SIZE, GROUP_PREFIX "%d_%" PRIu64, pid, start);
}

int probe_event_group(const struct paths *paths, char group[PROBE_GROUP_SIZE])
{
	uint64_t start;
	int err = file_start_time(paths->proc, 0, &start);

	if (err)
		return err;
	format_group(group, (int)getpid(), start);
	return 0;
}

static int format_path(const struct paths *paths, enum probe_event_kind kind, char path[PATH_MAX])
{
	char root[PATH_MAX];
	int err = file_tracefs(paths, NULL, root);

	return err ? err : path_format(path, "%s/%s", root, files[kind]);
}

static int open_file(const struct paths *paths, enum probe_event_kind kind)
{
	char path[PATH_MAX];
	int fd, err = format_path(paths, kind, path);

	if (err)
		return err;
	/* Not O_TRUNC: it would remove the events of all programs. */
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int event_file_read(const struct paths *paths, enum probe_event_kind kind, char **text)
{
	char path[PATH_MAX];
	int err = format_path(paths, kind, path);

	return err ? err : file_read_all(path, text);
}

void event_files_open(struct event_files *event_files, const struct paths *paths)
{
	event_files->fd[PROBE_EVENT_KPROBE] = open_file(paths, PROBE_EVENT_KPROBE);
	event_files->fd[PROBE_EVENT_UPROBE] = open_file(paths, PROBE_EVENT_UPROBE);
}

void event_files_close(struct event_files *event_files)
{
	for (int i = 0; i < 2; i++) {
		if (event_files->fd[i] >= 0)
			close(event_files->fd[i]);
		event_files->fd[i] = -EBADF;
	}
}

ssize_t event_file_write(
	const struct paths *paths, enum probe_event_kind kind, const void *data, size_t size)
{
	int fd = paths->event_files ? paths->event_files->fd[kind] : open_file(paths, kind);
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = write(fd, data, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	if (!paths->event_files)
		close(fd);
	return n;
}

static int write_line(const struct paths *paths, enum probe_event_kind kind, const char *line)
{
	size_t len = strlen(line);
	ssize_t n = event_file_write(paths, kind, line, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EIO;
}

int probe_event_add(const struct paths *paths, enum probe_event_kind kind, const char *definition)
{
	char *line;
	int err;

	/* A second line would be a second command. */
	if (strchr(definition, '\n'))
		return -EINVAL;
	if (asprintf(&line, "%s\n", definition) < 0)
		return -ENOMEM;
	err = write_line(paths, kind, line);
	free(line);
	return err;
}

static int remove_once(
	const struct paths *paths, enum probe_event_kind kind, const char *group, const char *name)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "-:%s/%s\n", group, name);

	if (len < 0 || (size_t)len >= sizeof(line))
		return -ENAMETOOLONG;
	return write_line(paths, kind, line);
}

int probe_event_remove(
	const struct paths *paths, enum probe_event_kind kind, const char *group, const char *name)
{
	const struct timespec wait = {.tv_nsec = REMOVE_WAIT_MS * 1000000L};
	int err = remove_once(paths, kind, group, name);

	for (int i = 1; err && err != -ENOENT; i++) {
		if (i >= (err == -EBUSY ? BUSY_TRIES : OTHER_TRIES))
			break;
		nanosleep(&wait, NULL);
		err = remove_once(paths, kind, group, name);
	}
	return err;
}

int probe_event_id(const struct paths *paths, const char *category, const char *name)
{
	char root[PATH_MAX], path[PATH_MAX], text[16];
	ssize_t len;
	int err, id;

	if (!file_is_name(category) || !file_is_name(name))
		return -EINVAL;
	err = file_tracefs(paths, NULL, root);
	if (!err)
		err = path_format(path, "%s/events/%s/%s/id", root, category, name);
	if (err)
		return err;
	len = file_read(path, text, sizeof(text));
	if (len < 0)
		return (int)len;
	id = atoi(text);
	return id > 0 ? id : -EINVAL;
}

int probe_event_has_maxactive(const struct paths *paths)
{
	char root[PATH_MAX], path[PATH_MAX], *text;
	int has, err = file_tracefs(paths, NULL, root);

	if (!err)
		err = path_format(path, "%s/README", root);
	if (!err)
		err = file_read_all(path, &text);
	if (err)
		return err == -ENOENT ? 0 : err; /* old kernels have no such file */
	has = strstr(text, "r[maxactive]") != NULL;
	free(text);
	return has;
}

/* Whether the process with this id and start time has ended. If that is unknown, returns false. */
static bool is_dead(const struct paths *paths, int pid, uint64_t start)
{
	uint64_t now;
	int err;

	if (pid <= 0)
		return false;
	err = file_start_time(paths->proc, (pid_t)pid, &now);
	return err ? err == -ENOENT : now != start;
}

/* Splits a line "p:group/name place...", which begins with 'r' and a number for return probes.
 * Returns whether a bpfd made the event. *group and *name point into the line. */
static bool parse_event(char *line, int *pid, uint64_t *start, char **group, char **name)
{
	char *at = line + strcspn(line, ": "), canonical[PROBE_GROUP_SIZE];

	if ((line[0] != 'p' && line[0] != 'r') || *at != ':')
		return false;
	*group = at + 1;
	(*group)[strcspn(*group, " ")] = '\0';
	*name = strchr(*group, '/');
	if (!*name)
		return false;
	*(*name)++ = '\0';
	if (sscanf(*group, GROUP_PREFIX "%d_%" SCNu64, pid, start) != 2)
		return false;
	format_group(canonical, *pid, *start);
	return !strcmp(*group, canonical) && file_is_name(*name);
}

static void clean_line(const struct paths *paths, enum probe_event_kind kind, char *line)
{
	char *group, *name;
	uint64_t start;
	int err, pid;

	if (!parse_event(line, &pid, &start, &group, &name) || !is_dead(paths, pid, start))
		return;
	err = remove_once(paths, kind, group, name);
	if (err == -EBUSY) /* its bpfd runs in a container whose processes we cannot see */
		log_debug("probe: %s/%s: in use", group, name);
	else if (err)
		log_warning("probe: %s/%s, left by a dead bpfd: cannot remove: %s", group, name,
			strerror(-err));
	else
		log_info("probe: %s/%s, left by a dead bpfd: removed", group, name);
}

static void clean_kind(const struct paths *paths, enum probe_event_kind kind)
{
	char *text, *rest, *line;

	/* Read completely first: removing an event while reading would skip lines. */
	if (event_file_read(paths, kind, &text))
		return;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		clean_line(paths, kind, line);
	free(text);
}

void probe_event_clean(const struct paths *paths)
{
	clean_kind(paths, PROBE_EVENT_KPROBE);
	clean_kind(paths, PROBE_EVENT_UPROBE);
}
