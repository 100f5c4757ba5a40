/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the daemon's configuration file: settings that are taken, and errors with their line. */
#include "core/base/log.h"
#include "gadget/settings.h"

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

enum { NAME = 300, COUNT, REFUSED };

static const struct option_spec table[] = {
	{NAME, "name", "TEXT", ""},
	{COUNT, "count-of-it", "N", ""},
	{REFUSED, "refused", "N", ""},
	OPTIONS_COMMON,
};

static char path[] = "/tmp/test_settings.XXXXXX";
static char taken[1024]; /* "id=value;" of each setting */
static char logged[1024];

/* Replaces the function of the library and keeps its message. */
void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	assert_int_equal(level, LOG_ERROR);
	va_start(args, format);
	vsnprintf(logged, sizeof(logged), format, args);
	va_end(args);
}

static int take(void *arg, int id, char *value)
{
	size_t length = strlen(taken);

	assert_ptr_equal(arg, taken);
	snprintf(taken + length, sizeof(taken) - length, "%d=%s;", id, value);
	return id == REFUSED ? -EINVAL : 0;
}

static int run(const void *data, size_t size)
{
	FILE *file = fopen(path, "w");
	char *text = (char *)1;
	int err;

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
	taken[0] = logged[0] = '\0';
	err = settings_read(path, table, take, taken, &text);
	assert_true(err ? !text && logged[0] : text != NULL && !logged[0]);
	free(text);
	return err;
}

static void assert_taken(const char *data, const char *wanted)
{
	assert_int_equal(run(data, strlen(data)), 0);
	assert_string_equal(taken, wanted);
}

static void assert_wrong(const char *data, size_t size, unsigned int line, const char *why)
{
	char wanted[256];

	assert_int_equal(run(data, size), -EINVAL);
	snprintf(wanted, sizeof(wanted), "%s:%u: %s", path, line, why);
	assert_string_equal(logged, wanted);
}

static void test_valid_lines(void **state)
{
	assert_taken("", "");
	assert_taken("\n\n  \n# comment = 1\n  # another", "");
	assert_taken("name=a", "300=a;");
	assert_taken("name = a b = c # d \r\n\tcount-of-it\t=\t5\t\n", "300=a b = c # d;301=5;");
	assert_taken("name=1\nname=2\n", "300=1;300=2;"); /* in order */
}

static void test_wrong_lines(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *why;
	} cases[] = {
		{"name", 1, "not NAME = VALUE"},
		{"\n#\nname a\n", 3, "not NAME = VALUE"},
		{"name =\n", 1, "no value"},
		{"name = \t\r\n", 1, "no value"},
		{"= a\n", 1, "no such setting"},
		{"Name = a\n", 1, "no such setting"},
		{"names = a\n", 1, "no such setting"},
		{"name=a\nverbose = yes\n", 2,
			"no such setting"}, /* an option without an argument */
		{"help = yes\n", 1, "no such setting"},
		{"name=a\n\nrefused = 1\nname=b", 3, "bad value"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_wrong(cases[i].text, strlen(cases[i].text), cases[i].line, cases[i].why);
	assert_wrong("name=a\nna\0me=b\n", 14, 2, "a NUL byte");
	assert_wrong("\0", 1, 1, "a NUL byte");
}

static void test_size_limit(void **state)
{
	char *data = malloc(SETTINGS_SIZE_MAX + 1);

	assert_non_null(data);
	memset(data, '#', SETTINGS_SIZE_MAX + 1);
	assert_int_equal(run(data, SETTINGS_SIZE_MAX), 0);
	assert_int_equal(run(data, SETTINGS_SIZE_MAX + 1), -EFBIG);
	free(data);
}

static void test_no_file(void **state)
{
	char *text;

	logged[0] = '\0';
	assert_int_equal(settings_read("/nonexistent/file", table, take, taken, &text), -ENOENT);
	assert_null(text);
	assert_string_equal(logged, "");
	assert_int_equal(settings_read("/", table, take, taken, &text), -EISDIR);
	assert_null(text);
	assert_string_equal(logged, "/: Is a directory");
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_lines),
		cmocka_unit_test(test_wrong_lines),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
