/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the kernel's files in a fake tree: names, and paths that clients choose. */
#include "core/base/paths.h"
#include "core/bpfd/files/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/tree_test.h"

/* Like setup(), but tracefs has no directories: the tests make them. */
static int setup_without_tracefs(void **state)
{
	static const char *const dirs[] = {"proc", "proc/7", "proc/self", "sys", "sys/kernel",
		"sys/kernel/debug", "sys/kernel/debug/kprobes", "tracing"};

	*state = fake_new(dirs, sizeof(dirs) / sizeof(dirs[0]));
	return 0;
}

static void test_names(void **state)
{
	static const char *const good[] = {
		"sched", "sys_enter_openat", "xhci-hcd", "a.b", "_", "9p"};
	static const char *const bad[] = {"", ".", "..", "a/b", "/", "../x", "a b", "a\n", "a:b",
		"~", "a\t", "\x80", "*", "a;b"};
	char longest[300];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(file_is_name(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(file_is_name(bad[i]));
	memset(longest, 'a', 255);
	longest[255] = '\0';
	assert_true(file_is_name(longest));
	longest[255] = 'a';
	longest[256] = '\0';
	assert_false(file_is_name(longest));
}

static void test_paths(void **state)
{
	char path[PATH_MAX], *text = calloc(1, 2 * PATH_MAX);

	memset(text, 'x', PATH_MAX - 1);
	assert_int_equal(path_format(path, "%s", text), 0);
	assert_int_equal(path_format(path, "%sx", text), -ENAMETOOLONG);
	free(text);
}

static void test_read(void **state)
{
	struct fake *fake = *state;
	char path[256], text[8];

	snprintf(path, sizeof(path), "%s/small", fake->dir);
	assert_int_equal(file_read(path, text, sizeof(text)), -ENOENT);
	put_file(fake->dir, "small", "1234567");
	assert_int_equal(file_read(path, text, sizeof(text)), 7);
	assert_string_equal(text, "1234567");
	put_file(fake->dir, "small", "12345678");
	assert_int_equal(file_read(path, text, sizeof(text)), -EFBIG);
	assert_int_equal(file_read(fake->dir, text, sizeof(text)), -EISDIR);
}

static void test_tracefs(void **state)
{
	static const char *const refused[] = {"", "/", "/etc", "/proc", "relative", "..",
		"/sys/kernel/tracing/..", "/sys/kernel/tracing/../../../etc", "/tmp", "/no/such"};
	struct fake *fake = *state;
	char root[PATH_MAX], asked[128];

	assert_int_equal(file_tracefs(&fake->paths, NULL, root), -ENOENT);
	/* Tracefs is below debugfs if it has no mount point of its own. */
	put_directory(fake->dir, "sys/kernel/debug/tracing");
	put_directory(fake->dir, "sys/kernel/debug/tracing/events");
	assert_int_equal(file_tracefs(&fake->paths, NULL, root), 0);
	assert_non_null(strstr(root, "/sys/kernel/debug/tracing"));
	put_directory(fake->dir, "tracing/events");
	assert_int_equal(file_tracefs(&fake->paths, NULL, root), 0);
	assert_string_equal(root, fake->tracefs);
	/* The usual paths mean the board's tracefs, wherever that is. */
	assert_int_equal(file_tracefs(&fake->paths, "/sys/kernel/debug/tracing", root), 0);
	assert_string_equal(root, fake->tracefs);
	assert_int_equal(file_tracefs(&fake->paths, "/sys/kernel/tracing//", root), 0);
	assert_string_equal(root, fake->tracefs);
	snprintf(asked, sizeof(asked), "%s/", fake->tracefs);
	assert_int_equal(file_tracefs(&fake->paths, asked, root), 0);
	assert_string_equal(root, fake->tracefs);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(file_tracefs(&fake->paths, refused[i], root), -EACCES);
	snprintf(asked, sizeof(asked), "%s/../tracing", fake->tracefs);
	assert_int_equal(file_tracefs(&fake->paths, asked, root), -EACCES);
}

static void check_text(int fd, const char *text)
{
	char got[64];
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, got, sizeof(got) - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
	close(fd);
}

static void test_blacklist(void **state)
{
	struct fake *fake = *state;
	const char *asked = "/sys/kernel/debug/tracing";

	assert_int_equal(file_open_blacklist(&fake->paths, asked), -ENOENT);
	assert_int_equal(file_open_blacklist(&fake->paths, "/etc"), -EACCES);
	put_file(fake->dir, "sys/kernel/debug/kprobes/blacklist", "debugfs");
	check_text(file_open_blacklist(&fake->paths, asked), "debugfs");
	put_directory(fake->dir, "tracing/events");
	check_text(file_open_blacklist(&fake->paths, asked), "debugfs");
	put_directory(fake->dir, "kprobes");
	put_file(fake->dir, "kprobes/blacklist", "beside");
	check_text(file_open_blacklist(&fake->paths, asked), "beside");
	assert_int_equal(file_open_kallsyms(&fake->paths), -ENOENT);
	put_file(fake->dir, "proc/kallsyms", "symbols");
	check_text(file_open_kallsyms(&fake->paths), "symbols");
}

static int take_name(void *arg, const char *name)
{
	char *text = arg;

	if (!strcmp(name, "stop"))
		return -EPIPE;
	strcat(strcat(text, name), " ");
	return 0;
}

static void test_list(void **state)
{
	struct fake *fake = *state;
	char text[256] = "", path[256];

	put_directory(fake->dir, "tracing/sched");
	put_directory(fake->dir, "tracing/block");
	put_directory(fake->dir, "tracing/.hidden");
	put_file(fake->dir, "tracing/enable", "0");
	assert_int_equal(file_list_directories(fake->tracefs, take_name, text), 0);
	assert_string_equal(text, "block sched ");
	put_directory(fake->dir, "tracing/stop");
	put_directory(fake->dir, "tracing/zz");
	text[0] = '\0';
	assert_int_equal(file_list_directories(fake->tracefs, take_name, text), -EPIPE);
	assert_string_equal(text, "block sched ");
	snprintf(path, sizeof(path), "%s/none", fake->tracefs);
	assert_int_equal(file_list_directories(path, take_name, text), -ENOENT);
}

struct copied {
	size_t size;
	int pieces;
};

static int take_bytes(void *arg, const void *data, size_t size)
{
	struct copied *copied = arg;

	copied->size += size;
	return ++copied->pieces == 3 ? -EPIPE : 0;
}

static void test_copy(void **state)
{
	struct copied copied = {.size = 0};
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(file_copy(fileno(file), take_bytes, &copied), 0);
	assert_int_equal(copied.pieces, 0);
	assert_int_equal(ftruncate(fileno(file), 100000), 0);
	assert_int_equal(file_copy(fileno(file), take_bytes, &copied), 0);
	assert_int_equal(copied.size, 100000);
	assert_int_equal(ftruncate(fileno(file), 1000000), 0);
	assert_int_equal(file_copy(fileno(file), take_bytes, &copied), -EPIPE);
	fclose(file);
	assert_int_equal(file_copy(-1, take_bytes, &copied), -EBADF);
}

static void test_comm(void **state)
{
	struct fake *fake = *state;
	char comm[FILE_COMM_SIZE];

	assert_int_equal(file_comm(&fake->paths, 7, comm), -ENOENT);
	put_file(fake->dir, "proc/7/comm", "my prog\n");
	assert_int_equal(file_comm(&fake->paths, 7, comm), 0);
	assert_string_equal(comm, "my prog");
	put_file(fake->dir, "proc/7/comm", "a\nEND\x01\x7f\n");
	assert_int_equal(file_comm(&fake->paths, 7, comm), 0);
	assert_string_equal(comm, "a?END??");
	put_file(fake->dir, "proc/7/comm", "");
	assert_int_equal(file_comm(&fake->paths, 7, comm), 0);
	assert_string_equal(comm, "");
}

static void test_start_time(void **state)
{
	static const char rest[] = " S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2\n";
	struct fake *fake = *state;
	char text[256];
	uint64_t start = 0;

	assert_int_equal(file_start_time(fake->proc, 7, &start), -ENOENT);
	snprintf(text, sizeof(text), "7 (a)%s", rest);
	put_file(fake->dir, "proc/7/stat", text);
	assert_int_equal(file_start_time(fake->proc, 7, &start), 0);
	assert_int_equal(start, 4711);
	snprintf(text, sizeof(text), "7 (a b) c) S 9 (x)%s", rest);
	put_file(fake->dir, "proc/self/stat", text);
	assert_int_equal(file_start_time(fake->proc, 0, &start), 0);
	assert_int_equal(start, 4711);
	put_file(fake->dir, "proc/7/stat", "7 (a) S 1 2 3\n");
	assert_int_equal(file_start_time(fake->proc, 7, &start), -EINVAL);
	put_file(fake->dir, "proc/7/stat", "");
	assert_int_equal(file_start_time(fake->proc, 7, &start), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_paths),
		cmocka_unit_test_setup_teardown(test_read, setup_without_tracefs, teardown),
		cmocka_unit_test_setup_teardown(test_tracefs, setup_without_tracefs, teardown),
		cmocka_unit_test_setup_teardown(test_blacklist, setup_without_tracefs, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup_without_tracefs, teardown),
		cmocka_unit_test(test_copy),
		cmocka_unit_test_setup_teardown(test_comm, setup_without_tracefs, teardown),
		cmocka_unit_test_setup_teardown(test_start_time, setup_without_tracefs, teardown),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
