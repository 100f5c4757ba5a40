/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the list of keys that may open a session. */
#include "gadget/keys.h"

#include "core/base/log.h"
#include "core/base/printable.h"
#include "core/link/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Key types of OpenSSH that are not accepted. */
static const char *const other_types[] = {"ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp256",
	"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com",
	"sk-ecdsa-sha2-nistp256@openssh.com"};

/* A part of a line. */
struct span {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct span *t)
{
	while (t->at < t->end && is_blank(*t->at))
		t->at++;
}

static bool span_is(struct span t, const char *word)
{
	return (size_t)(t.end - t.at) == strlen(word) && memcmp(t.at, word, strlen(word)) == 0;
}

/* Takes the text up to the next blank. With `quotes`, a blank in double quotes does not end it. */
static struct span take_word(struct span *t, bool quotes)
{
	struct span word = {t->at, t->at};
	bool quoted = false;

	for (; t->at < t->end && (quoted || !is_blank(*t->at)); t->at++) {
		if (quotes && *t->at == '\\' && t->end - t->at > 1 && t->at[1] == '"')
			t->at++;
		else if (quotes && *t->at == '"')
			quoted = !quoted;
	}
	word.end = t->at;
	skip_blanks(t);
	return word;
}

static const char *other_type(struct span word)
{
	for (size_t i = 0; i < sizeof(other_types) / sizeof(other_types[0]); i++)
		if (span_is(word, other_types[i]))
			return other_types[i];
	return NULL;
}

/* An unknown option may be a restriction, so its key is not accepted. */
static const char *take_options(struct span options, struct key_entry *entry)
{
	struct span option = {options.at, options.at};

	for (;;) {
		while (option.end < options.end && *option.end != ',')
			option.end++;
		if (!span_is(option, "read-only"))
			return "unknown option; only read-only is known";
		entry->read_only = true;
		if (option.end == options.end)
			return NULL;
		option.at = ++option.end;
	}
}

/* The comment appears in logs, so it is made printable. */
static void take_name(struct span comment, struct key_entry *entry)
{
	size_t len;

	while (comment.end > comment.at && is_blank(comment.end[-1]))
		comment.end--;
	len = (size_t)(comment.end - comment.at);
	if (len >= sizeof(entry->name))
		len = sizeof(entry->name) - 1;
	memcpy(entry->name, comment.at, len);
	printable_ascii(entry->name, len);
	entry->name[len] = '\0';
}

/* Returns NULL and a key, "" for an empty line or a comment, or what is wrong. */
static const char *take_line(struct span line, struct key_entry *entry)
{
	struct span start, word;
	const char *wrong;

	skip_blanks(&line);
	if (line.at == line.end || *line.at == '#')
		return "";
	if (memchr(line.at, '\0', (size_t)(line.end - line.at)))
		return "a NUL byte";
	start = line;
	word = take_word(&line, false);
	if (!span_is(word, SSH_ED25519) && !other_type(word)) {
		line = start;
		wrong = take_options(take_word(&line, true), entry);
		start = line;
		word = take_word(&line, false);
		if (wrong && !span_is(word, SSH_ED25519) && !other_type(word))
			return "not a key";
		if (wrong)
			return wrong;
	}
	if (other_type(word))
		return "not an ssh-ed25519 key, skipped";
	if (ssh_key_get(start.at, (size_t)(start.end - start.at), entry->key, &line.at) < 0)
		return "not a complete ssh-ed25519 key";
	take_name(line, entry);
	return NULL;
}

