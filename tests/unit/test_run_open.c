/* SPDX-License-Identifier: Apache-2.0 */
/* What is opened when the tool opens a file of the board. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host-usb/run/files/open.h"
#include "tests/unit/run_test.h"

static struct board *start(void)
{
	struct board *board = board_start(NULL);

	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	board_files(board);
	return board;
}

static void says(struct board *board, const char *contents, size_t size)
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

/* A tool sizes the values of per-CPU maps by this file: it never tells of other CPUs than HELLO. */
static void test_possible_cpus(void **state)
{
	static const char *const wrong[] = {"0-1\n", "0-3\n", "0\n", "", "\n", "0-2", "0-2 \n",
		" 0-2\n", "0-2\n\n", "0-2,\n", ",0-2\n", "0-2\n3\n", "0,0-1\n", "1-2,0\n", "2-0\n",
		"0-1-2\n", "0-1,2x\n", "0x0-2\n", "-2\n", "+0-2\n", "0--2\n",
		"4294967294-4294967296\n", "18446744073709551616-2\n", "none\n"};
	struct board *board = start();

	board->run.board.possible_cpus = 3;
	says(board, "0-2\n", 4);
	assert_cpus(board, "0-2\n");
	says(board, "0,2-3\n", 6); /* some have gaps */
	assert_cpus(board, "0,2-3\n");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		says(board, wrong[i], strlen(wrong[i]));
		assert_cpus(board, "0-2\n");
	}
	says(board, "0-2\n\0,4\n", 8);
	assert_cpus(board, "0-2\n");
	/* One that does not tell: some tools then take it for none. */
	board_says(board, RPC_FILE_READ, -ENOENT);
	assert_cpus(board, "0-2\n");
	board_says(board, RPC_FILE_READ, -EISDIR);
	assert_cpus(board, "0-2\n");
	board->run.board.possible_cpus = 1;
	says(board, "0-1\n", 4);
	assert_cpus(board, "0\n");
	board->run.board.possible_cpus = 0;
	says(board, "none\n", 5);
	assert_cpus(board, "0\n");
	/* What is said of other CPUs sizes nothing. */
	says(board, "0-7\n", 4);
	assert_contents(open_file(board->run.opener, "/sys/devices/system/cpu/online"), "0-7\n");
	board_stop(board);
}

static char directory[] = "/tmp/test_run_open.XXXXXX";
static char local[64], theirs[96]; /* a file in it, and what the board calls it */

static int setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(local, sizeof(local), "%s/file", directory);
	snprintf(theirs, sizeof(theirs), "/proc/400000/root%s", local);
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

static void says_stat(struct board *board, uint32_t mode, uint64_t size)
{
	const struct rpc_stat st = {.mode = mode, .size = size};

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
}

/* A program of the board that is here as well: only its first page is fetched. */
static void test_same(void **state)
{
	static const struct {
		uint32_t mode;
		uint64_t size;
	} others[] = {{S_IFREG, 5}, {S_IFREG, 0}, {S_IFDIR, 4}, {S_IFCHR, 4}};
	struct board *board = start();

	make_local("text");
	says_stat(board, S_IFREG | 0755, 4);
	says(board, "text", 4);
	assert_contents(open_file(board->run.opener, theirs), "text");
	says_stat(board, S_IFREG | 0755, 4);
	says(board, "tExt", 4); /* another build */
	says(board, "text", 4);
	assert_contents(open_file(board->run.opener, theirs), "text");
	assert_int_equal(board->count, 5);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		says_stat(board, others[i].mode, others[i].size);
		says(board, "theirs", 6);
		assert_contents(open_file(board->run.opener, theirs), "theirs");
	}
	unlink(local);
	board_stop(board);
}

/* Whether a FIFO is open for reading: then it can be opened for writing at once. */
static void look_at_fifo(void *arg)
{
	int fd = open(local, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	*(bool *)arg |= fd >= 0;
	if (fd >= 0)
		close(fd);
}

/* The board names what is no regular file here: it is not even opened, as a device may do something
 * then. */
static void test_device(void **state)
{
	struct board *board = start();
	bool opened = false;

	board->before = look_at_fifo;
	board->arg = &opened;
	assert_int_equal(mkfifo(local, 0600), 0);
	says(board, "theirs", 6);
	assert_contents(open_file(board->run.opener, theirs), "theirs");
	assert_false(opened);
	board->run.sysroot = directory;
	says(board, "theirs", 6);
	assert_contents(open_file(board->run.opener, "/proc/400000/root/file"), "theirs");
	assert_false(opened);
	assert_int_equal(open_program(board->run.opener, local), -EACCES);
	unlink(local);
	board_stop(board);
}

/* What is in the copy of the board's files is not asked for. */
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
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_sysroot),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
