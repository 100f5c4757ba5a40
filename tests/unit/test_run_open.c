/* SPDX-License-Identifier: Apache-2.0 */
/* Which contents the tool gets when it opens a file of the board. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sodium.h>

#include "host-usb/run/files/open.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/run_test.h"

static struct board *start(void)
{
	struct board *board = board_start(NULL);

	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	board_files(board);
	return board;
}

static void reply_contents(struct board *board, const char *contents, size_t size)
{
	rpc_put_bytes(board_reply(board, RPC_FILE_READ, 0), contents, size);
	board_ready(board);
}

static void assert_contents(int fd, const char *contents)
{
	char data[64];
	ssize_t n = read(fd, data, sizeof(data) - 1);

	assert_true(n >= 0);
	data[n] = 0;
	assert_string_equal(data, contents);
	close(fd);
}

static void assert_cpus(struct board *board, const char *contents)
{
	int fd = open_file(board->run.opener, "/sys/devices/system/cpu/possible");

	assert_true(fd >= 0);
	assert_contents(fd, contents);
}

/* Tools size the values of per-CPU maps by this file. It always has as many CPUs as the board has
 * announced at the start. */
static void test_possible_cpus(void **state)
{
	static const char *const wrong[] = {"0-1\n", "0-3\n", "0\n", "", "\n", "0-2", "0-2 \n",
		" 0-2\n", "0-2\n\n", "0-2,\n", ",0-2\n", "0-2\n3\n", "0,0-1\n", "1-2,0\n", "2-0\n",
		"0-1-2\n", "0-1,2x\n", "0x0-2\n", "-2\n", "+0-2\n", "0--2\n",
		"4294967294-4294967296\n", "18446744073709551616-2\n", "none\n"};
	struct board *board = start();

	board->run.board.possible_cpus = 3;
	reply_contents(board, "0-2\n", 4);
	assert_cpus(board, "0-2\n");
	reply_contents(board, "0,2-3\n", 6); /* some machines have gaps */
	assert_cpus(board, "0,2-3\n");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		reply_contents(board, wrong[i], strlen(wrong[i]));
		assert_cpus(board, "0-2\n");
	}
	reply_contents(board, "0-2\n\0,4\n", 8);
	assert_cpus(board, "0-2\n");
	/* If the board has no such file, it is made up: some tools would assume no CPU. */
	board_reply_ret(board, RPC_FILE_READ, -ENOENT);
	assert_cpus(board, "0-2\n");
	board_reply_ret(board, RPC_FILE_READ, -EISDIR);
	assert_cpus(board, "0-2\n");
	board->run.board.possible_cpus = 1;
	reply_contents(board, "0-1\n", 4);
	assert_cpus(board, "0\n");
	board->run.board.possible_cpus = 0;
	reply_contents(board, "none\n", 5);
	assert_cpus(board, "0\n");
	board_stop(board);
}

/* Opens a list that the board has. With `possible`, it is asked for that list as well. */
static int open_list(
	struct board *board, const char *path, const char *contents, const char *possible)
{
	int fd;

	reply_contents(board, contents, strlen(contents));
	if (possible)
		reply_contents(board, possible, strlen(possible));
	fd = open_file(board->run.opener, path);
	if (fd < 0)
		return fd;
	assert_contents(fd, contents);
	return 0;
}

/* libbpf and BCC make arrays as large as these lists say. */
static void test_lists_of_cpus(void **state)
{
	static const char *const online[] = {
		"/sys/devices/system/cpu/online", "/sys/devices/system/cpu/present"};
	static const char *const others[] = {"/sys/devices/system/cpu/offline",
		"/sys/devices/system/cpu/isolated", "/sys/devices/system/node/node0/cpulist",
		"/sys/devices/system/cpu/cpu0/topology/core_cpus_list",
		"/sys/bus/event_source/devices/power/cpumask"};
	static const char *const malformed[] = {"100,3-5\n", "0-8192\n", "3-2\n", "0-1", "0,0\n",
		"-1\n", "0-4294967295\n", "0x1\n", "1 2\n", "ff\n"};
	struct board *board;

	for (size_t i = 0; i < sizeof(online) / sizeof(online[0]); i++) {
		board = start();
		board->run.board.possible_cpus = 3;
		assert_int_equal(open_list(board, online[i], "0-2\n", "0-2\n"), 0);
		assert_int_equal(open_list(board, online[i], "0,3\n", "0,2-3\n"), 0);
		assert_int_equal(open_list(board, online[i], "3\n", "0-2\n"), -EIO);
		assert_int_equal(open_list(board, online[i], "0-7\n", "0-2\n"), -EIO);
		assert_int_equal(open_list(board, online[i], "0-7\n", "0-7\n"), -EIO);
		assert_int_equal(open_list(board, online[i], "\n", "0-2\n"), -EIO);
		for (size_t j = 0; j < sizeof(malformed) / sizeof(malformed[0]); j++)
			assert_int_equal(open_list(board, online[i], malformed[j], NULL), -EIO);
		board_stop(board);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		board = start();
		assert_int_equal(open_list(board, others[i], "\n", NULL), 0);
		assert_int_equal(open_list(board, others[i], "4-31,8191\n", NULL), 0);
		for (size_t j = 0; j < sizeof(malformed) / sizeof(malformed[0]); j++)
			assert_int_equal(open_list(board, others[i], malformed[j], NULL), -EIO);
		board_stop(board);
	}
	/* A mask of CPUs, not a list. */
	board = start();
	assert_int_equal(
		open_list(board, "/sys/devices/virtual/workqueue/cpumask", "ff\n", NULL), 0);
	board_stop(board);
}

