/* SPDX-License-Identifier: Apache-2.0 */
/* Formats the trace of the wire and buffers it for a slow reader. */
#include "host-usb/trace.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/link/frame.h"
#include "host-usb/fd_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACE_BUFFER   (64 * 1024) /* bytes; for a reader that is busy briefly */
#define TRACE_LINE_MAX (FRAME_TEXT_MAX + 64)
#define TRACE_CLOSE_MS 1000 /* how long the reader may take for the rest */

struct trace {
	const char *name; /* for messages */
	struct fd_stream *stream;
	int fd;
	bool own_fd, failed;
	char data[TRACE_BUFFER];
	size_t len; /* bytes of data that are still to be written */
	unsigned long long lost;
};

int trace_open(const char *path, struct trace **result)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	int err;

	if (!trace)
		return -ENOMEM;
	trace->own_fd = strcmp(path, "-") != 0;
	trace->name = trace->own_fd ? path : "stderr";
	trace->fd = STDERR_FILENO;
	if (trace->own_fd)
		trace->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);
	if (trace->fd < 0) {
		err = -errno;
		goto err_free;
	}
	trace->stream = fd_stream_new(trace->fd, O_WRONLY);
	if (!trace->stream) {
		err = -ENOMEM;
		goto err_close;
	}
	*result = trace;
	return 0;

err_close:
	if (trace->own_fd)
		close(trace->fd);
err_free:
	free(trace);
	return err;
}

/* Logs the first error. The session continues without a trace. */
static void trace_failed(struct trace *trace, int err)
{
	if (!trace->failed)
		log_error("trace: %s: %s; the trace ends here", trace->name, strerror(-err));
	trace->failed = true;
	trace->len = 0;
	trace->lost = 0;
}

/* Writes as much as the reader takes now. */
static void trace_flush(struct trace *trace)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < trace->len) {
		n = fd_stream_write(trace->stream, trace->data + done, trace->len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	memmove(trace->data, trace->data + done, trace->len - done);
	trace->len -= done;
	if (n < 0 && n != -EAGAIN)
		trace_failed(trace, (int)n);
}

static bool trace_append(struct trace *trace, const char *line, size_t len)
{
	if (TRACE_BUFFER - trace->len < len)
		trace_flush(trace);
	if (TRACE_BUFFER - trace->len < len)
		return false;
	memcpy(trace->data + trace->len, line, len);
	trace->len += len;
	return true;
}

static void trace_line(struct trace *trace, uint64_t now_ns, char direction, const char *text)
{
	char line[TRACE_LINE_MAX];
	int n;

	if (trace->lost > 0) {
		n = snprintf(line, sizeof(line), "(%llu lines are missing: nobody read them)\n",
			trace->lost);
		if (!trace_append(trace, line, (size_t)n)) {
			trace->lost++;
			return;
		}
		trace->lost = 0;
	}
	n = snprintf(line, sizeof(line), "%llu.%06llu %c %s\n",
		(unsigned long long)(now_ns / 1000000000),
		(unsigned long long)(now_ns / 1000 % 1000000), direction, text);
	if (!trace_append(trace, line, (size_t)n))
		trace->lost++;
}

void trace_transfer(struct trace *trace, char direction, const uint8_t *data, size_t len)
{
	uint64_t now_ns;
	char text[FRAME_TEXT_MAX], bytes[BYTES_TEXT_MAX];
	struct frame frame;
	size_t offset = 0;
	int n;

	if (!trace || trace->failed)
		return;
	now_ns = clock_ns(CLOCK_MONOTONIC);
	while ((n = frame_next(data, len, &offset, &frame)) == 1) {
		frame_describe(&frame, text, sizeof(text));
		trace_line(trace, now_ns, direction, text);
	}
	if (n < 0) {
		frame_describe_bytes(data + offset, len - offset, bytes, sizeof(bytes));
		snprintf(text, sizeof(text), "malformed len %zu: %s", len - offset, bytes);
		trace_line(trace, now_ns, direction, text);
	}
	trace_flush(trace);
}

void trace_event(struct trace *trace, char direction, const char *format, ...)
{
	char text[FRAME_TEXT_MAX];
	va_list ap;

	if (!trace || trace->failed)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	trace_line(trace, clock_ns(CLOCK_MONOTONIC), direction, text);
	trace_flush(trace);
}

void trace_close(struct trace *trace)
{
	struct pollfd p = {.events = POLLOUT};
	uint64_t end, now;

	if (!trace)
		return;
	end = clock_monotonic_ms() + TRACE_CLOSE_MS;
	p.fd = fd_stream_fd(trace->stream);
	trace_flush(trace);
	while (trace->len > 0 && (now = clock_monotonic_ms()) < end) {
		poll(&p, 1, (int)(end - now));
		trace_flush(trace);
	}
	if (trace->len > 0 || trace->lost > 0)
		log_warning(
			"trace: %s: its end was not read; the trace is incomplete", trace->name);
	fd_stream_free(trace->stream);
	if (trace->own_fd && close(trace->fd) < 0 && errno != EINTR)
		trace_failed(trace, -errno);
	free(trace);
}
