/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the list of files that a process has mapped. */
#include "core/bpfd/symbols/proc_maps.h"

#include "core/base/paths.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/symbols/array.h"
#include "core/bpfd/symbols/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes for one process: enough for 20,000 mapped files, or for 500 with the longest paths. */
#define MAPS_MAX (2U << 20)

#define DELETED " (deleted)"

struct reader {
	struct proc_maps *maps;
	char line[PATH_MAX + 128];
	size_t len;
	bool too_long; /* the rest of this line is skipped */
};

void proc_maps_clear(struct proc_maps *maps)
{
	free(maps->ranges);
	free(maps->paths);
	memset(maps, 0, sizeof(*maps));
}

const char *proc_maps_path(const struct proc_maps *maps, const struct proc_range *range)
{
	return maps->paths + range->path;
}

/* Adds a range and its path. The ranges of one file follow each other and share the path. */
static int add_range(struct proc_maps *maps, const struct proc_range *range, const char *path)
{
	size_t len = strlen(path) + 1;
	struct proc_range *last = maps->count ? &maps->ranges[maps->count - 1] : NULL;
	int err;

	/* proc_maps_find() relies on the order in which the kernel lists ranges. */
	if (range->end <= range->start || (last && range->start < last->end))
		return 0;
	if ((maps->count + 1) * sizeof(*range) + maps->paths_len + len > MAPS_MAX)
		return -E2BIG;
	err = array_reserve(&maps->ranges, &maps->cap, maps->count + 1, sizeof(*range));
	if (!err)
		err = array_reserve(&maps->paths, &maps->paths_cap, maps->paths_len + len, 1);
	if (err)
		return err;
	last = maps->count ? &maps->ranges[maps->count - 1] : NULL;
	maps->ranges[maps->count] = *range;
	if (last && !strcmp(proc_maps_path(maps, last), path)) {
		maps->ranges[maps->count].path = last->path;
	} else {
		memcpy(maps->paths + maps->paths_len, path, len);
		maps->ranges[maps->count].path = (uint32_t)maps->paths_len;
		maps->paths_len += len;
	}
	maps->count++;
	return 0;
}

static bool take_number(char **at, int base, char end, uint64_t *value)
{
	char *start = *at;

	errno = 0;
	*value = strtoull(start, at, base);
	if (errno || *at == start || **at != end)
		return false;
	(*at)++;
	return true;
}

/* Parses "start-end perms offset major:minor inode   path"; the path ends with the line. */
static int parse_line(struct proc_maps *maps, char *line)
{
	struct proc_range range = {.slot = 0};
	uint64_t major, minor;
	char *at = line;
	size_t len;

	if (!take_number(&at, 16, '-', &range.start) || !take_number(&at, 16, ' ', &range.end) ||
		strlen(at) < 5 || at[4] != ' ')
		return 0;
	range.executable = at[2] == 'x';
	at += 5;
	if (!take_number(&at, 16, ' ', &range.offset) || !take_number(&at, 16, ':', &major) ||
		!take_number(&at, 16, ' ', &minor) || !take_number(&at, 10, ' ', &range.inode))
		return 0;
	range.device = major << 32 | minor;
	at += strspn(at, " ");
	if (at[0] != '/' && strcmp(at, PROC_MAPS_VDSO))
		return 0;
	len = strlen(at);
	if (len > sizeof(DELETED) && !strcmp(at + len - (sizeof(DELETED) - 1), DELETED)) {
		at[len - (sizeof(DELETED) - 1)] = '\0';
		range.deleted = true;
	}
	return add_range(maps, &range, at);
}

static int take_text(void *arg, const void *data, size_t size)
{
	struct reader *reader = arg;
	const char *text = data;
	uint64_t hash = reader->maps->hash;
	int err;

	for (size_t i = 0; i < size; i++) {
		hash = hash_add(hash, (unsigned char)text[i]);
		if (text[i] != '\n') {
			if (reader->len < sizeof(reader->line) - 1)
				reader->line[reader->len++] = text[i];
			else
				reader->too_long = true;
			continue;
		}
		reader->line[reader->len] = '\0';
		err = reader->too_long ? 0 : parse_line(reader->maps, reader->line);
		if (err)
			return err;
		reader->len = 0;
		reader->too_long = false;
	}
	reader->maps->hash = hash;
	return 0;
}

int proc_maps_read(struct proc_maps *maps, const char *proc, pid_t pid)
{
	struct reader *reader;
	char path[PATH_MAX];
	int err, fd;

	proc_maps_clear(maps);
	err = path_format(path, "%s/%d/maps", proc, (int)pid);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	reader = calloc(1, sizeof(*reader));
	if (!reader) {
		err = -ENOMEM;
		goto err_close;
	}
	reader->maps = maps;
	maps->hash = HASH_EMPTY;
	err = file_copy(fd, take_text, reader);
	free(reader);
err_close:
	close(fd);
	if (err)
		proc_maps_clear(maps);
	return err == -ESRCH ? -ENOENT : err;
}

struct proc_range *proc_maps_find(const struct proc_maps *maps, uint64_t address)
{
	size_t first = 0, end = maps->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (maps->ranges[middle].end <= address)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == maps->count || address < maps->ranges[first].start)
		return NULL;
	return &maps->ranges[first];
}
