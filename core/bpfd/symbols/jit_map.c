/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /tmp/perf-PID.map of a process: lines of start, size (both hexadecimal) and name. */
#include "core/bpfd/symbols/jit_map.h"

#include "core/base/clock.h"
#include "core/base/paths.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/symbols/array.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JIT_BYTES_MAX (32U << 20) /* of a file; Node.js and Java write some MB */
#define JIT_CHECK_MS  1000	  /* the file grows all the time while its process warms up */

/* Code that was freed can have larger symbols than what took its place. A lookup examines at most
 * this many symbols below the address. */
#define JIT_NESTED_MAX 32

void jit_map_clear(struct jit_map *map)
{
	free(map->text);
	free(map->symbols);
	memset(map, 0, sizeof(*map));
}

/* The process names the file by its number in its own PID namespace. */
static int own_pid(const char *proc, pid_t pid)
{
	char path[PATH_MAX], text[4096];
	const char *line, *last;

	if (path_format(path, "%s/%d/status", proc, (int)pid) ||
		file_read(path, text, sizeof(text)) < 0)
		return (int)pid;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return (int)pid;
	line += strlen("\nNSpid:");
	last = line + strcspn(line, "\n");
	while (last > line && last[-1] >= '0' && last[-1] <= '9')
		last--;
	return atoi(last) > 0 ? atoi(last) : (int)pid;
}

static bool take_hex(const char **at, uint64_t *value)
{
	char *end;

	if (**at == '-' || **at == ' ')
		return false;
	errno = 0;
	*value = strtoull(*at, &end, 16);
	if (errno || end == *at || *end != ' ')
		return false;
	*at = end + 1;
	return true;
}

static int parse_line(struct jit_map *map, char *line)
{
	struct jit_symbol symbol = {.number = (uint32_t)map->count};
	const char *at = line;
	int err;

	if (!take_hex(&at, &symbol.address) || !take_hex(&at, &symbol.size) || !*at)
		return 0;
	symbol.name = (uint32_t)(at - map->text);
	err = array_reserve(&map->symbols, &map->cap, map->count + 1, sizeof(symbol));
	if (!err)
		map->symbols[map->count++] = symbol;
	return err;
}

static int by_address(const void *left, const void *right)
{
	const struct jit_symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* The last line may be half written, so it counts only with its newline. */
static int parse(struct jit_map *map)
{
	char *line = map->text, *end;
	int err = 0;

	while (!err && (end = strchr(line, '\n'))) {
		*end = '\0';
		err = parse_line(map, line);
		line = end + 1;
	}
	if (map->count)
		qsort(map->symbols, map->count, sizeof(*map->symbols), by_address);
	return err;
}

static int read_text(struct jit_map *map, int fd, size_t size)
{
	size_t have = 0;
	ssize_t n;

	map->text = malloc(size + 1);
	if (!map->text)
		return -ENOMEM;
	while (have < size && (n = read(fd, map->text + have, size - have)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		have += n > 0 ? (size_t)n : 0;
	}
	map->text[have] = '\0';
	return 0;
}

static int read_file(struct jit_map *map, int fd)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (map->text && (uint64_t)st.st_size == map->size && st.st_ino == map->inode)
		return 0;
	jit_map_clear(map);
	if (st.st_size > JIT_BYTES_MAX)
		return -EFBIG;
	map->size = (uint64_t)st.st_size;
	map->inode = st.st_ino;
	err = read_text(map, fd, (size_t)st.st_size);
	return err ? err : parse(map);
}

int jit_map_refresh(struct jit_map *map, const char *proc, pid_t pid)
{
	const struct paths paths = {.proc = proc};
	uint64_t now_ms = clock_monotonic_ms();
	char path[PATH_MAX];
	int err, fd, number;

	if (map->read_ms && now_ms - map->read_ms < JIT_CHECK_MS)
		return map->text ? 0 : -ENOENT;
	number = own_pid(proc, pid);
	err = path_format(path, "/proc/%d/root/tmp/perf-%d.map", (int)pid, number);
	fd = err ? err : tree_open_read(&paths, path);
	err = fd < 0 ? fd : read_file(map, fd);
	if (fd >= 0)
		close(fd);
	if (err)
		jit_map_clear(map);
	snprintf(map->path, sizeof(map->path), "/tmp/perf-%d.map", number);
	map->read_ms = now_ms;
	return err;
}

const char *jit_map_find_address(const struct jit_map *map, uint64_t address, uint64_t *offset)
{
	size_t first = 0, end = map->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (map->symbols[middle].address <= address)
			first = middle + 1;
		else
			end = middle;
	}
	for (size_t i = first; i && first - i < JIT_NESTED_MAX; i--) {
		const struct jit_symbol *symbol = &map->symbols[i - 1];

		if (address - symbol->address >= symbol->size)
			continue;
		*offset = address - symbol->address;
		return map->text + symbol->name;
	}
	return NULL;
}

int jit_map_find_name(const struct jit_map *map, const char *name, uint64_t *address)
{
	const struct jit_symbol *found = NULL;

	for (size_t i = 0; i < map->count; i++) {
		const struct jit_symbol *symbol = &map->symbols[i];

		if (!strcmp(map->text + symbol->name, name) &&
			(!found || symbol->number > found->number))
			found = symbol;
	}
	if (!found)
		return -ENOENT;
	*address = found->address;
	return 0;
}
