/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a fake /proc, /sys or tracefs. Include after cmocka.h. */
#ifndef TESTS_UNIT_FAKE_TREE_H
#define TESTS_UNIT_FAKE_TREE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Writes the file `dir`/`name`. An existing file is truncated first. */
static inline void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Makes the directory `dir`/`name`. */
static inline void put_directory(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static inline void remove_tree(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

#endif
