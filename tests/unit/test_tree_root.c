/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sees in the root of a process, which may be hostile. */
#include "core/base/paths.h"
#include "core/bpfd/files/tree.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/tree_test.h"

/* Writes the status of process 7. Only the effective user counts. */
static void put_status(const struct fake *fake, uid_t user)
{
	char status[128];

	snprintf(status, sizeof(status),
		"Name:\tUid: 1 2\nState:\tS (sleeping)\nPid:\t7\nUid:\t54321\t%u\t54321\t54321\n",
		(unsigned int)user);
	put_file(fake->proc, "7/status", status);
}

static void test_process_root(void **state)
{
	const struct fake *fake = *state;
	int fd;

	put_file(fake->dir, "else/secret", "secret");
	put_file(fake->proc, "7/root/secret", "also");
	put_file(fake->proc, "7/root/tmp/perf-7.map", "symbols");
	put_status(fake, geteuid());
	put_elf(fake, "proc/7/root/program", ET_DYN);
	put_elf(fake, "else/program", ET_DYN);
	make_link(fake, "/program", "proc/7/root/absolute");
	make_link(fake, "../../../../../../program", "proc/7/root/tmp/up");
	make_link(fake, "../secret", "proc/7/root/tmp/perf-8.map");
	fd = tree_open_read(&fake->paths, "/proc/7/root/program");
	assert_true(fd >= 0);
	close(fd);
	/* Links lead nowhere out of the root. */
	fd = tree_open_read(&fake->paths, "/proc/7/root/absolute");
	assert_true(fd >= 0);
	close(fd);
	fd = tree_open_read(&fake->paths, "/proc/7/root/tmp/up");
	assert_true(fd >= 0);
	close(fd);
	expect_text(fake, "/proc/7/root/tmp/perf-7.map", "symbols");
	expect_error(fake, "/proc/7/root/tmp/perf-8.map", -ELOOP);
	/* Of other files it does not even learn that they exist. */
	expect_error(fake, "/proc/7/root/secret", -ENOENT);
	expect_error(fake, "/proc/7/root/secret/x", -ENOENT);
	expect_error(fake, "/proc/7/root/none", -ENOENT);
	assert_int_equal(tree_open(&fake->paths, "/proc/7/root/secret", TREE_STAT, true), -ENOENT);
	assert_int_equal(tree_open(&fake->paths, "/proc/7/root/secret", TREE_LINK, false), -ENOENT);
	assert_int_equal(tree_access(&fake->paths, "/proc/7/root/secret", F_OK), -ENOENT);
	expect_error(fake, "/proc/7/root/tmp", -EISDIR);
	expect_error(fake, "/proc/9/root/program", -ENOENT);
	fd = tree_open(&fake->paths, "/proc/7/root/tmp", TREE_STAT, true);
	assert_true(fd >= 0);
	close(fd);
}

/* Symbols must be in a file of the process's user with a single link. */
static void test_symbols(void **state)
{
	static const char path[] = "/proc/7/root/tmp/perf-7.map";
	const struct fake *fake = *state;
	char map[256], other[256];
	int fd;

	put_file(fake->proc, "7/root/tmp/perf-7.map", "symbols");
	snprintf(map, sizeof(map), "%s/7/root/tmp/perf-7.map", fake->proc);
	snprintf(other, sizeof(other), "%s/7/root/tmp/other", fake->proc);
	expect_error(fake, path, -EACCES); /* the process has no status */
	put_file(fake->proc, "7/status", "");
	expect_error(fake, path, -EACCES);
	put_status(fake, geteuid() + 1);
	expect_error(fake, path, -EACCES);
	fd = tree_open(&fake->paths, path, TREE_STAT, true);
	assert_true(fd >= 0);
	close(fd);
	put_status(fake, geteuid());
	expect_text(fake, path, "symbols");
	assert_int_equal(link(map, other), 0);
	expect_error(fake, path, -EACCES);
	assert_int_equal(unlink(other), 0);
	expect_text(fake, path, "symbols");
}

/* Opens a path in the root. Returns 0 if it is the program, -EXDEV if not, or a negative errno. */
static int open_program(const struct fake *fake, const char *name)
{
	char path[256], real[256];
	struct stat opened, wanted;
	int fd;

	snprintf(path, sizeof(path), "/proc/7/root/%s", name);
	fd = tree_open_read(&fake->paths, path);
	if (fd < 0)
		return fd;
	snprintf(real, sizeof(real), "%s/7/root/program", fake->proc);
	assert_int_equal(fstat(fd, &opened) | stat(real, &wanted), 0);
	close(fd);
	return opened.st_ino == wanted.st_ino ? 0 : -EXDEV;
}

