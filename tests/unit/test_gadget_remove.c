/* SPDX-License-Identifier: Apache-2.0 */
/* A gadget and its mounts are removed although a call fails once. Plain directories, fake mounts.
 */
#include "configfs/functionfs.h"
#include "configfs/gadget_tree.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"
#include "tests/unit/log_capture.h"

/* The linker replaces these functions; see the Makefile. */
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __real_scandir64(const char *path, struct dirent ***entries,
	int (*select)(const struct dirent *),
	int (*compare)(const struct dirent **, const struct dirent **));
int __wrap_scandir64(const char *path, struct dirent ***entries,
	int (*select)(const struct dirent *),
	int (*compare)(const struct dirent **, const struct dirent **));
int __wrap_umount2(const char *path, int flags);

static char top[] = "/tmp/test_gadget.XXXXXX";
static char failing[128]; /* the path for which the next call fails */
static int error, unmount_failures, unmounts;

static bool fails(const char *path)
{
	if (strcmp(path, failing) != 0)
		return false;
	failing[0] = '\0';
	errno = error;
	return true;
}

/* In configfs rmdir(2) removes a directory with the directories that the kernel has made in it. */
int __wrap_rmdir(const char *path)
{
	static const char *const inside[] = {"strings", "os_desc", "functions", "configs"};
	char name[160];

	if (fails(path))
		return -1;
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", path, inside[i]);
		if (__real_rmdir(name) < 0 && errno != ENOENT)
			return -1;
	}
	return __real_rmdir(path);
}

int __wrap_scandir64(const char *path, struct dirent ***entries,
	int (*select)(const struct dirent *),
	int (*compare)(const struct dirent **, const struct dirent **))
{
	return fails(path) ? -1 : __real_scandir64(path, entries, select, compare);
}

int __wrap_umount2(const char *path, int flags)
{
	unmounts++;
	if (unmount_failures == 0)
		return 0;
	unmount_failures--;
	errno = error;
	return -1;
}

static int setup(void **state)
{
	strcpy(top, "/tmp/test_gadget.XXXXXX");
	assert_non_null(mkdtemp(top));
	put_directory(top, "g");
	put_directory(top, "g/os_desc");
	put_directory(top, "g/strings");
	put_directory(top, "g/strings/0x409");
	put_directory(top, "g/functions");
	put_directory(top, "g/functions/ffs.bpfd0");
	put_directory(top, "g/configs");
	put_directory(top, "g/configs/c.1");
	put_directory(top, "g/configs/c.1/strings");
	put_directory(top, "g/configs/c.1/strings/0x409");
	return 0;
}

static int teardown(void **state)
{
	remove_tree(top);
	return 0;
}

/* Removes the gadget while a call for that directory fails once. Returns what was logged. */
static const char *remove_with(const char *name, int err)
{
	char gadget[64];
	const char *log;

	snprintf(gadget, sizeof(gadget), "%s/g", top);
	snprintf(failing, sizeof(failing), "%s%s", gadget, name);
	error = err;
	log_begin();
	assert_int_equal(gadget_tree_remove(gadget), 0);
	log = log_end();
	assert_string_equal(failing, "");
	assert_int_equal(access(gadget, F_OK), -1);
	return log;
}

static void test_each_directory(void **state)
{
	static const char *const names[] = {"", "/os_desc", "/configs", "/configs/c.1",
		"/configs/c.1/strings", "/configs/c.1/strings/0x409", "/functions",
		"/functions/ffs.bpfd0", "/strings", "/strings/0x409"};
	static const int errors[] = {ENOMEM, EBUSY};

	for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
		const char *name = names[i / 2];
		const char *log = remove_with(name, errors[i % 2]);

		if (!strstr(log, strerror(errors[i % 2])) || !strstr(log, ": trying again"))
			fail_msg("%s: log: %s", name, log);
		teardown(state);
		setup(state);
	}
}

static void test_unmount(void **state)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "%s/g/os_desc", top);
	error = EPERM;
	unmount_failures = 1;
	assert_int_equal(functionfs_unmount(dir), 0);
	assert_int_equal(unmounts, 2);
	assert_int_equal(access(dir, F_OK), -1);
	put_directory(top, "g/os_desc");
	strcpy(failing, dir); /* for rmdir(2) */
	assert_int_equal(functionfs_unmount(dir), 0);
	assert_int_equal(access(dir, F_OK), -1);
	unmounts = 0;
	unmount_failures = 100;
	assert_int_equal(functionfs_unmount(dir), -EPERM);
	assert_in_range(unmounts, 2, 5);
}

#define remove_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		remove_test(test_each_directory),
		remove_test(test_unmount),
	};

	return cmocka_run_group_tests_name("gadget_remove", tests, NULL, NULL);
}