static char directory[] = "/tmp/test_run_open.XXXXXX";
static char local[64], board_path[96]; /* a file in it, and its path on the board */

static int setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(local, sizeof(local), "%s/file", directory);
	snprintf(board_path, sizeof(board_path), "/proc/400000/root%s", local);
	return 0;
}

static int teardown(void **state)
{
	unlink(local);
	return rmdir(directory);
}

static void make_local(const char *contents)
{
	int fd = open(local, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, contents, strlen(contents)), strlen(contents));
	close(fd);
}

static void reply_stat(struct board *board, uint64_t ino)
{
	const struct rpc_stat st = {.mode = S_IFREG | 0755, .ino = ino};

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
}

/* The board states the hash of these contents. */
static void reply_hash(struct board *board, const void *contents, size_t size)
{
	struct bytes_out *out = board_reply(board, RPC_FILE_HASH, 0);
	uint8_t hash[SHA256_SIZE];

	crypto_hash_sha256(hash, contents, size);
	bytes_put_u64(out, size);
	rpc_put_bytes(out, hash, sizeof(hash));
	board_ready(board);
}

/* Reads a file. The caller frees the result. */
static char *contents_of(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data;
	struct stat st;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size + 1);
	n = read(fd, data, (size_t)st.st_size);
	assert_true(n >= 0);
	close(fd);
	*size = (size_t)n;
	return data;
}

/* Opens a program of the board, which states the hash of `contents` and then has to send it. */
static void open_root(struct board *board, const char *name, const void *contents, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/400000/root%s", name);
	reply_hash(board, contents, size);
	reply_contents(board, "theirs", 6);
	assert_contents(open_file(board->run.opener, path), "theirs");
}

/* If the workstation has the same program as the board, it is not fetched. */
static void test_same_program(void **state)
{
	struct board *board = start();
	size_t size;
	char *env = contents_of("/usr/bin/env", &size), *read;

	board->run.board.minor = RPC_MINOR;
	reply_hash(board, env, size);
	read = malloc(size + 1);
	assert_int_equal(pread(open_file(board->run.opener, "/proc/400000/root/usr/bin/env"), read,
				 size + 1, 0),
		size);
	assert_memory_equal(read, env, size);
	assert_int_equal(board->count, 1);
	/* Another build, which differs in its last byte only. */
	env[size - 1] ^= 1;
	open_root(board, "/usr/bin/env", env, size);
	/* A name that is not here. */
	open_root(board, "/usr/bin/not-here", env, size);
	/* An older bpfd cannot hash. */
	board->run.board.minor = RPC_MINOR_HASH - 1;
	reply_contents(board, "theirs", 6);
	assert_contents(open_file(board->run.opener, "/proc/400000/root/usr/bin/env"), "theirs");
	assert_int_equal(board->count, 6);
	free(env);
	free(read);
	board_stop(board);
}

/* Files other than the system's programs and libraries are not opened for a name of the board, even
 * if it states the right hash. */