static int add_entry(struct key_list *list, size_t *room, const struct key_entry *entry)
{
	struct key_entry *entries;

	if (list->count == *room) {
		*room = *room ? 2 * *room : 8;
		entries = realloc(list->entries, *room * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		list->entries = entries;
	}
	list->entries[list->count++] = *entry;
	return 0;
}

int keys_parse(
	const char *path, const char *text, size_t size, bool log_faults, struct key_list *list)
{
	const char *end = text + size, *wrong;
	size_t room = 0;
	unsigned int number = 1;

	*list = (struct key_list){NULL, 0};
	for (; text < end; number++) {
		struct key_entry entry = {.line = number};
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct span line = {text, newline ? newline : end};

		wrong = take_line(line, &entry);
		if (!wrong && add_entry(list, &room, &entry) < 0) {
			log_error("%s: %s", path, strerror(ENOMEM));
			keys_free(list);
			return -ENOMEM;
		}
		if (wrong && *wrong)
			log_write(log_faults ? LOG_WARNING : LOG_DEBUG, "%s:%u: %s", path, number,
				wrong);
		text = newline ? newline + 1 : end;
	}
	return 0;
}

void keys_free(struct key_list *list)
{
	free(list->entries);
	*list = (struct key_list){NULL, 0};
}

const struct key_entry *keys_find(const struct key_list *list, const uint8_t key[AUTH_KEY_SIZE])
{
	for (size_t i = 0; i < list->count; i++)
		if (memcmp(list->entries[i].key, key, AUTH_KEY_SIZE) == 0)
			return &list->entries[i];
	return NULL;
}

/* True if only root and the daemon's user can change the file or directory. In a directory with the
 * sticky bit others can create files, but not replace files that exist. */
static bool is_safe(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	return !(st->st_mode & 022) || (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX));
}

/* Whoever can replace a directory above the file can replace the file. */
static int check_directories(const char *path, const char *file)
{
	char name[PATH_MAX], real[PATH_MAX], *slash;
	struct stat st;

	snprintf(name, sizeof(name), "%s", file);
	if (!realpath(dirname(name), real))
		return -errno;
	for (;;) {
		if (stat(real, &st) < 0)
			return -errno;
		if (!is_safe(&st)) {
			log_error("%s: not used: others than root can write the directory %s", path,
				real);
			return -EPERM;
		}
		slash = strrchr(real, '/');
		if (!slash[1])
			return 0;
		slash[slash == real] = '\0'; /* keeps the "/" of the root */
	}
}

/* The path may be a symbolic link: its own directories and those of its target are checked. */
static int check_place(const char *path)
{
	char real[PATH_MAX];
	int err = check_directories(path, path);

	if (err == 0 && !realpath(path, real))
		err = -errno;
	return err ? err : check_directories(path, real);
}

static int check_file(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!is_safe(&st)) {
		log_error(
			"%s: not used: others than root can write it; chown root, chmod 600", path);
		return -EPERM;
	}
	return check_place(path);
}

/* Returns the size, or a negative errno. */
static ssize_t read_all(int fd, char *text)
{
	size_t size = 0;
	ssize_t n;

	while ((n = read(fd, text + size, KEYS_SIZE_MAX + 1 - size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (size > KEYS_SIZE_MAX)
			return -EFBIG;
	}
	return (ssize_t)size;
}

/* When no descriptor is free, open(2) fails before it looks for the file. */
static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 || errno != ENOENT;
}

int keys_read(const char *path, bool log_faults, struct key_list *list)
{
	char *text = NULL;
	ssize_t size;
	/* O_NONBLOCK: the path may be a pipe without a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;

	err = fd < 0 ? -errno : 0;
	*list = (struct key_list){NULL, 0};
	if (err == -ENOENT || (err && !is_there(path)))
		return -ENOENT;
	if (!err)
		err = check_file(path, fd);
	if (!err) {
		text = malloc(KEYS_SIZE_MAX + 1);
		size = text ? read_all(fd, text) : -ENOMEM;
		err = size < 0 ? (int)size : keys_parse(path, text, (size_t)size, log_faults, list);
		free(text);
	}
	if (err && err != -EPERM)
		log_error("%s: %s", path, err == -EINVAL ? "not a regular file" : strerror(-err));
	if (fd >= 0)
		close(fd);
	/* It vanished after open(2), so a list has existed. */
	return err == -ENOENT ? -EIO : err;
}
