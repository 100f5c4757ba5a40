/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's log as the text that syslog(2) reads. */
#include "host-usb/run/files/log_text.h"

#include "host-usb/run/objects/records.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the value of an escape, \xNN. Returns -1 if there is none. */
static int unescape(const char *at, const char *end)
{
	const char digits[] = {at + 3 < end ? at[2] : 0, at + 3 < end ? at[3] : 0, 0};

	if (end - at < 4 || at[1] != 'x' || !isxdigit((unsigned char)digits[0]) ||
		!isxdigit((unsigned char)digits[1]))
		return -1;
	return (int)strtol(digits, NULL, 16);
}

/* Writes a message of one or more lines. `at` is its text, escaped, up to `end`. */
static void put_message(FILE *out, const char *prefix, const char *at, const char *end)
{
	int value;

	fputs(prefix, out);
	while (at < end) {
		value = *at == '\\' ? unescape(at, end) : -1;
		at += value < 0 ? 1 : 4;
		value = value < 0 ? (unsigned char)at[-1] : value;
		fputc(value, out);
		if (value == '\n')
			fputs(prefix, out);
	}
	fputc('\n', out);
}

/* A record is "priority,sequence,microseconds,flags;text", and more fields before the semicolon in
 * later kernels. Lines of properties follow. */
static void put_record(FILE *out, const char *record, size_t size, bool times)
{
	const char *end = memchr(record, '\n', size), *text = memchr(record, ';', size);
	unsigned long long us = 0;
	unsigned int priority = 0;
	char head[100], prefix[64];

	if (!end || !text || text > end)
		return;
	snprintf(head, sizeof(head), "%.*s", (int)(text - record), record);
	if (sscanf(head, "%u,%*u,%llu", &priority, &us) != 2)
		return;
	if (times)
		snprintf(prefix, sizeof(prefix), "<%u>[%5llu.%06llu] ", priority, us / 1000000,
			us % 1000000);
	else
		snprintf(prefix, sizeof(prefix), "<%u>", priority);
	put_message(out, prefix, text + 1, end);
}

int log_text(const char *records, size_t size, bool times, char **text, size_t *length)
{
	FILE *out = open_memstream(text, length);
	size_t record;
	bool failed;

	if (!out)
		return -ENOMEM;
	for (; (record = record_log_size(records, size)); records += record, size -= record)
		put_record(out, records, record, times);
	failed = ferror(out);
	if (fclose(out) == 0 && !failed)
		return 0;
	free(*text);
	return -ENOMEM;
}

const char *log_text_end(const char *text, size_t *length, size_t room)
{
	const char *from = text, *line;

	if (*length > room) {
		/* The first line that begins at or after this place. */
		from = text + *length - room;
		line = from[-1] == '\n' ? from : memchr(from, '\n', room);
		from = !line ? text + *length : line == from ? from : line + 1;
	}
	*length -= (size_t)(from - text);
	return from;
}