static void test_other_files(void **state)
{
	static const char *const names[] = {"/etc/passwd", "/sys/kernel/uevent_seqnum",
		"/usr/share/../../etc/passwd", "/usr/lib/os-release", "/proc/version"};
	struct board *board = start();
	char copy[128], command[256], *contents;
	size_t size;

	board->run.board.minor = RPC_MINOR;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (access(names[i], R_OK) < 0)
			continue;
		contents = contents_of(names[i], &size);
		open_root(board, names[i], contents, size);
		free(contents);
	}
	/* A program, but not where programs are installed. */
	snprintf(copy, sizeof(copy), "%s/program", directory);
	snprintf(command, sizeof(command), "cp /usr/bin/env %s", copy);
	assert_int_equal(system(command), 0);
	contents = contents_of(copy, &size);
	open_root(board, copy, contents, size);
	unlink(copy);
	/* The name decides as well as the file: a look at a name may mount a file system. */
	assert_int_equal(symlink("/usr/bin/env", copy), 0);
	open_root(board, copy, contents, size);
	unlink(copy);
	free(contents);
	board_stop(board);
}

static int name_probe(struct board *board)
{
	const struct call call = board_call(board, 0, NULL);
	const char *name;

	return open_board_path(&call, local, &name);
}

/* The offset of a uprobe is valid only if both ends have the same file, to its last byte. */
static void test_uprobe(void **state)
{
	struct board *board = start();
	char contents[8192 + 1];
	const char *text;

	memset(contents, 'x', sizeof(contents));
	contents[8192] = 0;
	make_local(contents);
	board->run.board.minor = RPC_MINOR;
	contents[8191] = 'y';
	for (int i = 0; i < 2; i++) {
		reply_stat(board, 1);
		reply_hash(board, contents, 8192);
		log_begin();
		assert_int_equal(name_probe(board), -EINVAL);
		text = log_end();
		assert_non_null(strstr(text, "the board has another build of it"));
	}
	contents[8191] = 'x';
	reply_stat(board, 1);
	reply_hash(board, contents, 8192);
	assert_int_equal(name_probe(board), 0);
	reply_stat(board, 1);
	assert_int_equal(name_probe(board), 0); /* neither file has changed */
	contents[8191] = 'z';
	reply_stat(board, 2);
	reply_hash(board, contents, 8192);
	log_begin();
	assert_int_equal(name_probe(board), -EINVAL);
	log_end();
	/* Without an answer nothing is known about the offset. */
	reply_stat(board, 2);
	board_reply_ret(board, RPC_FILE_HASH, -EFBIG);
	log_begin();
	assert_int_equal(name_probe(board), -EFBIG);
	text = log_end();
	assert_non_null(strstr(text, "cannot be compared with the board's file (File too large)"));
	/* An older bpfd sends the whole file. */
	board->run.board.minor = RPC_MINOR_HASH - 1;
	reply_stat(board, 2);
	reply_contents(board, contents, 8192);
	log_begin();
	assert_int_equal(name_probe(board), -EINVAL);
	log_end();
	contents[8191] = 'x';
	reply_stat(board, 2);
	reply_contents(board, contents, 8192);
	assert_int_equal(name_probe(board), 0);
	make_local("rebuilt");
	reply_stat(board, 2);
	reply_contents(board, contents, 8192);
	log_begin();
	assert_int_equal(name_probe(board), -EINVAL);
	log_end();
	unlink(local);
	board_stop(board);
}

/* Sets *arg if the FIFO is open for reading: opening it for writing then succeeds at once. */
static void look_at_fifo(void *arg)
{
	int fd = open(local, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	*(bool *)arg |= fd >= 0;
	if (fd >= 0)
		close(fd);
}

/* A path of the board is not opened here if it is not a regular file: opening a device may have
 * side effects. */
static void test_no_regular_file(void **state)
{
	struct board *board = start();
	bool opened = false;

	board->before = look_at_fifo;
	board->arg = &opened;
	assert_int_equal(mkfifo(local, 0600), 0);
	reply_contents(board, "theirs", 6);
	assert_contents(open_file(board->run.opener, board_path), "theirs");
	assert_false(opened);
	board->run.sysroot = directory;
	reply_contents(board, "theirs", 6);
	assert_contents(open_file(board->run.opener, "/proc/400000/root/file"), "theirs");
	assert_false(opened);
	assert_int_equal(open_program(board->run.opener, local), -EACCES);
	unlink(local);
	board_stop(board);
}

/* A file in the copy of the board's files is not fetched from the board. */
static void test_sysroot(void **state)
{
	struct board *board = start();

	make_local("copy");
	board->run.sysroot = directory;
	assert_contents(open_file(board->run.opener, "/proc/400000/root/file"), "copy");
	unlink(local);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_possible_cpus),
		cmocka_unit_test(test_lists_of_cpus),
		cmocka_unit_test(test_same_program),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_uprobe),
		cmocka_unit_test(test_no_regular_file),
		cmocka_unit_test(test_sysroot),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
