/* SPDX-License-Identifier: Apache-2.0 */
/* bpfd-run's cache: which of the board's files it keeps, and for how long. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sodium.h>

#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/run_test.h"
#include "tests/unit/skip.h"

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

static const char *identity = "board 1";

static struct board *start(void)
{
	struct board *board = board_start(NULL);

	strcpy(board->run.board.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	strcpy(board->run.board.release, "6.1.0-test");
	board->run.board.minor = RPC_MINOR;
	board_files(board);
	cache_identify(board->run.cache, identity);
	return board;
}

static void reply_contents(struct board *board, const char *contents)
{
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), contents);
	board_ready(board);
}

/* The board states the hash of these contents. */
static void reply_hash(struct board *board, const char *contents)
{
	struct bytes_out *out = board_reply(board, RPC_FILE_HASH, 0);
	uint8_t hash[SHA256_SIZE];

	crypto_hash_sha256(hash, (const uint8_t *)contents, strlen(contents));
	bytes_put_u64(out, strlen(contents));
	rpc_put_bytes(out, hash, sizeof(hash));
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

/* Writes the path of the file in the cache. */
static void only_copy(char path[256])
{
	DIR *directory = opendir(cache);
	const struct dirent *entry;

	assert_int_equal(copies(), 1);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			snprintf(path, 256, "%s/%.180s", cache, entry->d_name);
	closedir(directory);
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

/* A copy of the symbols is valid only for the same modules and the same boot. A board has one. */
static void test_modules_or_boot_changed(void **state)
{
	struct board *board = start();

	reply_contents(board, MODULES);
	reply_contents(board, SYMBOLS);
	reply_contents(board, "another " MODULES);
	reply_contents(board, "1 T other\n");
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	assert_contents(board, "/proc/kallsyms", "1 T other\n");
	assert_int_equal(copies(), 1);
	strcpy(board->run.board.boot_id, "fedcba98-89ab-cdef-0123-456789abcdef");
	reply_contents(board, MODULES);
	reply_contents(board, "1 T third\n");
	assert_contents(board, "/proc/kallsyms", "1 T third\n");
	reply_contents(board, MODULES);
	assert_contents(board, "/proc/kallsyms", "1 T third\n");
	/* A kernel without support for modules has no /proc/modules. */
	board_reply_ret(board, RPC_FILE_READ, -ENOENT);
	reply_contents(board, "1 T fourth\n");
	assert_contents(board, "/proc/kallsyms", "1 T fourth\n");
	board_reply_ret(board, RPC_FILE_READ, -ENOENT);
	assert_contents(board, "/proc/kallsyms", "1 T fourth\n");
	board_stop(board);
	assert_int_equal(copies(), 1);
}

/* A board that says it is in another board's boot does not replace the other's symbols. */
static void test_another_board(void **state)
{
	struct board *board;

	for (int i = 0; i < 2; i++) {
		board = start();
		reply_contents(board, MODULES);
		reply_contents(board, i ? "2 T theirs\n" : SYMBOLS);
		assert_contents(board, "/proc/kallsyms", i ? "2 T theirs\n" : SYMBOLS);
		board_stop(board);
		identity = "board 2";
	}
	assert_int_equal(copies(), 2);
	identity = "board 1";
	board = start();
	reply_contents(board, MODULES);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	/* A board without identity has no copies. */
	identity = NULL;
	board = board_start(NULL);
	board_files(board);
	strcpy(board->run.board.boot_id, "01234567-89ab-cdef-0123-456789abcdef");
	reply_contents(board, "3 T own\n");
	assert_contents(board, "/proc/kallsyms", "3 T own\n");
	board_stop(board);
	identity = "board 1";
	assert_int_equal(copies(), 2);
}

/* Types and programs are kept by their contents, whichever board and boot they come from. */
static void test_types_and_programs(void **state)
{
	static const char *const paths[] = {"/proc/400000/root/usr/bin/no-vmlinux",
		"/proc/400000/root/usr/bin/no-usbcore", "/proc/400000/root/usr/lib/libboard.so"};

	for (size_t i = 0; i < 2 * sizeof(paths) / sizeof(paths[0]); i++) {
		const char *path = paths[i / 2];
		struct board *board = start();

		board->run.board.boot_id[0] = (char)('0' + i);
		identity = i % 2 ? "board 2" : "board 1";
		reply_hash(board, path);
		if (i % 2 == 0)
			reply_contents(board, path);
		assert_contents(board, path, path);
		board_stop(board);
		assert_int_equal(copies(), i / 2 + 1);
	}
	identity = "board 1";
}

/* A board states the hash of other contents than it sends, to poison the copy of another board. */
static void test_lying_board(void **state)
{
	struct board *board = start();

	reply_hash(board, "types");
	reply_contents(board, "lies!");
	assert_contents(board, "/proc/400000/root/usr/bin/no-vmlinux", "lies!");
	assert_int_equal(copies(), 0);
	/* Its other size is a lie as well. */
	reply_hash(board, "types");
	reply_contents(board, "types and lies");
	assert_contents(board, "/proc/400000/root/usr/bin/no-vmlinux", "types and lies");
	board_stop(board);
	assert_int_equal(copies(), 0);
	board = start();
	reply_hash(board, "types");
	reply_contents(board, "types");
	assert_contents(board, "/proc/400000/root/usr/bin/no-vmlinux", "types");
	board_stop(board);
	assert_int_equal(copies(), 1);
}

/* A reply without a hash is an error; an error of the board is passed on. */
static void test_no_hash(void **state)
{
	struct board *board = start();

	board_reply_ret(board, RPC_FILE_HASH, 0);
	assert_int_equal(
		open_file(board->run.opener, "/proc/400000/root/usr/bin/no-vmlinux"), -EIO);
	rpc_put_bytes(board_reply(board, RPC_FILE_HASH, 0), "too short", 9);
	board_ready(board);
	assert_int_equal(
		open_file(board->run.opener, "/proc/400000/root/usr/bin/no-vmlinux"), -EIO);
	board_reply_ret(board, RPC_FILE_HASH, -EACCES);
	assert_int_equal(
		open_file(board->run.opener, "/proc/400000/root/usr/bin/no-secret"), -EACCES);
	/* An older bpfd does not know the message: files are fetched each time. */
	board->run.board.minor = RPC_MINOR_HASH - 1;
	for (int i = 0; i < 2; i++) {
		reply_contents(board, "types");
		assert_contents(board, "/proc/400000/root/usr/bin/no-vmlinux", "types");
	}
	board_stop(board);
	assert_int_equal(copies(), 0);
}

/* A copy that was cut or changed is fetched again. */
static void test_damaged_copy(void **state)
{
	char path[256];

	for (int i = 0; i < 3; i++) {
		struct board *board = start();
		int fd;

		reply_hash(board, "types");
		reply_contents(board, "types");
		assert_contents(board, "/proc/400000/root/usr/bin/no-vmlinux", "types");
		board_stop(board);
		only_copy(path);
		if (i == 1) {
			assert_int_equal(truncate(path, 4), 0);
			continue;
		}
		fd = open(path, O_WRONLY | O_CLOEXEC);
		assert_int_equal(write(fd, "tYpes", 5), 5);
		close(fd);
	}
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
	assert_int_equal(copies(), 1);
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

/* An incomplete file is not kept. */
static void test_incomplete_files(void **state)
{
	struct board *board = start();

	reply_contents(board, MODULES);
	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "half of the sym");
	board_part(board, -EIO);
	board_ready(board);
	assert_int_equal(open_file(board->run.opener, "/proc/kallsyms"), -EIO);
	assert_int_equal(copies(), 0);
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
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	strcpy(board->run.board.boot_id, ".hidden");
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

/* Opens a program of the board with these contents, and leaves a copy of it. */
static void keep(const char *contents, const char *name)
{
	struct board *board = start();
	char path[128];

	snprintf(path, sizeof(path), "/proc/400000/root/usr/lib/%s", name);
	reply_hash(board, contents);
	reply_contents(board, contents);
	close(open_file(board->run.opener, path));
	board_stop(board);
}

/* Checks that nothing is kept in the directory of the cache, and that the run goes on. */
static void assert_refused(const char *message)
{
	struct board *board;
	const char *text;

	log_begin();
	board = start();
	text = log_end();
	if (!strstr(text, message))
		fail_msg("logged: %s", text);
	reply_contents(board, SYMBOLS);
	assert_contents(board, "/proc/kallsyms", SYMBOLS);
	board_stop(board);
	assert_int_equal(copies(), 0);
}

static void test_directory_that_others_can_write(void **state)
{
	static const mode_t modes[] = {0720, 0702, 0777, 01777};

	board_stop(start());
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(cache, modes[i]), 0);
		assert_refused("other users can write it; run chmod go-w /tmp/");
	}
	assert_int_equal(chmod(cache, 0755), 0);
	keep("program", "program");
	assert_int_equal(copies(), 1);
}

static void test_directory_of_another_user(void **state)
{
	if (geteuid() != 0)
		skip_because("needs root to give a directory away");
	board_stop(start());
	assert_int_equal(chown(cache, 12345, 12345), 0);
	assert_refused("another user (12345) owns it; set XDG_CACHE_HOME");
	assert_int_equal(chown(cache, 0, 0), 0);
}

/* A link in place of a copy is not followed, even to a file of this user. */
static void test_links(void **state)
{
	char path[256], other[256];
	struct board *board;

	keep("program", "program");
	only_copy(path);
	snprintf(other, sizeof(other), "%s/other", home);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	board = start();
	reply_hash(board, "program");
	reply_contents(board, "program");
	assert_contents(board, "/proc/400000/root/usr/lib/program", "program");
	board_stop(board);
	assert_int_equal(unlink(other), 0);
}

static time_t used_at; /* of the last copy that age() has changed */

/* Lets the time of the last use of a copy lie in the past; each call a little less. */
static void age(const char *contents)
{
	struct timespec times[2];
	char path[256], hex[SHA256_HEX_SIZE];
	uint8_t hash[SHA256_SIZE];

	crypto_hash_sha256(hash, (const uint8_t *)contents, strlen(contents));
	sha256_hex(hash, hex);
	snprintf(path, sizeof(path), "%s/%s", cache, hex);
	used_at += 10;
	times[0] = times[1] = (struct timespec){.tv_sec = used_at};
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_kept(const char *contents)
{
	struct board *board = start();
	struct bytes_in in;
	unsigned int asked;

	reply_hash(board, contents);
	reply_contents(board, contents);
	close(open_file(board->run.opener, "/proc/400000/root/usr/lib/any"));
	in = board_asked(board, RPC_FILE_HASH);
	assert_false(in.failed);
	asked = board_unseen(board);
	if (!asked)
		remote_open(board->run.remote, "/proc/uptime"); /* uses the other reply */
	board_stop(board);
	return !asked;
}

/* The least recently used copies make room for new ones. */
static void test_quota(void **state)
{
	char *contents[4];

	setenv("BPFD_CACHE_MIB", "1", 1);
	for (int i = 0; i < 4; i++) {
		contents[i] = malloc(400001);
		memset(contents[i], 'a' + i, 400000);
		contents[i][400000] = 0;
	}
	used_at = time(NULL) - 1000;
	keep(contents[0], "0");
	age(contents[0]);
	keep(contents[1], "1");
	age(contents[1]);
	assert_int_equal(copies(), 2);
	assert_true(is_kept(contents[0])); /* used: now 1 is the oldest */
	keep(contents[2], "2");
	assert_int_equal(copies(), 2);
	assert_true(is_kept(contents[0]));
	assert_true(is_kept(contents[2]));
	setenv("BPFD_CACHE_MIB", "0", 1);
	keep(contents[3], "3");
	assert_int_equal(copies(), 2); /* it does not fit at all, so nothing makes room */
	setenv("BPFD_CACHE_MIB", "1", 1);
	assert_false(is_kept(contents[3]));
	unsetenv("BPFD_CACHE_MIB");
	assert_false(is_kept(contents[1]));
	assert_int_equal(copies(), 3);
	for (int i = 0; i < 4; i++)
		free(contents[i]);
}

static void test_wrong_quota(void **state)
{
	static const char *const wrong[] = {"-1", "1G", "x", "99999999999999999999"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("BPFD_CACHE_MIB", wrong[i], 1);
		log_begin();
		keep("program", "program");
		assert_non_null(strstr(log_end(), "not a number of MiB; the quota is 1024"));
		assert_int_equal(copies(), 1);
		remove_copies();
	}
	unsetenv("BPFD_CACHE_MIB");
}

/* The file that a killed run was writing is removed; that of a run that goes on is not. */
static void test_temporary_files(void **state)
{
	char path[2][128];
	int fds[2];

	board_stop(start());
	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/tmp.%d", cache, i);
		fds[i] = open(path[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(flock(fds[1], LOCK_EX), 0);
	close(fds[0]);
	board_stop(start());
	assert_int_equal(access(path[0], F_OK), -1);
	assert_int_equal(access(path[1], F_OK), 0);
	close(fds[1]);
	board_stop(start());
	assert_int_equal(copies(), 0);
}

/* A full disk is reported once, and the run goes on. */
static void test_full_disk(void **state)
{
	char *contents = malloc(200001);
	struct board *board;
	const char *text;
	int fd;

	board_stop(start());
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("small", cache, "tmpfs", 0, "size=64k,mode=0700")) {
		free(contents);
		skip_because("needs root to mount a small file system");
	}
	memset(contents, 'a', 200000);
	contents[200000] = 0;
	log_begin();
	board = start();
	for (int i = 0; i < 2; i++) {
		reply_hash(board, contents);
		reply_contents(board, contents);
		fd = open_file(board->run.opener, "/proc/400000/root/usr/bin/no-vmlinux");
		assert_int_equal(lseek(fd, 0, SEEK_END), 200000);
		close(fd);
	}
	board_stop(board);
	text = log_end();
	assert_non_null(strstr(text, "No space left on device; files of the board are fetched"));
	assert_null(strstr(strstr(text, "No space") + 1, "No space"));
	assert_int_equal(copies(), 0);
	assert_int_equal(umount(cache), 0);
	free(contents);
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
		cmocka_unit_test_setup_teardown(test_another_board, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types_and_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lying_board, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_copy, setup, teardown),
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
		cmocka_unit_test_setup_teardown(
			test_directory_that_others_can_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory_of_another_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_quota, setup, teardown),
		cmocka_unit_test_setup_teardown(test_temporary_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
