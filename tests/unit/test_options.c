/* SPDX-License-Identifier: Apache-2.0 */
/* Tests options from a table: parsing, --help, and the format of numbers. */
#include "core/base/options.h"

#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { COLOUR = 256 };

static const struct option_spec table[] = {
	{'n', "name", "NAME", "whose"},
	{COLOUR, "colour", "[WHEN]", "whether"},
	{'l', "list", NULL, "all of them"},
	OPTIONS_COMMON,
};

static int next(const char *const *argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return options_next(argc, (char *const *)argv, table);
}

static void test_next(void **state)
{
	static const char *const argv[] = {"program", "-lq", "--name", "a", "-nb", "--colour",
		"--colour=never", "--li", "rest", "-l", NULL};

	optind = 0;
	assert_int_equal(next(argv), 'l');
	assert_int_equal(next(argv), 'q');
	assert_int_equal(next(argv), 'n');
	assert_string_equal(optarg, "a");
	assert_int_equal(next(argv), 'n');
	assert_string_equal(optarg, "b");
	assert_int_equal(next(argv), COLOUR);
	assert_null(optarg);
	assert_int_equal(next(argv), COLOUR);
	assert_string_equal(optarg, "never");
	assert_int_equal(next(argv), 'l');
	assert_int_equal(next(argv), -1);
	assert_string_equal(argv[optind], "rest");
}

static void test_wrong(void **state)
{
	static const char *const unknown[] = {"program", "--nothing", NULL};
	static const char *const none[] = {"program", "-n", NULL};

	opterr = 0;
	optind = 0;
	assert_int_equal(next(unknown), '?');
	optind = 0;
	assert_int_equal(next(none), '?');
	opterr = 1;
}

static void test_help(void **state)
{
	static const char wanted[] = "Usage\n\nOptions:\n"
				     "  -n, --name NAME           whose\n"
				     "      --colour[=WHEN]       whether\n"
				     "  -l, --list                all of them\n";
	int own = dup(STDOUT_FILENO), file = memfd_create("help", MFD_CLOEXEC);
	char text[2000] = "";

	fflush(stdout);
	assert_true(own >= 0 && file >= 0 && dup2(file, STDOUT_FILENO) >= 0);
	options_help("Usage", table);
	fflush(stdout);
	dup2(own, STDOUT_FILENO);
	close(own);
	assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
	close(file);
	assert_memory_equal(text, wanted, strlen(wanted));
	assert_non_null(strstr(text, "\n  -h, --help "));
}

static void test_number(void **state)
{
	static const char *const wrong[] = {
		"", "-1", " 1", "1 ", "0x", "1x", "99999999999999999999999", "4", "21", "0x15"};
	uint64_t value = 7;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(options_number(wrong[i], 5, 20, &value), -EINVAL);
	assert_int_equal(value, 7);
	assert_int_equal(options_number("20", 5, 20, &value), 0);
	assert_int_equal(value, 20);
	assert_int_equal(options_number("0x0A", 5, 20, &value), 0);
	assert_int_equal(value, 10);
	assert_int_equal(options_number("010", 5, 20, &value), 0); /* not octal */
	assert_int_equal(value, 10);
}

static void test_common(void **state)
{
	const struct option_program program = {"program", "Usage: program", table};
	struct option_verbosity verbosity = {0};

	assert_int_equal(options_log_level(&verbosity), LOG_INFO);
	assert_int_equal(options_take_common(&program, 'v', &verbosity), 0);
	assert_int_equal(options_take_common(&program, 'v', &verbosity), 0);
	assert_int_equal(verbosity.verbose, 2);
	assert_int_equal(options_log_level(&verbosity), LOG_DEBUG);
	assert_int_equal(options_take_common(&program, 'q', &verbosity), 0);
	assert_int_equal(options_log_level(&verbosity), LOG_ERROR);
	assert_int_equal(options_take_common(&program, 'v', &verbosity), 0);
	assert_int_equal(verbosity.verbose, 1);
	assert_int_equal(options_log_level(&verbosity), LOG_DEBUG);
	assert_int_equal(options_take_common(&program, 'n', &verbosity), -EINVAL);
	assert_int_equal(options_take_common(&program, '?', &verbosity), -EINVAL);
	assert_int_equal(options_take_common(&program, COLOUR, &verbosity), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_common),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
