/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the daemon's configuration file. */
#include "gadget/settings.h"

#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BLANKS " \t\r"

static int read_text(const char *path, char **text, size_t *size)
{
	char *data = malloc(SETTINGS_SIZE_MAX + 1);
	int fd, err = 0;
	ssize_t n = 0;

	if (!data)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		err = -errno;
	for (*size = 0; !err && *size <= SETTINGS_SIZE_MAX; *size += (size_t)n) {
		n = read(fd, data + *size, SETTINGS_SIZE_MAX + 1 - *size);
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
	}
	if (fd >= 0)
		close(fd);
	if (!err && *size > SETTINGS_SIZE_MAX)
		err = -EFBIG;
	if (err) {
		free(data);
		return err;
	}
	data[*size] = '\0';
	*text = data;
	return 0;
}

static const struct option_spec *find(const struct option_spec *table, const char *name)
{
	for (; table->name; table++)
		if (table->argument && strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

/* Removes the blanks at both ends. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, LINE_BLANKS);
	length = strlen(text);
	while (length && strchr(LINE_BLANKS, text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

/* Returns what is wrong with the line, or NULL. */
static const char *take_line(
	char *line, const struct option_spec *table, settings_take *take, void *arg)
{
	const struct option_spec *spec;
	char *name = trim(line), *value;

	if (!*name || *name == '#')
		return NULL;
	value = strchr(name, '=');
	if (!value)
		return "not NAME = VALUE";
	*value++ = '\0';
	spec = find(table, trim(name));
	if (!spec)
		return "no such setting";
	value = trim(value);
	if (!*value)
		return "no value";
	return take(arg, spec->id, value) ? "bad value" : NULL;
}

int settings_read(const char *path, const struct option_spec *table, settings_take *take, void *arg,
	char **text)
{
	const char *wrong = NULL;
	unsigned int number = 0;
	size_t size;
	char *line, *end;
	int err;

	*text = NULL;
	err = read_text(path, text, &size);
	if (err) {
		if (err != -ENOENT)
			log_error("%s: %s", path, strerror(-err));
		return err;
	}
	for (line = *text; !wrong && line < *text + size; line = end + 1) {
		number++;
		end = line + strcspn(line, "\n");
		if (end < *text + size && !*end)
			wrong = "a NUL byte";
		*end = '\0';
		if (!wrong)
			wrong = take_line(line, table, take, arg);
	}
	if (!wrong)
		return 0;
	log_error("%s:%u: %s", path, number, wrong);
	free(*text);
	*text = NULL;
	return -EINVAL;
}
