/* SPDX-License-Identifier: Apache-2.0 */
/* Checks files of lines, in place: a line is kept, cut or dropped.
 *
 * BCC, bpftrace and libbpf read lines of /proc/PID/maps into buffers of 4096 bytes, without a
 * limit. A process of the board chooses the paths in its maps: /proc shows a newline in a path as
 * four bytes, so a line can have 16 KiB. */
#include "host-usb/run/files/lines.h"

#include "core/base/log.h"
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
static size_t keep_mapping(const char *line, size_t size)
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
static size_t keep_field(const char *line, size_t size)
{
	if (size && isupper((unsigned char)line[0]))
		return size <= FIELD_MAX && memchr(line, ':', size) && is_printable(line, size)
			       ? size
			       : DROP;
	return keep_mapping(line, size);
}

/* A name of a process can contain any byte; tools print it. */
static size_t keep_comm(const char *line, size_t size)
{
	const char *nul = memchr(line, 0, size);

	size = nul ? (size_t)(nul - line) : size;
	return size <= COMM_MAX ? size : COMM_MAX;
}

/* A line of kallsyms: address, type, name, and for symbols of modules a tab and "[module]". */
static size_t keep_symbol(const char *line, size_t size)
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

typedef size_t keep_function(const char *line, size_t size);

static keep_function *function_of(const char *path)
{
	if (!path_is_in_proc(path))
		return NULL;
	if (strcmp(path, "/proc/kallsyms") == 0)
		return keep_symbol;
	if (strstr(path, "/root/")) /* a file of the process's root, not of /proc */
		return NULL;
	if (path_is_of_process(path, "/maps"))
		return keep_mapping;
	if (path_is_of_process(path, "/smaps") || path_is_of_process(path, "/smaps_rollup"))
		return keep_field;
	return path_is_of_process(path, "/comm") ? keep_comm : NULL;
}

/* Moves what is kept to the front and returns its size. *changed: how many lines are not whole. */
static size_t filter(char *data, size_t size, keep_function *keep, size_t *changed)
{
	char *to = data, *line = data, *end = data + size;

	*changed = 0;
	while (line < end) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((newline ? newline : end) - line);
		size_t kept = keep(line, length);

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
	keep_function *keep = function_of(path);
	size_t size, kept, changed;
	struct stat st;
	char *data;
	int err = 0;

	if (!keep)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	size = (size_t)st.st_size;
	if (!size)
		return 0;
	/* A private copy: few files change, and not all file systems share writable memory. */
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	kept = filter(data, size, keep, &changed);
	if (changed) {
		log_warning("%s: lines that are too long or malformed were cut or dropped: %zu",
			path, changed);
		err = write_back(fd, data, kept);
	}
	munmap(data, size);
	return err;
}
