/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the log: whole lines to stderr, without waiting for its reader. */
#include "core/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024 /* bytes; below PIPE_BUF, so a pipe takes a line whole or not at all */

static struct {
	const char *program;
	enum log_level level;
	unsigned long dropped;
} log_state = {"bpfd", LOG_INFO, 0};

void log_open(const char *program, enum log_level level)
{
	log_state.program = program;
	log_state.level = level;
}

/* poll(2) reports a pipe as writable only if it takes PIPE_BUF bytes, so a write of less does not
 * block. O_NONBLOCK would do the same, but other processes share the flags of stderr. */
static int log_put(const char *line, size_t len)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return -EAGAIN;
	return write(STDERR_FILENO, line, len) == (ssize_t)len ? 0 : -EAGAIN;
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	int saved = errno;
	size_t len;
	va_list ap;
	int n;

	if (level > log_state.level)
		return;
	if (log_state.dropped) {
		n = snprintf(line, sizeof(line),
			"%s: log: %lu lines dropped because stderr was full\n", log_state.program,
			log_state.dropped);
		if (log_put(line, (size_t)n) == 0)
			log_state.dropped = 0;
	}
	n = snprintf(line, sizeof(line), "%s: ", log_state.program);
	len = n < 0 ? 0 : (size_t)n;
	va_start(ap, format);
	n = vsnprintf(line + len, sizeof(line) - len - 1, format, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (log_put(line, len) < 0)
		log_state.dropped++;
	errno = saved;
}
