/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the output of bpfd line by line and keeps only the beginning of long lines. */
#include "host-usb/replies.h"

#include <string.h>

static const char banner[] = "STARTED_BPFD";

/* Keeps the beginning of a line. REPLIES_LINE_MAX is larger than any marker, so a longer line never
 * equals one. */
static void line_keep(struct replies *r, const char *data, size_t len)
{
	size_t room = REPLIES_LINE_MAX - r->len;

	if (len > room)
		len = room;
	memcpy(r->line + r->len, data, len);
	r->len += len;
	r->line[r->len] = '\0';
}

/* Handles a complete line. Returns true if it ends a reply. */
static bool line_end(struct replies *r)
{
	switch (r->state) {
	case REPLIES_BANNER:
		r->state = strcmp(r->line, banner) == 0 ? REPLIES_BEGIN : REPLIES_FOREIGN;
		return false;
	case REPLIES_BEGIN:
		r->state =
			strcmp(r->line, "START_BPFD_OUTPUT") == 0 ? REPLIES_FIRST : REPLIES_FOREIGN;
		r->first[0] = '\0';
		return false;
	case REPLIES_FIRST:
	case REPLIES_REST:
		if (strcmp(r->line, "END_BPFD_OUTPUT") == 0) {
			r->state = REPLIES_BEGIN;
			r->count++;
			return true;
		}
		if (r->state == REPLIES_FIRST)
			memcpy(r->first, r->line, sizeof(r->first));
		r->state = REPLIES_REST;
		return false;
	case REPLIES_FOREIGN:
		break;
	}
	return false;
}

size_t replies_take(struct replies *r, const void *data, size_t len)
{
	const char *at = data, *end = at + len, *newline;
	bool whole = false;

	while (at < end && !whole) {
		newline = memchr(at, '\n', (size_t)(end - at));
		line_keep(r, at, (size_t)((newline ? newline : end) - at));
		at = newline ? newline + 1 : end;
		if (newline) {
			whole = line_end(r);
			r->len = 0;
			r->line[0] = '\0';
		} else if (r->state == REPLIES_BANNER && strncmp(r->line, banner, r->len) != 0) {
			r->state = REPLIES_FOREIGN; /* perhaps a prompt, which no newline follows */
		}
	}
	return (size_t)(at - (const char *)data);
}

bool replies_ready(const struct replies *r)
{
	return r->state != REPLIES_BANNER && r->state != REPLIES_FOREIGN;
}
