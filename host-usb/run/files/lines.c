/* SPDX-License-Identifier: Apache-2.0 */
/* Checks files of lines, in place: a line is kept, cut or dropped.
 *
 * BCC, bpftrace and libbpf read lines of /proc/PID/maps into buffers of 4096 bytes, without a
 * limit. A process of the board chooses the paths in its maps: /proc shows a newline in a path as
 * four bytes, so a line can have 16 KiB. */
#include "host-usb/run/files/lines.h"

#include "core/base/log.h"
#include "core/messages/file_tree.h"
#include "host-usb/run/files/path.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPS_LINE_MAX 4094 /* bytes: with newline and NUL they fill the buffers of tools */
#define FIELD_MAX     128  /* bytes of a line of smaps that is not a mapping */
#define COMM_MAX      63   /* bytes; the kernel's limit for the names of its workers */
#define SYMBOL_MAX    255  /* bytes; libbpf-tools have buffers of 256, the kernel allows 511 */
#define MODULE_MAX    64   /* bytes of a module's name in brackets */
#define EVENT_MAX     255  /* bytes of the group and name of an event; of probes: 127 */
#define FORMAT_MAX    (256U << 10) /* bytes of the description of an event */
#define RECORD_MAX    8192	   /* bytes of a record, PERF_MAX_TRACE_SIZE of the kernel */
#define FIELD_TEXT    256	   /* bytes of a field's type and name */
#define HEAD_MAX      128	   /* bytes of the lines with name and number of an event */
#define PRINT_MAX     (16U << 10)  /* bytes; longer ones overflow the stack of libtraceevent */

#define DROP SIZE_MAX /* instead of the number of bytes of a line to keep */

/* The rest of a line. */
struct text {
	const char *at, *end;
};

