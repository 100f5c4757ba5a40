/* SPDX-License-Identifier: Apache-2.0 */
/* Tests small helpers of all programs: paths, printable text, standard files, clocks. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/base/printable.h"
#include "core/base/standard_files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/log_capture.h"

static void test_path_format(void **state)
{
	char path[PATH_MAX], longest[PATH_MAX];

	memset(longest, 'a', sizeof(longest));
	longest[PATH_MAX - 1] = '\0';
	assert_int_equal(path_format(path, "%s/%d", "/proc", 12), 0);
	assert_string_equal(path, "/proc/12");
	assert_int_equal(path_format(path, "%s", longest), 0);
	assert_int_equal(strlen(path), PATH_MAX - 1);
	assert_int_equal(path_format(path, "%sa", longest), -ENAMETOOLONG);
	assert_string_equal(path, "");
}

static void test_printable(void **state)
{
	char ascii[] = "a\tb\x7f\xc3\xa4~ \n\0c", text[] = "a\tb\x7f\xc3\xa4~ \n\0c";

	printable_ascii(ascii, sizeof(ascii) - 1);
	assert_string_equal(ascii, "a?b???~ ??c");
	printable_text(text, sizeof(text) - 1);
	assert_string_equal(text, "a?b?\xc3\xa4~ ??c");
	/* U+009B begins an escape sequence, U+00A0 does not. */
	strcpy(text, "\xc2\x9b\xc2\xa0\xc2\x80\xe2\x82\xac");
	printable_text(text, strlen(text));
	assert_string_equal(text, "??\xc2\xa0??\xe2\x82\xac");
}

/* Names in the log may come from another machine. */
static void test_log_is_printable(void **state)
{
	log_begin();
	log_error("%s: no such file", "/sys/x\33]0;title\a\33[2J\n\xc2\x9b\x32J");
	assert_string_equal(log_end(), "bpfd: /sys/x?]0;title??[2J???2J: no such file\n");
}

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* What hosts without a session cause is limited, and what is missing is counted. */
static void test_log_limit(void **state)
{
	const char *text;

	log_open("test", LOG_DEBUG);
	log_begin();
	log_limit(true);
	for (int i = 0; i < 100; i++)
		log_debug("not counted");
	text = log_end();
	assert_int_equal(count_lines(text), 100);

	log_open("test", LOG_INFO);
	log_begin();
	for (int i = 0; i < 1000; i++)
		log_warning("key refused: %d", i);
	log_debug("nobody reads this");
	log_limit(false);
	text = log_end();
	assert_in_range(count_lines(text), LOG_BURST, LOG_BURST + 1); /* +1: on a slow machine */
	assert_non_null(strstr(text, "test: key refused: 0\n"));
	assert_null(strstr(text, "key refused: 999\n"));

	log_begin();
	log_info("admitted");
	for (int i = 0; i < 100; i++)
		log_info("not limited");
	text = log_end();
	assert_int_equal(count_lines(text), 102);
	assert_memory_equal(text, "test: log: 9", 12); /* 960 or 959 */
	assert_non_null(strstr(text, " lines left out: hosts without a session caused too many\n"
				     "test: admitted\n"));
}

/* Runs in a process of its own. Returns the number of the check that failed, or 0. */
static int fill_closed_files(int flags)
{
	char byte;
	int fd;

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	if (standard_files_open(flags))
		return 1;
	if (read(STDIN_FILENO, &byte, 1) != 0)
		return 2;
	if (write(STDOUT_FILENO, "x", 1) != -1 || errno != EBADF)
		return 3;
	if (!(fcntl(STDIN_FILENO, F_GETFD) & FD_CLOEXEC) != !flags)
		return 4;
	if (fcntl(STDERR_FILENO, F_GETFD) & FD_CLOEXEC)
		return 5; /* stderr was open: its flags must stay */
	fd = open("/dev/null", O_RDONLY);
	return fd > STDERR_FILENO ? 0 : 6;
}

static void test_standard_files(void **state)
{
	static const int flags[] = {0, O_CLOEXEC};
	int status;

	for (size_t i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(fill_closed_files(flags[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void test_timeout(void **state)
{
	uint64_t now_ms = clock_boottime_ms();
	int timeout;

	assert_int_equal(clock_boottime_timeout(UINT64_MAX), -1);
	assert_int_equal(clock_boottime_timeout(now_ms), 0);
	assert_int_equal(clock_boottime_timeout(0), 0);
	assert_int_equal(clock_boottime_timeout(now_ms + 86400000), CLOCK_TIMEOUT_MAX_MS);
	timeout = clock_boottime_timeout(now_ms + 50000);
	assert_true(timeout > 0 && timeout <= 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_format),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_log_is_printable),
		cmocka_unit_test(test_log_limit),
		cmocka_unit_test(test_standard_files),
		cmocka_unit_test(test_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
