/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-run's cache: which of the board's files it keeps, and for how long. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "tests/unit/run_test.h"

#define SYMBOLS "ffffffff81000000 T _stext\nffffffff81000010 t helper\n"
#define MODULES "dummy_hcd 45056 0 - Live 0xffffffffc0000000\n"

#define TRACEFS "/sys/kernel/tracing/"
#define DEBUGFS "/sys/kernel/debug/tracing/"

static uint64_t now_ms = 1000000;

int clock_gettime(clockid_t id, struct timespec *now)
{
	*now = (struct timespec){(time_t)(now_ms / 1000), (long)(now_ms % 1000) * 1000000};
	return 0;
}

static char home[] = "/tmp/test_run_cache.XXXXXX";
static char cache[64]; /* the directory of the copies */

static struct board *start(void)
{
	struct board *board = board_start(NULL);

	strcpy(board->run.board.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	strcpy(board->run.board.release, "6.1.0-test");
	board_files(board);
	return board;
}

static void reply_contents(struct board *board, const char *contents)
{
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), contents);
	board_ready(board);
}

/* Opens a file and checks its contents. */
static void assert_contents(struct board *board, const char *path, const char *contents)
{
	int fd = open_file(board->run.opener, path);
	char data[256];
	ssize_t n;

	assert_true(fd >= 0);
	n = pread(fd, data, sizeof(data) - 1, 0);
	assert_true(n >= 0);
	data[n] = 0;
	assert_string_equal(data, contents);
	close(fd);
}

/* Checks that the next request reads this file. */
static void assert_asked_for(struct board *board, const char *path)
{
	struct bytes_in in = board_asked(board, RPC_FILE_READ);
	char asked[256];

	assert_true(rpc_get_string(&in, asked, sizeof(asked)));
	assert_string_equal(asked, path);
}

