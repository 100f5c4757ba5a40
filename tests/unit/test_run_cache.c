/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the board's files are kept on the workstation, and when they are asked for again. */
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
static char cache[64]; /* where copies are */

static struct board *start(void)
{
	struct board *board = board_start(NULL);

	strcpy(board->run.board.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	strcpy(board->run.board.release, "6.1.0-test");
	board_files(board);
	return board;
}

static void says(struct board *board, const char *contents)
{
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), contents);
	board_ready(board);
}

/* Opens a file and looks at its contents. */
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

/* The board was asked for exactly these files. */
static void assert_read(struct board *board, const char *path)
{
	struct bytes_in in = board_asked(board, RPC_FILE_READ);
	char asked[256];

	assert_true(rpc_get_string(&in, asked, sizeof(asked)));
	assert_string_equal(asked, path);
}

/* How many files there are in the cache. */
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

static void test_second_time(void **state)
{
	struct board *board = start();
	struct stat st;

	says(board, MODULES);
	says(board, SYMBOLS);
	says(board, MODULES);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	assert_read(board, "/proc/modules");
	assert_read(board, "/proc/kallsyms");
	assert_read(board, "/proc/modules");
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
	assert_int_equal(copies(), 1);
	assert_int_equal(stat(cache, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700); /* addresses of a kernel */

	/* Also in the next run. */
	board = start();
	says(board, MODULES);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
}

/* Other modules, or another boot: the symbols are other ones. */
static void test_changes(void **state)
{
	struct board *board = start();

	says(board, MODULES);
	says(board, SYMBOLS);
	says(board, "another " MODULES);
	says(board, "other symbols\n");
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	assert_contents(board, "/proc/kallsyms", "other symbols\n");
	strcpy(board->run.board.boot_id, "fedcba98-89ab-cdef-0123-456789abcdef");
	says(board, MODULES);
	says(board, "third\n");
	assert_contents(board, "/proc/kallsyms", "third\n");
	strcpy(board->run.board.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	says(board, MODULES);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	/* A kernel that has no modules at all. */
	board_says(board, RPC_FILE_READ, -ENOENT);
	says(board, "fourth\n");
	assert_contents(board, "/proc/kallsyms", "fourth\n");
	board_stop(board);
	assert_int_equal(copies(), 4);
}

static void says_stat(struct board *board, uint32_t mode, uint64_t size)
{
	const struct rpc_stat st = {.mode = mode, .size = size, .ino = 5};

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
}

/* The kernel's types are those of its build, whatever the boot. */
static void test_types(void **state)
{
	struct board *board = start();

	for (int boot = 0; boot < 2; boot++) {
		board->run.board.boot_id[0] = (char)('0' + boot);
		says_stat(board, S_IFREG | 0444, 5);
		if (boot == 0) {
			says(board, "build id");
			says(board, "types");
		}
		assert_contents(board, "/sys/kernel/btf/vmlinux", "types");
		/* Those of a module are not: it may be loaded anew. */
		says_stat(board, S_IFREG | 0444, 3);
		says(board, boot ? "one" : "two");
		assert_contents(board, "/sys/kernel/btf/usbcore", boot ? "one" : "two");
	}
	board_stop(board);
	assert_int_equal(copies(), 3);
}

/* Small files, and those that change, come from the board each time. */
static void test_others(void **state)
{
	struct board *board = start();

	says(board, "1\n");
	says(board, "2\n");
	assert_contents(board, "/proc/uptime", "1\n");
	assert_contents(board, "/proc/uptime", "2\n");
	board_says(board, RPC_FILE_READ, -EACCES);
	assert_int_equal(open_file(board->run.opener, "/proc/iomem"), -EACCES);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

/* Which functions can be traced depends on the modules, as the symbols do. */
static void test_functions(void **state)
{
	struct board *board = start();

	says(board, MODULES);
	says(board, "vfs_open\n");
	says(board, MODULES);
	says(board, MODULES "another");
	says(board, "vfs_open\nanother\n");
	assert_contents(board, TRACEFS "available_filter_functions", "vfs_open\n");
	assert_contents(board, DEBUGFS "available_filter_functions", "vfs_open\n");
	assert_contents(board, TRACEFS "available_filter_functions", "vfs_open\nanother\n");
	board_stop(board);
	assert_int_equal(copies(), 2);
	remove_copies();
}

/* The list of events is read once for each event that a tool looks for. */
static void test_events(void **state)
{
	struct board *board = start();

	says(board, "sched:a\n");
	assert_contents(board, TRACEFS "available_events", "sched:a\n");
	now_ms += 2000;
	assert_contents(board, DEBUGFS "available_events", "sched:a\n");
	assert_read(board, TRACEFS "available_events");
	assert_int_equal(board_unseen(board), 0);
	now_ms++;
	says(board, "sched:b\n");
	assert_contents(board, DEBUGFS "available_events", "sched:b\n");
	board_asked(board, RPC_FILE_READ);

	/* The tool defines one. */
	board_says(board, RPC_FILE_WRITE, 3);
	says(board, "sched:b\nkprobes:p\n");
	assert_int_equal(remote_write(board->run.remote, TRACEFS "kprobe_events", "p x", 3), 3);
	assert_contents(board, TRACEFS "available_events", "sched:b\nkprobes:p\n");

	now_ms += 5000;
	board_says(board, RPC_FILE_READ, -EACCES);
	assert_int_equal(open_file(board->run.opener, TRACEFS "available_events"), -EACCES);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

static void test_nowhere_to_keep(void **state)
{
	static const char *const places[] = {
		NULL, "relative/path", "/nonexistent/a/b", "/dev/null"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct board *board;

		unsetenv("XDG_CACHE_HOME");
		if (places[i])
			setenv("XDG_CACHE_HOME", places[i], 1);
		board = start();
		says(board, SYMBOLS);
		says(board, SYMBOLS);
		assert_contents(board, "/proc/kallsyms", SYMBOLS);
		assert_contents(board, "/proc/kallsyms", SYMBOLS);
		board_stop(board);
		assert_int_equal(access("relative", F_OK), -1);
	}
}

static void test_home(void **state)
{
	char path[128];
	struct board *board;

	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", home, 1);
	board = start();
	says(board, MODULES);
	says(board, SYMBOLS);
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

static void test_unwritable(void **state)
{
	struct board *board = start();

	if (geteuid() == 0) {
		/* Root may write anywhere but where nothing can be: the directory is gone. */
		assert_int_equal(rmdir(cache), 0);
	} else {
		assert_int_equal(chmod(cache, 0500), 0);
	}
	says(board, MODULES);
	says(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	chmod(cache, 0700);
	assert_int_equal(copies(), 0);
}

/* What was not fetched to its end is no copy: not of a reply that fails, and not what a run that
 * was killed has left. */
static void test_unfinished(void **state)
{
	char name[256], temporary[300];
	struct board *board = start();
	const struct dirent *entry;
	DIR *directory;

	says(board, MODULES);
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "half of the sym");
	board_part(board, -EIO);
	board_ready(board);
	assert_int_equal(open_file(board->run.opener, "/proc/kallsyms"), -EIO);
	assert_int_equal(copies(), 0);

	says(board, MODULES);
	says(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	directory = opendir(cache);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			snprintf(name, sizeof(name), "%s/%.150s", cache, entry->d_name);
	closedir(directory);
	snprintf(temporary, sizeof(temporary), "%s.abcdef", name);
	assert_int_equal(rename(name, temporary), 0);
	assert_int_equal(truncate(temporary, 10), 0);
	says(board, MODULES);
	says(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
}

/* Copies that nobody has used for a month go, others stay; using one makes it new. */
static void test_old(void **state)
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

/* Symbols without addresses are those of somebody who may not see them: the next one may. */
static void test_hidden(void **state)
{
	static const char hidden[] = "0000000000000000 T _stext\n0000000000000000 t helper\n";
	struct board *board = start();

	says(board, MODULES);
	says(board, hidden);
	says(board, MODULES);
	says(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", hidden);
	assert_int_equal(copies(), 0);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	assert_int_equal(copies(), 1);
}

/* Without a boot's id all boots look the same. */
static void test_no_boot_id(void **state)
{
	struct board *board = start();

	board->run.board.boot_id[0] = 0;
	says(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

/* Names that a board chooses do not lead out of the directory. */
static void test_names(void **state)
{
	struct board *board = start();

	strcpy(board->run.board.boot_id, "../x"); /* beside the directory, where it could be */
	says(board, MODULES);
	says(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	strcpy(board->run.board.boot_id, ".hidden");
	says(board, MODULES);
	says(board, SYMBOLS);
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
		cmocka_unit_test_setup_teardown(test_second_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nowhere_to_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_home, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unwritable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unfinished, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_boot_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
