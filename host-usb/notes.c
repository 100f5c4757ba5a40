/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the board's stderr, with bounded patience. */
#include "host-usb/notes.h"

#include "core/base/log.h"
#include "host-usb/fd_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define NOTES_WAIT_MS                                                              \
	1000 /* a slow terminal catches up; a full pipe that nobody reads does not \
	      */

struct notes {
	struct fd_stream *stream;
	uint64_t deadline; /* UINT64_MAX: nothing waits */
	uint64_t dropped;
	int stuck; /* a wait was in vain: until something can be written there is no other */
};

struct notes *notes_new(int fd)
{
	struct notes *notes = calloc(1, sizeof(*notes));

	if (!notes)
		return NULL;
	notes->deadline = UINT64_MAX;
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
		log_warning("stderr: full, %llu bytes of the board's messages were dropped",
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

size_t notes_write(struct notes *notes, const void *data, size_t len, uint64_t now_ms)
{
	ssize_t n = fd_stream_write(notes->stream, data, len);

	if (n >= 0) {
		notes->deadline = UINT64_MAX;
		notes->stuck = 0;
		return (size_t)n;
	}
	if (n != -EAGAIN || notes->stuck)
		return notes_drop(notes, len);
	if (notes->deadline == UINT64_MAX)
		notes->deadline = now_ms + NOTES_WAIT_MS;
	if (now_ms < notes->deadline)
		return 0;
	notes->stuck = 1;
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
