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

#include "host-usb/run/files.h"
#include "tests/unit/run_test.h"

static struct board *start(void)
{
	struct board *board = board_start(NULL);

	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	assert_int_equal(files_new(&board->run.files, &board->run), 0);
	return board;
}

static void stop(struct board *board)
{
	files_free(board->run.files);
	board_stop(board);
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
	int fd = files_open(board->run.files, "/sys/devices/system/cpu/possible");

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
	assert_contents(files_open(board->run.files, "/sys/devices/system/cpu/online"), "0-7\n");
	stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_possible_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
