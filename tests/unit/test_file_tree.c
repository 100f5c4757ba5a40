/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the file tree: each row, and what bpfd and bpfd-run take from it. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/messages/file_tree.h"
#include "tests/unit/run_test.h"
#include "tests/unit/tree_test.h"

#include "host-usb/run/files/path.h"

#define PATH_SIZE 100	   /* bytes; rows are shorter */
#define PROCESS	  "400000" /* not a process of this machine */

/* A path that a row stands for. */
static const char *path_of(const struct file_tree_row *row, char path[PATH_SIZE])
{
	size_t size = 0;

	for (const char *from = row->path; *from; from++) {
		const char *put = *from == '#' ? PROCESS : *from == '*' ? "name" : NULL;

		size += (size_t)snprintf(
			path + size, PATH_SIZE - size, "%.*s", put ? 100 : 1, put ? put : from);
	}
	strcpy(path + size, size ? "" : "/");
	return path;
}

static const char *below_of(const char *path, char below[2 * PATH_SIZE])
{
	snprintf(below, 2 * PATH_SIZE, "%s/below/below", path[1] ? path : "");
	return below;
}

static bool is_served(const struct fake *fake, const char *path)
{
	return tree_rights(&fake->paths, path) != 0;
}

static bool is_asked_for(struct board *board, const char *path)
{
	const struct call call = board_call(board, 0, NULL);
	char resolved[PATH_MAX];

	return path_resolve(&call, AT_FDCWD, user(path), true, resolved) == 1;
}

/* No row hides another one: each is found by its own path. */
static void test_rows(void **state)
{
	const struct file_tree_row *rows;
	char path[PATH_SIZE], below[2 * PATH_SIZE];
	size_t count;

	rows = file_tree_rows(&count);
	assert_true(count > 60);
	for (size_t i = 0; i < count; i++) {
		enum tree_side side = rows[i].side;

		path_of(&rows[i], path);
		if (file_tree_rights(path) != rows[i].own)
			fail_msg("%s: other rights than its row", path);
		if (file_tree_rights(below_of(path, below)) != rows[i].below)
			fail_msg("%s: other rights than the row of %s", below, path);
		assert_int_equal(file_tree_side(path), side);
		assert_int_equal(file_tree_side(below), side);
		for (size_t j = 0; j < i; j++)
			if (!strcmp(rows[i].path, rows[j].path))
				fail_msg("%s: has two rows", path);
	}
}

/* The board serves each path that bpfd-run asks for. The paths that it serves and bpfd-run does not
 * ask for are those that the table explains. */
static void test_sides_agree(void **state)
{
	static const char *const not_asked_for[] = {"/", "/sys", "/sys/bus", "/sys/class",
		"/sys/devices", "/sys/devices/system", "/sys/fs"};
	struct board *board = board_start(NULL);
	const struct file_tree_row *rows;
	size_t count, known = 0;
	char path[PATH_SIZE];
	void *tree;

	setup(&tree);
	rows = file_tree_rows(&count);
	for (size_t i = 0; i < count; i++) {
		bool served = is_served(tree, path_of(&rows[i], path));
		bool asked_for = is_asked_for(board, path);

		if (asked_for && !served)
			fail_msg("%s: bpfd-run asks for it and bpfd refuses it", path);
		if (!served || asked_for)
			continue;
		if (known == sizeof(not_asked_for) / sizeof(not_asked_for[0]) ||
			strcmp(path, not_asked_for[known]) != 0)
			fail_msg("%s: bpfd serves it and bpfd-run does not ask for it", path);
		known++;
	}
	assert_int_equal(known, sizeof(not_asked_for) / sizeof(not_asked_for[0]));
	teardown(&tree);
	board_stop(board);
}

static void test_patterns(void **state)
{
	assert_int_equal(file_tree_side("/proc/12x"), TREE_BOARD);
	assert_int_equal(file_tree_side("/proc/self/maps"), TREE_HOST);
	assert_int_equal(file_tree_side("/proc/selfx"), TREE_BOARD);
	assert_int_equal(file_tree_rights("/proc/12x"), 0);
	assert_int_equal(file_tree_rights("/proc/12/task/x"), 0);
	assert_int_equal(file_tree_rights("/proc/12/fd/3"), TREE_STAT | TREE_LINK);
	assert_int_equal(file_tree_rights("/proc/12/fd/3/x"), 0);
	assert_int_equal(file_tree_side("/sys/kernelx"), TREE_HOST);
	assert_int_equal(file_tree_side("/sysx"), TREE_HOST);
	assert_int_equal(file_tree_rights("/x"), TREE_STAT | TREE_READ | TREE_CODE);
	assert_string_equal(file_tree_below("/sys/kernel", "/sys"), "/kernel");
	assert_string_equal(file_tree_below("/sys", "/sys"), "");
	assert_null(file_tree_below("/sysx", "/sys"));
	assert_string_equal(file_tree_tracefs("/sys/kernel/debug/tracing/events"), "/events");
	assert_string_equal(file_tree_tracefs("/sys/kernel/tracing"), "");
	assert_null(file_tree_tracefs("/sys/kernel/tracingx"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_sides_agree),
		cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests_name("file tree", tests, NULL, NULL);
}
