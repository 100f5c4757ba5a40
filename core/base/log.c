/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the log: whole lines to stderr, without waiting for its reader. */
#include "core/base/log.h"

#include "core/base/printable.h"

#include "core/base/clock.h"

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
	unsigned long dropped;	/* because stderr was full */
	unsigned long left_out; /* by the limit */
	bool is_limited;
	uint64_t free_ms; /* when the whole burst is free again */
} log_state = {.program = "bpfd", .level = LOG_INFO};

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

void log_limit(bool on)
{
	log_state.is_limited = on;
}

/* Each line takes LOG_INTERVAL_MS of the burst's time, which passes by itself. */
static bool is_allowed(enum log_level level)
{
	uint64_t now_ms = clock_boottime_ms();

	if (!log_state.is_limited || level == LOG_DEBUG)
		return true;
	if (log_state.free_ms < now_ms)
		log_state.free_ms = now_ms;
	if (log_state.free_ms - now_ms > (LOG_BURST - 1) * LOG_INTERVAL_MS)
		return false;
	log_state.free_ms += LOG_INTERVAL_MS;
	return true;
}

/* Logs how many lines are missing, and why. */
static void log_missing(unsigned long *count, const char *why)
{
	char line[LOG_LINE_MAX];
	int n;

	if (!*count)
		return;
	n = snprintf(line, sizeof(line), "%s: log: %lu lines %s\n", log_state.program, *count, why);
	if (log_put(line, (size_t)n) == 0)
		*count = 0;
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
	if (!is_allowed(level)) {
		log_state.left_out++;
		return;
	}
	log_missing(&log_state.left_out, "left out: hosts without a session caused too many");
	log_missing(&log_state.dropped, "dropped because stderr was full");
	n = snprintf(line, sizeof(line), "%s: ", log_state.program);
	len = n < 0 ? 0 : (size_t)n;
	va_start(ap, format);
	n = vsnprintf(line + len, sizeof(line) - len - 1, format, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	/* Names in it may come from another machine, and stderr may be a terminal. */
	printable_text(line, len);
	line[len++] = '\n';
	if (log_put(line, len) < 0)
		log_state.dropped++;
	errno = saved;
}
