/* SPDX-License-Identifier: Apache-2.0 */
/* Splits a command line into fields, and reads their values. */
#include "core/bpfd/text/args.h"

#include "core/base/base64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int args_init(struct args *args, unsigned int max)
{
	memset(args, 0, sizeof(*args));
	args->fields = calloc(max, sizeof(*args->fields));
	if (!args->fields)
		return -ENOMEM;
	args->max = max;
	return 0;
}

void args_free(struct args *args)
{
	free(args->fields);
}

int args_split(struct args *args, char *line, size_t len)
{
	char *at = line, *end = line + len, *space;

	args->count = 0;
	args->wrong = NULL;
	if (memchr(line, 0, len))
		return -EILSEQ;
	*end = 0;
	for (;;) {
		while (*at == ' ')
			at++;
		if (at == end)
			return 0;
		if (args->count == args->max)
			return -E2BIG;
		space = memchr(at, ' ', (size_t)(end - at));
		if (!space)
			space = end;
		args->fields[args->count].text = at;
		args->fields[args->count++].len = (size_t)(space - at);
		if (space == end)
			return 0;
		*space = 0;
		at = space + 1;
	}
}

void args_refuse(struct args *args, unsigned int field, const char *why)
{
	if (args->wrong)
		return;
	args->wrong = why;
	args->wrong_field = field;
}

const char *args_text(struct args *args, unsigned int field)
{
	if (field < args->count)
		return args->fields[field].text;
	args_refuse(args, field, "missing");
	return "";
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Not strtoull: it accepts signs, spaces and octal, and is slower for short numbers. */
static int parse_unsigned(const char *text, uint64_t *value)
{
	int base = 10, digit;
	uint64_t n = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		digit = digit_value(*text);
		if (digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
			__builtin_add_overflow(n, (uint64_t)digit, &n))
			return -ERANGE;
	}
	*value = n;
	return 0;
}

static int parse_signed(const char *text, int64_t *value)
{
	int negative = *text == '-', err;
	uint64_t n;

	err = parse_unsigned(text + negative, &n);
	if (err)
		return err;
	if (n > (uint64_t)INT64_MAX + (uint64_t)negative)
		return -ERANGE;
	*value = negative ? (int64_t)(0 - n) : (int64_t)n;
	return 0;
}

/* Whether a number was parsed and lies in its range; if not, notes why. */
static bool is_accepted(struct args *args, unsigned int field, int err, bool in_range)
{
	if (err == -EINVAL)
		args_refuse(args, field, "not a number");
	else if (err || !in_range)
		args_refuse(args, field, "out of range");
	return !args->wrong;
}

uint64_t args_unsigned(struct args *args, unsigned int field, uint64_t min, uint64_t max)
{
	const char *text = args_text(args, field);
	uint64_t value = 0;
	int err;

	if (args->wrong)
		return 0;
	err = parse_unsigned(text, &value);
	return is_accepted(args, field, err, value >= min && value <= max) ? value : 0;
}

int64_t args_signed(struct args *args, unsigned int field, int64_t min, int64_t max)
{
	const char *text = args_text(args, field);
	int64_t value = 0;
	int err;

	if (args->wrong)
		return 0;
	err = parse_signed(text, &value);
	return is_accepted(args, field, err, value >= min && value <= max) ? value : 0;
}

int64_t args_handle(struct args *args, unsigned int field)
{
	return args_signed(args, field, INT64_MIN, INT64_MAX);
}

bool args_is_number(const struct args *args, unsigned int field)
{
	uint64_t value;

	return field < args->count && parse_unsigned(args->fields[field].text, &value) == 0;
}

void *args_base64(struct args *args, unsigned int field, size_t size)
{
	char *text = (char *)args_text(args, field);
	ssize_t decoded;

	if (args->wrong)
		return NULL;
	decoded = base64_decode(text, text, args->fields[field].len);
	if (decoded < 0)
		args_refuse(args, field, "not base64");
	else if ((size_t)decoded != size)
		args_refuse(args, field, "not of the stated length");
	return args->wrong ? NULL : text;
}

const char *args_join(struct args *args, unsigned int first, unsigned int last)
{
	char *text = (char *)args_text(args, first), *end;

	args_text(args, last);
	if (args->wrong || last <= first)
		return text;
	end = args->fields[last].text;
	for (char *at = text; at < end; at++)
		if (!*at)
			*at = ' ';
	return text;
}