static bool take(struct text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static bool take_text(struct text *text, const char *expected)
{
	size_t length = strlen(expected);

	if ((size_t)(text->end - text->at) < length || memcmp(text->at, expected, length) != 0)
		return false;
	text->at += length;
	return true;
}

/* Takes a number of at most `max` digits that the kernel writes in this base. */
static bool take_digits(struct text *text, int max, bool is_hex, uint64_t *value)
{
	int n = 0;

	for (*value = 0; text->at < text->end && n < max; text->at++, n++) {
		char c = *text->at;
		unsigned int digit;

		if (isdigit((unsigned char)c))
			digit = (unsigned int)(c - '0');
		else if (is_hex && c >= 'a' && c <= 'f')
			digit = (unsigned int)(c - 'a') + 10;
		else
			break;
		*value = *value * (is_hex ? 16 : 10) + digit;
	}
	return n > 0;
}

static bool take_permissions(struct text *text)
{
	static const char *const allowed[] = {"r-", "w-", "x-", "sp"};

	for (int i = 0; i < 4; i++, text->at++)
		if (text->at == text->end || !*text->at || !strchr(allowed[i], *text->at))
			return false;
	return true;
}

/* Returns how many bytes of a line of /proc/PID/maps to keep. A mapping whose path is too
 * long loses the path: part of it would name another file. */
static size_t keep_mapping(const char *line, size_t size, uint64_t *state)
{
	struct text text = {line, line + size};
	uint64_t from, to, other;

	if (!take_digits(&text, 16, true, &from) || !take(&text, '-') ||
		!take_digits(&text, 16, true, &to) || from >= to || !take(&text, ' ') ||
		!take_permissions(&text) || !take(&text, ' ') ||
		!take_digits(&text, 16, true, &other) || !take(&text, ' ') ||
		!take_digits(&text, 8, true, &other) || !take(&text, ':') ||
		!take_digits(&text, 8, true, &other) || !take(&text, ' ') ||
		!take_digits(&text, 20, false, &other))
		return DROP;
	if (text.at == text.end)
		return size;
	if (*text.at != ' ' || memchr(line, 0, size))
		return DROP;
	return size <= MAPS_LINE_MAX ? size : (size_t)(text.at - line);
}

static bool is_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

/* A line of smaps is a mapping, or a field such as "Rss:  4 kB". */
static size_t keep_field(const char *line, size_t size, uint64_t *state)
{
	if (size && isupper((unsigned char)line[0]))
		return size <= FIELD_MAX && memchr(line, ':', size) && is_printable(line, size)
			       ? size
			       : DROP;
	return keep_mapping(line, size, state);
}

/* A name of a process can contain any byte; tools print it. */
static size_t keep_comm(const char *line, size_t size, uint64_t *state)
{
	const char *nul = memchr(line, 0, size);

	size = nul ? (size_t)(nul - line) : size;
	return size <= COMM_MAX ? size : COMM_MAX;
}

/* A line of kallsyms: address, type, name, and for symbols of modules a tab and "[module]". */
static size_t keep_symbol(const char *line, size_t size, uint64_t *state)
{
	struct text text = {line, line + size};
	const char *name, *tab;
	uint64_t address;
	size_t length;

	if (!take_digits(&text, 16, true, &address) || !take(&text, ' ') || text.at == text.end ||
		!(isalpha((unsigned char)*text.at) || *text.at == '?'))
		return DROP;
	text.at++;
	name = text.at + 1;
	if (!take(&text, ' ') || name == text.end)
		return DROP;
	tab = memchr(name, '\t', (size_t)(text.end - name));
	length = (size_t)((tab ? tab : text.end) - name);
	if (!length || memchr(name, ' ', length) || !is_printable(name, length) ||
		(tab && (text.end - tab > MODULE_MAX + 3 || tab[1] != '[' || text.end[-1] != ']' ||
				!is_printable(tab + 1, (size_t)(text.end - tab - 1)))))
		return DROP;
	return length <= SYMBOL_MAX ? size : (size_t)(name + SYMBOL_MAX - line);
}

/* A function that can be traced: its name, and for functions of modules a blank and "[module]". In
 * one of the lists an address precedes the name. */
static size_t keep_function_name(const char *line, size_t size, uint64_t *state)
{
	const char *bracket = memchr(line, '[', size), *end = bracket ? bracket - 1 : line + size;
	const char *blank = memchr(line, ' ', size);
	struct text text = {line, line + size};
	uint64_t address;

	if (!is_printable(line, size) ||
		(bracket && (bracket == line || *end != ' ' || line[size - 1] != ']' ||
				    size - (size_t)(bracket - line) > MODULE_MAX + 2)))
		return DROP;
	if (blank && blank < end) {
		if (!take_digits(&text, 16, true, &address) || !take(&text, ' '))
			return DROP;
		line = text.at;
	}
	return end > line && end - line <= SYMBOL_MAX && !memchr(line, ' ', (size_t)(end - line))
		       ? size
		       : DROP;
}

/* An event: "group:name". Tools print it. */
static size_t keep_event(const char *line, size_t size, uint64_t *state)
{
	const char *colon = memchr(line, ':', size);

	return colon && is_printable(line, size) && !memchr(line, ' ', size) && size <= EVENT_MAX
		       ? size
		       : DROP;
}

/* BCC and bpftrace put type and name of a field into source code. No directive, comment, string or
 * second declaration must begin there. */
static bool is_declaration(const char *text, size_t size)
{
	static const char also[] = " _*[]()+-/<>,.";

	if (!size || size > FIELD_TEXT)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!text[i] || !(isalnum((unsigned char)text[i]) || strchr(also, text[i])) ||
			(i && text[i - 1] == '/' && (text[i] == '/' || text[i] == '*')))
			return false;
	return true;
}

/* A field of an event. It begins at `*end`, where the one before ends, or later: bpftrace declares
 * each byte between them. */
static bool is_event_field(struct text text, uint64_t *end)
{
	uint64_t offset, size, is_signed;
	const char *semicolon;

	semicolon = memchr(text.at, ';', (size_t)(text.end - text.at));
	if (!semicolon || !is_declaration(text.at, (size_t)(semicolon - text.at)))
		return false;
	text.at = semicolon;
	if (!take_text(&text, ";\toffset:") || !take_digits(&text, 5, false, &offset) ||
		!take_text(&text, ";\tsize:") || !take_digits(&text, 5, false, &size) ||
		!take_text(&text, ";\tsigned:") || !take_digits(&text, 1, false, &is_signed) ||
		!take_text(&text, ";") || text.at != text.end || offset < *end ||
		offset + size > RECORD_MAX)
		return false;
	*end = offset + size;
	return true;
}

/* The text of an event can have line feeds and tabs. *state: its bytes so far, in the upper half.
 */
