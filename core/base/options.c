/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a program from a table. */
#include "core/base/options.h"

#include "core/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int argument_kind(const struct option_spec *spec)
{
	if (!spec->argument)
		return no_argument;
	return spec->argument[0] == '[' ? optional_argument : required_argument;
}

int options_next(int argc, char *const *argv, const struct option_spec *table)
{
	struct option longs[OPTIONS_MAX + 1] = {{NULL, 0, NULL, 0}};
	char shorts[1 + 3 * OPTIONS_MAX + 1] = "+", *s = shorts + 1;
	int n = 0;

	for (const struct option_spec *spec = table; spec->name && n < OPTIONS_MAX; spec++, n++) {
		int kind = argument_kind(spec);

		longs[n] = (struct option){spec->name, kind, NULL, spec->id};
		if (spec->id > 255)
			continue;
		*s++ = (char)spec->id;
		for (int i = 0; i < kind; i++) /* "x", "x:" or "x::" */
			*s++ = ':';
	}
	return getopt_long(argc, argv, shorts, longs, NULL);
}

void options_help(const char *usage, const struct option_spec *table)
{
	char left[64];
	int n;

	printf("%s\n\nOptions:\n", usage);
	for (const struct option_spec *spec = table; spec->name; spec++) {
		n = spec->id > 255
			    ? snprintf(left, sizeof(left), "      --%s", spec->name)
			    : snprintf(left, sizeof(left), "  -%c, --%s", spec->id, spec->name);
		if (argument_kind(spec) == required_argument)
			snprintf(left + n, sizeof(left) - (size_t)n, " %s", spec->argument);
		else if (argument_kind(spec) == optional_argument)
			snprintf(left + n, sizeof(left) - (size_t)n, "[=%.*s]",
				(int)strlen(spec->argument) - 2, spec->argument + 1);
		printf("%-27s %s\n", left, spec->help);
	}
}

int options_take_common(
	const struct option_program *program, int id, struct option_verbosity *verbosity)
{
	switch (id) {
	case 'v':
		verbosity->verbose++;
		verbosity->quiet = false;
		return 0;
	case 'q':
		*verbosity = (struct option_verbosity){.quiet = true};
		return 0;
	case 'h':
		options_help(program->usage, program->options);
		return 1;
	case 'V':
		printf("%s %s\n", program->name, BPFD_USB_VERSION);
		return 1;
	default:
		return -EINVAL;
	}
}

int options_flush(void)
{
	int err;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	err = errno ? -errno : -EIO;
	log_error("stdout: %s", strerror(-err));
	return err;
}

enum log_level options_log_level(const struct option_verbosity *verbosity)
{
	if (verbosity->quiet)
		return LOG_ERROR;
	return verbosity->verbose ? LOG_DEBUG : LOG_INFO;
}

int options_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL; /* strtoull takes signs and spaces */
	errno = 0;
	n = strtoull(text, &end, text[1] == 'x' || text[1] == 'X' ? 16 : 10);
	if (errno || *end || n < min || n > max)
		return -EINVAL;
	*value = n;
	return 0;
}
