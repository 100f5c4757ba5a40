/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the probe events that commands of a client defined. The kernel chose some of the names. */
#include "core/bpfd/bpf/event_list.h"

#include "core/base/log.h"
#include "core/base/paths.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AFTER_TRIES	3   /* to read the list after a write */
#define EVENT_NAME_SIZE 144 /* group/event; each has at most 63 characters on all kernels */

struct event {
	struct event *next;
	enum probe_event_kind kind;
	char name[EVENT_NAME_SIZE];
};

struct event_list {
	const struct paths *paths;
	struct event *first;
	char *before; /* the kernel's list when the write began, or NULL */
};

int event_list_new(struct event_list **list, const struct paths *paths)
{
	struct event_list *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->paths = paths;
	*list = l;
	return 0;
}

/* Like the kernel's isspace(), at which it splits lines into words. */
static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
}

/* Copies the name of the event from a line such as "p:group/event place". Instead of 'p' it may
 * begin with 'r' and a number, or '-'. Returns whether the line has a name. */
static bool line_name(const char *line, size_t size, char name[EVENT_NAME_SIZE])
{
	size_t at = 0, len = 0;

	while (at < size && line[at] != ':' && !is_blank(line[at]))
		at++;
	if (at == size || line[at] != ':')
		return false;
	for (at++; at + len < size && !is_blank(line[at + len]);)
		len++;
	if (!len || len >= EVENT_NAME_SIZE)
		return false;
	memcpy(name, line + at, len);
	name[len] = '\0';
	return true;
}

/* Whether a listed event can come from a written name. The kernel chooses the group if the name has
 * none, and since Linux 6.0 the event if the name is only a group. '.' can replace '/'. */
static bool same_name(const char *listed, const char *written)
{
	const char *event = strchr(listed, '/');
	const char *cut = strpbrk(written, "/.");

	if (!event)
		return false;
	if (!cut)
		return !strcmp(event + 1, written);
	return !strncmp(listed, written, (size_t)(cut - written)) && listed[cut - written] == '/' &&
	       (!cut[1] || !strcmp(event + 1, cut + 1));
}

static size_t line_size(const char *text, size_t size)
{
	const char *end = memchr(text, '\n', size);

	return end ? (size_t)(end - text) : size;
}

/* Kernels before 4.12 do not know the number in "r16:group/event", and choose a name themselves. */
static bool may_be_renamed(const char *line, size_t size, const char *listed)
{
	return size > 1 && line[0] == 'r' && isdigit((unsigned char)line[1]) &&
	       !strncmp(listed, "kprobes/r_", strlen("kprobes/r_"));
}

/* Whether the written text can define the listed event. A line without a name can define any. */
static bool text_defines(const char *text, size_t size, const char *listed)
{
	char name[EVENT_NAME_SIZE];
	size_t len;

	for (; size; text += len, size -= len) {
		if (is_blank(*text)) {
			len = 1;
			continue;
		}
		len = line_size(text, size);
		if ((*text == 'p' || *text == 'r') &&
			(!line_name(text, len, name) || same_name(listed, name) ||
				may_be_renamed(text, len, listed)))
			return true;
		len += len < size;
	}
	return false;
}

/* Whether the kernel's list has an event of that name. */
static bool list_has(const char *list, const char *listed)
{
	char name[EVENT_NAME_SIZE];

	for (const char *line = list; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (line_name(line, strcspn(line, "\n"), name) && !strcmp(name, listed))
			return true;
	}
	return false;
}

static void remove_event(
	const struct event_list *list, enum probe_event_kind kind, const char name[EVENT_NAME_SIZE])
{
	const char *slash = strchr(name, '/');
	char group[EVENT_NAME_SIZE];
	int err;

	snprintf(group, sizeof(group), "%.*s", (int)(slash - name), name);
	err = probe_event_remove(list->paths, kind, group, slash + 1);
	if (err && err != -ENOENT)
		log_warning("event %s: cannot remove: %s", name, strerror(-err));
}

/* Adds an event. If memory is short, it is removed from tracefs: later nobody would remove it. */
static int note(struct event_list *list, enum probe_event_kind kind, const char *name)
{
	struct event *event;

	for (event = list->first; event; event = event->next)
		if (event->kind == kind && !strcmp(event->name, name))
			return 0;
	event = calloc(1, sizeof(*event));
	if (!event) {
		remove_event(list, kind, name);
		return -ENOMEM;
	}
	event->kind = kind;
	strcpy(event->name, name);
	event->next = list->first;
	list->first = event;
	return 0;
}

/* Forgets the events that are gone: another program may define one of the same name later. */
static void forget_gone(struct event_list *list, enum probe_event_kind kind, const char *now)
{
	struct event **at = &list->first, *event;

	while ((event = *at)) {
		if (event->kind != kind || list_has(now, event->name)) {
			at = &event->next;
			continue;
		}
		*at = event->next;
		free(event);
	}
}

int event_list_before(struct event_list *list, enum probe_event_kind kind)
{
	free(list->before);
	list->before = NULL;
	return event_file_read(list->paths, kind, &list->before);
}

/* The write cannot be undone without this list, so a failure is not the last word. */
static int read_after(const struct event_list *list, enum probe_event_kind kind, char **now)
{
	int err = -EAGAIN;

	for (int i = 0; err && i < AFTER_TRIES; i++)
		err = event_file_read(list->paths, kind, now);
	if (err)
		log_warning("%s: cannot read: %s; events that the client defines stay in it",
			probe_event_file(kind), strerror(-err));
	return err;
}

int event_list_after(
	struct event_list *list, enum probe_event_kind kind, const char *text, size_t size)
{
	char *now, name[EVENT_NAME_SIZE];
	int err = read_after(list, kind, &now), result = err;

	if (err)
		goto out;
	for (const char *line = now; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (line_name(line, strcspn(line, "\n"), name) && strchr(name, '/') &&
			!list_has(list->before, name) && text_defines(text, size, name))
			err = note(list, kind, name);
		result = err ? err : result;
	}
	forget_gone(list, kind, now);
	free(now);
out:
	free(list->before);
	list->before = NULL;
	return result;
}

void event_list_free(struct event_list *list)
{
	struct event *event;

	if (!list)
		return;
	while ((event = list->first)) {
		list->first = event->next;
		remove_event(list, event->kind, event->name);
		free(event);
	}
	free(list->before);
	free(list);
}
