/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a made-up /proc, /sys or tracefs, for tests. Include after cmocka.h. */
#ifndef TESTS_UNIT_FAKE_TREE_H
#define TESTS_UNIT_FAKE_TREE_H

#include <stdio.h>

/* Writes the file `name` of the directory `dir`, in place of what it held. */
static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

#endif