static size_t keep_print(const char *line, size_t size, uint64_t *state)
{
	*state += (uint64_t)(size + 1) << 32;
	for (size_t i = 0; i < size; i++)
		if (line[i] != '\t' && !is_printable(line + i, 1))
			return DROP;
	return *state >> 32 <= PRINT_MAX ? size : DROP;
}

/* A line of the description of an event: its name or number, a field, or how to print it, which
 * comes last. Tools look for fields anywhere in a line. *state: the end of the last field, and see
 * keep_print(). */
static size_t keep_format(const char *line, size_t size, uint64_t *state)
{
	struct text text = {line, line + size};
	bool is_text = *state >> 32 || take_text(&text, "print fmt: ");

	if (!is_text && take_text(&text, "\tfield:"))
		return is_event_field(text, state) ? size : DROP;
	if (memmem(line, size, "field:", strlen("field:")))
		return DROP;
	if (is_text)
		return keep_print(line, size, state);
	return size <= HEAD_MAX && is_printable(line, size) ? size : DROP;
}

/* Returns how many bytes of a line to keep. *state is 0 for the first line of a file, and is kept
 * from line to line. */
typedef size_t keep_function(const char *line, size_t size, uint64_t *state);

struct kind {
	keep_function *keep;
	size_t max; /* bytes of a file; 0: not limited here */
};

static const struct kind mapping = {keep_mapping, 0}, field = {keep_field, 0},
			 comm = {keep_comm, 0}, symbol = {keep_symbol, 0},
			 function = {keep_function_name, 0}, event = {keep_event, 0},
			 format = {keep_format, FORMAT_MAX};

static const struct kind *kind_of_tracefs(const char *path)
{
	if (path_is_of_tracefs(path, "available_filter_functions") ||
		path_is_of_tracefs(path, "available_filter_functions_addrs"))
		return &function;
	if (path_is_of_tracefs(path, "available_events"))
		return &event;
	return path_has_end(path, "/format") && strstr(path, "/events/") ? &format : NULL;
}

static const struct kind *kind_of(const char *path)
{
	if (file_tree_tracefs(path))
		return kind_of_tracefs(path);
	if (!path_is_in_proc(path))
		return NULL;
	if (strcmp(path, "/proc/kallsyms") == 0)
		return &symbol;
	if (strstr(path, "/root/")) /* a file of the process's root, not of /proc */
		return NULL;
	if (path_is_of_process(path, "/maps"))
		return &mapping;
	if (path_is_of_process(path, "/smaps") || path_is_of_process(path, "/smaps_rollup"))
		return &field;
	return path_is_of_process(path, "/comm") ? &comm : NULL;
}

/* Moves what is kept to the front and returns its size. *changed: how many lines are not whole. */
static size_t filter(char *data, size_t size, const struct kind *kind, size_t *changed)
{
	char *to = data, *line = data, *end = data + size;
	uint64_t state = 0;

	*changed = 0;
	while (line < end) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);
		size_t kept = kind->keep(line, length, &state);

		*changed += kept != length;
		if (kept != DROP) {
			if (to != line)
				memmove(to, line, kept);
			to += kept;
			if (newline)
				*to++ = '\n';
		}
		line += length + 1;
	}
	return (size_t)(to - data);
}

static int write_back(int fd, const char *data, size_t size)
{
	size_t done = 0;
	ssize_t n = 0;

	for (; done < size && n >= 0; done += (size_t)n)
		n = pwrite(fd, data + done, size - done, (off_t)done);
	return n < 0 || ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int lines_check(const char *path, int fd)
{
	const struct kind *kind = kind_of(path);
	size_t size, kept, changed;
	struct stat st;
	char *data;
	int err = 0;

	if (!kind)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	size = (size_t)st.st_size;
	if (!size)
		return 0;
	if (kind->max && size > kind->max) {
		log_error("%s: refused: longer than the kernel makes it: %zu bytes", path, size);
		return -EIO;
	}
	/* A private copy: few files change, and not all file systems share writable memory. */
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	kept = filter(data, size, kind, &changed);
	if (changed) {
		log_warning("%s: lines that are too long or malformed were cut or dropped: %zu",
			path, changed);
		err = write_back(fd, data, kept);
	}
	munmap(data, size);
	return err;
}
