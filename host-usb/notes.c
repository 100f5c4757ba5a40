/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the board's stderr and waits only a bounded time for its reader. */
#include "host-usb/notes.h"

#include "core/base/log.h"
#include "core/base/printable.h"
#include "host-usb/fd_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE	      4096 /* bytes of one write to a terminal */
#define NOTES_WAIT_MS 1000 /* a slow terminal catches up, a pipe without a reader does not */

struct notes {
	struct fd_stream *stream;
	uint64_t deadline; /* UINT64_MAX: nothing is waiting */
	uint64_t dropped;
	bool is_terminal;
	char last;     /* the byte before the next one */
	bool is_stuck; /* a wait timed out: drop at once until something can be written */
};

struct notes *notes_new(int fd)
{
	struct notes *notes = calloc(1, sizeof(*notes));

	if (!notes)
		return NULL;
	notes->deadline = UINT64_MAX;
	notes->is_terminal = isatty(fd);
	notes->stream = fd_stream_new(fd, O_WRONLY);
	if (!notes->stream) {
		free(notes);
		return NULL;
	}
	return notes;
}

void notes_free(struct notes *notes)
{
	if (!notes)
		return;
	if (notes->dropped)
		log_warning("stderr: full; %llu bytes of the board's messages were dropped",
			(unsigned long long)notes->dropped);
	fd_stream_free(notes->stream);
	free(notes);
}

static size_t notes_drop(struct notes *notes, size_t len)
{
	notes->deadline = UINT64_MAX;
	notes->dropped += len;
	return len;
}

/* Escape sequences change a terminal, and can make it type. Of the control characters only those
 * of lines and tables remain. */
static ssize_t notes_write_terminal(struct notes *notes, const char *data, size_t len)
{
	char text[1 + PIECE];
	ssize_t n;

	len = len < PIECE ? len : PIECE;
	text[0] = notes->last;
	memcpy(text + 1, data, len);
	for (size_t i = 1; i <= len; i++)
		if (printable_control_ends(text, i) && (!text[i] || !strchr("\n\t\r", text[i])))
			text[i] = '?';
	n = fd_stream_write(notes->stream, text + 1, len);
	if (n > 0)
		notes->last = data[n - 1];
	return n;
}

size_t notes_write(struct notes *notes, const void *data, size_t len, uint64_t now_ms)
{
	ssize_t n = notes->is_terminal ? notes_write_terminal(notes, data, len)
				       : fd_stream_write(notes->stream, data, len);

	if (n >= 0) {
		notes->deadline = UINT64_MAX;
		notes->is_stuck = false;
		return (size_t)n;
	}
	if (n != -EAGAIN || notes->is_stuck)
		return notes_drop(notes, len);
	if (notes->deadline == UINT64_MAX)
		notes->deadline = now_ms + NOTES_WAIT_MS;
	if (now_ms < notes->deadline)
		return 0;
	notes->is_stuck = true;
	return notes_drop(notes, len);
}

uint64_t notes_deadline(const struct notes *notes)
{
	return notes->deadline;
}

int notes_fd(const struct notes *notes)
{
	return fd_stream_fd(notes->stream);
}
