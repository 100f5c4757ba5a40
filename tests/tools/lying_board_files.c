/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a board that lies. */
#include "tests/tools/lying_board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64U << 20) /* bytes */

/* Reads a file of the workstation. Returns NULL if it does not exist. */
static char *load(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data;
	ssize_t n = 1;

	if (fd < 0)
		return NULL;
	data = malloc(FILE_MAX + 1);
	if (!data)
		die(path);
	for (*size = 0; n > 0 && *size<FILE_MAX; *size += n> 0 ? (size_t)n : 0)
		n = read(fd, data + *size, FILE_MAX - *size);
	close(fd);
	if (n < 0) { /* a directory */
		free(data);
		return NULL;
	}
	data[*size] = 0;
	return data;
}

/* Reads types from a file and changes some words of them. */
static char *load_types(const struct files *files, size_t *size)
{
	char *data = load(files->types, size);

	if (!data)
		die(files->types);
	srandom(files->seed);
	for (unsigned int i = 0; files->seed && i < 1 + files->seed % 5; i++) {
		static const uint32_t words[] = {0, 1, 2, 5, 0xffff, 0x7fffffff, 0xffffffff,
			0x04000001, 0x0d000002, 0x84000003};
		size_t at = 24 + (size_t)random() % (*size - 28) / 4 * 4;
		uint32_t word = random() % 4 ? words[(size_t)random() % 10] : (uint32_t)random();

		memcpy(data + at, &word, sizeof(word));
	}
	return data;
}

/* A mapping whose path has `path_size` bytes. */
static char *make_maps(size_t path_size)
{
	static const char line[] = "55e0c0000000-55e0c0100000 r-xp 00000000 fd:00 123 /";
	size_t size = sizeof(line) - 1;
	char *data = malloc(size + path_size + 2);

	if (!data)
		die("maps");
	memcpy(data, line, size);
	memset(data + size, 'A', path_size);
	strcpy(data + size + path_size, "\n");
	return data;
}

/* Returns the name below `root`, valid until the next call. */
static const char *below_root(const struct files *files, const char *path)
{
	static char name[4096];

	snprintf(name, sizeof(name), "%s%s", files->root, path);
	return name;
}

char *files_read(const struct files *files, const char *path, size_t *size)
{
	static const struct {
		const char *path, *text;
	} fixed[] = {{"/sys/devices/system/cpu/possible", "0-1\n"},
		{"/proc/kallsyms", "ffffffff81000000 T _text\n"}};
	size_t length = strlen(path);
	char *data = files->root ? load(below_root(files, path), size) : NULL;

	if (data)
		return data;
	if (strcmp(path, "/sys/kernel/btf/vmlinux") == 0 && files->types)
		return load_types(files, size);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (strcmp(path, fixed[i].path) == 0)
			data = strdup(fixed[i].text);
	if (strcmp(path, "/sys/devices/system/cpu/online") == 0)
		data = strdup(files->online);
	else if (strcmp(path, PROGRAM) == 0 && files->program)
		data = strdup(files->program);
	else if (length > 5 && strcmp(path + length - 5, "/maps") == 0)
		data = make_maps(files->path_size);
	*size = data ? strlen(data) : 0;
	return data;
}

bool files_is_directory(const struct files *files, const char *path)
{
	struct stat st;

	return files->root && stat(below_root(files, path), &st) == 0 && S_ISDIR(st.st_mode);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

int files_list(const struct files *files, const char *path, struct dirent ***entries)
{
	int n = scandir(below_root(files, path), entries, is_entry, alphasort);

	if (n < 0)
		die(path);
	return n;
}