/* Returns the number of files in the cache. */
static unsigned int copies(void)
{
	DIR *directory = opendir(cache);
	const struct dirent *entry;
	unsigned int n = 0;

	while (directory && (entry = readdir(directory)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	if (directory)
		closedir(directory);
	return n;
}

static void remove_copies(void)
{
	DIR *directory = opendir(cache);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
}

static int setup(void **state)
{
	setenv("XDG_CACHE_HOME", home, 1);
	unsetenv("HOME");
	snprintf(cache, sizeof(cache), "%s/bpfd", home);
	return 0;
}

static int teardown(void **state)
{
	remove_copies();
	rmdir(cache);
	return 0;
}

static void test_symbols_are_kept(void **state)
{
	struct board *board = start();
	struct stat st;

	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	reply_contents(board, MODULES);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	assert_asked_for(board, "/proc/modules");
	assert_asked_for(board, "/proc/kallsyms");
	assert_asked_for(board, "/proc/modules");
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
	assert_int_equal(copies(), 1);
	assert_int_equal(stat(cache, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700); /* addresses of a kernel are private */

	/* The next run uses the copy, too. */
	board = start();
	reply_contents(board, MODULES);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
}

/* A copy of the symbols is valid only for the same modules and the same boot. */
static void test_modules_or_boot_changed(void **state)
{
	struct board *board = start();

	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	reply_contents(board, "another " MODULES);
	reply_contents(board, "1 T other\n");
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	assert_contents(board, "/proc/kallsyms", "1 T other\n");
	strcpy(board->run.board.boot_id, "fedcba98-89ab-cdef-0123-456789abcdef");
	reply_contents(board, MODULES);
	reply_contents(board, "1 T third\n");
	assert_contents(board, "/proc/kallsyms", "1 T third\n");
	strcpy(board->run.board.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	reply_contents(board, MODULES);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	/* A kernel without support for modules has no /proc/modules. */
	board_reply_ret(board, RPC_FILE_READ, -ENOENT);
	reply_contents(board, "1 T fourth\n");
	assert_contents(board, "/proc/kallsyms", "1 T fourth\n");
	board_stop(board);
	assert_int_equal(copies(), 4);
}

static void reply_stat(struct board *board, uint32_t mode, uint64_t size)
{
	const struct rpc_stat st = {.mode = mode, .size = size, .ino = 5};

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
}

/* The types of a kernel depend on its build ID, not on the boot. */
static void test_types_of_kernel_and_modules(void **state)
{
	struct board *board = start();

	for (int boot = 0; boot < 2; boot++) {
		board->run.board.boot_id[0] = (char)('0' + boot);
		reply_stat(board, S_IFREG | 0444, 5);
		if (boot == 0) {
			reply_contents(board, "build id");
			reply_contents(board, "types");
		}
		assert_contents(board, "/sys/kernel/btf/vmlinux", "types");
		/* The types of a module are read again: another module of that name may have been
		 * loaded. */
		reply_stat(board, S_IFREG | 0444, 3);
		reply_contents(board, boot ? "one" : "two");
		assert_contents(board, "/sys/kernel/btf/usbcore", boot ? "one" : "two");
	}
	board_stop(board);
	assert_int_equal(copies(), 3);
}

/* Other files are read from the board each time. Errors are not kept. */
static void test_other_files_are_not_kept(void **state)
{
	struct board *board = start();

	reply_contents(board, "1\n");
	reply_contents(board, "2\n");
	assert_contents(board, "/proc/uptime", "1\n");
	assert_contents(board, "/proc/uptime", "2\n");
	board_reply_ret(board, RPC_FILE_READ, -EACCES);
	assert_int_equal(open_file(board->run.opener, "/proc/iomem"), -EACCES);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

/* The functions that can be traced depend on the modules, like the symbols. */
static void test_traceable_functions(void **state)
{
	struct board *board = start();

	reply_contents(board, MODULES);
	reply_contents(board, "vfs_open\n");
	reply_contents(board, MODULES);
	reply_contents(board, MODULES "another");
	reply_contents(board, "vfs_open\nanother\n");
	assert_contents(board, TRACEFS "available_filter_functions", "vfs_open\n");
	assert_contents(board, DEBUGFS "available_filter_functions", "vfs_open\n");
	assert_contents(board, TRACEFS "available_filter_functions", "vfs_open\nanother\n");
	board_stop(board);
	assert_int_equal(copies(), 2);
	remove_copies();
}

/* The list of events is kept for two seconds: a tool reads it for each event that it looks up. */
static void test_events(void **state)
{
	struct board *board = start();

	reply_contents(board, "sched:a\n");
	assert_contents(board, TRACEFS "available_events", "sched:a\n");
	now_ms += 2000;
	assert_contents(board, DEBUGFS "available_events", "sched:a\n");
	assert_asked_for(board, TRACEFS "available_events");
	assert_int_equal(board_unseen(board), 0);
	now_ms++;
	reply_contents(board, "sched:b\n");
	assert_contents(board, DEBUGFS "available_events", "sched:b\n");
	board_asked(board, RPC_FILE_READ);

	/* A new event of the tool invalidates the list. */
	board_reply_ret(board, RPC_FILE_WRITE, 3);
	reply_contents(board, "sched:b\nkprobes:p\n");
	assert_int_equal(remote_write(board->run.remote, TRACEFS "kprobe_events", "p x", 3), 3);
	assert_contents(board, TRACEFS "available_events", "sched:b\nkprobes:p\n");

	now_ms += 5000;
	board_reply_ret(board, RPC_FILE_READ, -EACCES);
	assert_int_equal(open_file(board->run.opener, TRACEFS "available_events"), -EACCES);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

static void test_no_cache_directory(void **state)
{
	static const char *const places[] = {
		NULL, "relative/path", "/nonexistent/a/b", "/dev/null"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct board *board;

		unsetenv("XDG_CACHE_HOME");
		if (places[i])
			setenv("XDG_CACHE_HOME", places[i], 1);
		board = start();
		reply_contents(board, SYMBOLS);
		reply_contents(board, SYMBOLS);
		assert_contents(board, "/proc/kallsyms", SYMBOLS);
		assert_contents(board, "/proc/kallsyms", SYMBOLS);
		board_stop(board);
		assert_int_equal(access("relative", F_OK), -1);
	}
}

static void test_cache_below_home(void **state)
{
	char path[128];
	struct board *board;

	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", home, 1);
	board = start();
	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	snprintf(cache, sizeof(cache), "%s/.cache/bpfd", home);
	assert_int_equal(copies(), 1);
	remove_copies();
	assert_int_equal(rmdir(cache), 0);
	snprintf(path, sizeof(path), "%s/.cache", home);
	assert_int_equal(rmdir(path), 0);
	snprintf(cache, sizeof(cache), "%s/bpfd", home);
}

static void test_unwritable_directory(void **state)
{
	struct board *board = start();

	if (geteuid() == 0) {
		/* File modes do not stop root, but a removed directory does. */
		assert_int_equal(rmdir(cache), 0);
	} else {
		assert_int_equal(chmod(cache, 0500), 0);
	}
	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	chmod(cache, 0700);
	assert_int_equal(copies(), 0);
}

/* An incomplete file is not used: neither after a reply that fails, nor the temporary file of a run
 * that was killed. */
static void test_incomplete_files(void **state)
{
	char name[256], temporary[300];
	struct board *board = start();
	const struct dirent *entry;
	DIR *directory;

	reply_contents(board, MODULES);
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "half of the sym");
	board_part(board, -EIO);
	board_ready(board);
	assert_int_equal(open_file(board->run.opener, "/proc/kallsyms"), -EIO);
	assert_int_equal(copies(), 0);

	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	directory = opendir(cache);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			snprintf(name, sizeof(name), "%s/%.150s", cache, entry->d_name);
	closedir(directory);
	snprintf(temporary, sizeof(temporary), "%s.abcdef", name);
	assert_int_equal(rename(name, temporary), 0);
	assert_int_equal(truncate(temporary, 10), 0);
	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
}

/* Copies that were not used for a month are removed. Each use renews a copy. */
static void test_unused_copies_expire(void **state)
{
	const struct timespec old[2] = {
		{time(NULL) - 31 * 24 * 3600, 0}, {time(NULL) - 31 * 24 * 3600, 0}};
	const struct timespec older_week[2] = {
		{time(NULL) - 7 * 24 * 3600, 0}, {time(NULL) - 7 * 24 * 3600, 0}};
	struct board *board;
	char path[128];
	int fd;

	board_stop(start());
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/copy%d", cache, i);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(futimens(fd, i ? older_week : old), 0);
		close(fd);
	}
	board = start();
	assert_int_equal(copies(), 1);
	board_stop(board);
}

/* Addresses of 0 mean that this user may not see them. Such a list is not kept, because the next
 * user may be privileged. */
static void test_hidden_addresses(void **state)
{
	static const char hidden[] = "0000000000000000 T _stext\n0000000000000000 t helper\n";
	struct board *board = start();

	reply_contents(board, MODULES);
	reply_contents(board, hidden);
	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", hidden);
	assert_int_equal(copies(), 0);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	assert_int_equal(copies(), 1);
}

/* Without a boot ID a copy cannot be matched to a boot, so none is kept. */
static void test_no_boot_id(void **state)
{
	struct board *board = start();

	board->run.board.boot_id[0] = 0;
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

/* A boot ID is part of a file name. A hostile one must not lead out of the directory. */
static void test_hostile_boot_id(void **state)
{
	struct board *board = start();

	strcpy(board->run.board.boot_id, "../x"); /* the parent directory is writable */
	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	strcpy(board->run.board.boot_id, ".hidden");
	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

static int make_home(void **state)
{
	return mkdtemp(home) ? 0 : -1;
}

static int remove_home(void **state)
{
	return rmdir(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_symbols_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_modules_or_boot_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types_of_kernel_and_modules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_files_are_not_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_traceable_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_cache_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache_below_home, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unwritable_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_incomplete_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unused_copies_expire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hidden_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_boot_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_boot_id, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