/* Paths resolve as the kernel resolves them for a process with that root. */
static void test_walk(void **state)
{
	static const struct {
		const char *target, *link;
	} links[] = {
		{"deep/../program", "up_again"},
		{"deep/./er/../../program", "dots"},
		{"deep/er", "directory"},
		{"deep//er/", "slashes"},
		{"/directory/../../program", "through_link"}, /* of the link's target, not of "/" */
		{"../../../else/program", "out"},
		{"/../../../else/program", "out_absolute"},
		{"loop", "loop"},
		{"none", "dangling"},
		{"program/x", "not_a_directory"},
		{"..", "dir_up"},
	};
	const struct fake *fake = *state;
	char name[256], target[64];
	int fd;

	put_elf(fake, "proc/7/root/program", ET_DYN);
	put_elf(fake, "else/program", ET_DYN);
	snprintf(name, sizeof(name), "%s/7/root/deep", fake->proc);
	assert_int_equal(mkdir(name, 0755), 0);
	strcat(name, "/er");
	assert_int_equal(mkdir(name, 0755), 0);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(name, sizeof(name), "proc/7/root/%s", links[i].link);
		make_link(fake, links[i].target, name);
	}
	make_link(fake, "../../program", "proc/7/root/deep/er/two_up");
	assert_int_equal(open_program(fake, "up_again"), 0);
	assert_int_equal(open_program(fake, "dots"), 0);
	assert_int_equal(open_program(fake, "through_link"), 0);
	assert_int_equal(open_program(fake, "directory/two_up"), 0);
	assert_int_equal(open_program(fake, "slashes/two_up"), 0);
	assert_int_equal(open_program(fake, "dir_up/dir_up/program"), 0);
	assert_int_equal(open_program(fake, "out"), -ENOENT);
	assert_int_equal(open_program(fake, "out_absolute"), -ENOENT);
	assert_int_equal(open_program(fake, "loop"), -ELOOP);
	assert_int_equal(open_program(fake, "dangling"), -ENOENT);
	assert_int_equal(open_program(fake, "not_a_directory"), -ENOENT);
	assert_int_equal(open_program(fake, "program/x"), -ENOENT);
	/* The kernel follows 40 links at most. */
	make_link(fake, "/program", "proc/7/root/link1");
	for (int i = 2; i <= 41; i++) {
		snprintf(target, sizeof(target), "link%d", i - 1);
		snprintf(name, sizeof(name), "proc/7/root/link%d", i);
		make_link(fake, target, name);
	}
	assert_int_equal(open_program(fake, "link40"), 0);
	assert_int_equal(open_program(fake, "link41"), -ELOOP);
	/* The link itself. */
	fd = tree_open(&fake->paths, "/proc/7/root/loop", TREE_LINK, false);
	assert_true(fd >= 0);
	assert_int_equal(readlinkat(fd, "", target, sizeof(target)), strlen("loop"));
	close(fd);
	fd = tree_open(&fake->paths, "/proc/7/root/directory/two_up", TREE_LINK, false);
	assert_true(fd >= 0);
	close(fd);
}

/* A FUSE file system can fail with any errno, as the filter does here for each component of the
 * path. The walk reports that errno and does not start again. */
static void test_walk_again(void **state)
{
	const struct fake *fake = *state;
	int status;
	pid_t pid;

	put_elf(fake, "proc/7/root/program", ET_DYN);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

		alarm(10);
		if (!filter ||
			seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAGAIN), SCMP_SYS(openat), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, O_NOFOLLOW, O_NOFOLLOW)) ||
			seccomp_load(filter))
			_exit(1);
		_exit(open_program(fake, "program") == -EAGAIN ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Each ".." in a link restarts the walk at the root: a link cannot make that go on forever. */
static void test_walk_far(void **state)
{
	const struct fake *fake = *state;
	char target[PATH_MAX] = "";

	put_elf(fake, "proc/7/root/program", ET_DYN);
	for (int i = 0; i < 300; i++) {
		strcat(target, "tmp/../");
		if (i == 200) {
			strcat(target, "program");
			make_link(fake, target, "proc/7/root/far");
			target[strlen(target) - strlen("program")] = '\0';
		}
	}
	strcat(target, "program");
	make_link(fake, target, "proc/7/root/too_far");
	assert_int_equal(open_program(fake, "far"), 0);
	assert_int_equal(open_program(fake, "too_far"), -ELOOP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_process_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_symbols, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_walk_far, setup, teardown),
	};

	return cmocka_run_group_tests_name("roots of processes", tests, NULL, NULL);
}
