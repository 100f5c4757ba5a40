// SPDX-License-Identifier: Apache-2.0
// Tests the trace of the wire: its lines, slow and missing readers, and a full disk.
#include "core/base/log.h"
#include "core/link/frame.h"
#include "host-usb/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Captures stderr between capture_begin and capture_end. */
struct capture {
	int file, saved;
	char text[8192];
};

static void capture_begin(struct capture *c)
{
	c->file = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(c->file >= 0);
	c->saved = dup(STDERR_FILENO);
	dup2(c->file, STDERR_FILENO);
}

static void capture_end(struct capture *c)
{
	ssize_t n = pread(c->file, c->text, sizeof(c->text) - 1, 0);

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	close(c->file);
	assert_true(n >= 0);
	c->text[n] = '\0';
}

static int times(const char *text, const char *what)
{
	int n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static char path[64];

static int setup(void **state)
{
	snprintf(path, sizeof(path), "/tmp/trace-XXXXXX");
	int fd = mkstemp(path);

	log_open("bpfd-usb", LOG_INFO);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	return unlink(path);
}

static size_t read_trace(char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);

	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return (size_t)n;
}

/* Reads the time of the line. Returns the rest of the line. */
static char *after_time(char *line, double *seconds)
{
	char *end;

	*seconds = strtod(line, &end);
	assert_true(end - line > 7 && end[-7] == '.' && *end == ' ');
	return end + 1;
}

static void lines(void **state)
{
	uint8_t transfer[64];
	char text[4096], *line, *save;
	double first, second, third, now;
	struct trace *trace;
	struct timespec t;

	frame_put_header(transfer, FRAME_PING, 0, 5);
	frame_put_header(transfer + 8, FRAME_DATA, 2, 6);
	memcpy(transfer + 16, "\033[", 2);
	memset(transfer + 18, 0x9b, 3);
	assert_int_equal(trace_open(path, &trace), 0);
	trace_event(trace, TRACE_HERE, "claim interface %u: %s", 3, "done");
	trace_transfer(trace, TRACE_FROM_BOARD, transfer, 21);
	/* The lines are written at once, because the program may be killed. */
	read_trace(text, sizeof(text));
	trace_close(trace);
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (double)t.tv_sec + (double)t.tv_nsec / 1e9;

	line = after_time(strtok_r(text, "\n", &save), &first);
	assert_string_equal(line, "= claim interface 3: done");
	line = after_time(strtok_r(NULL, "\n", &save), &second);
	assert_string_equal(line, "< PING seq 5 len 0");
	line = after_time(strtok_r(NULL, "\n", &save), &third);
	assert_string_equal(line, "< DATA seq 6 len 2: \"\\x1b[\"");
	assert_true(first <= second && second == third);
	assert_true(third <= now && first > now - 60);
	line = after_time(strtok_r(NULL, "\n", &save), &third);
	assert_string_equal(line, "< malformed len 3: \"\\x9b\\x9b\\x9b\"");
	assert_null(strtok_r(NULL, "\n", &save));
}

static void off(void **state)
{
	trace_event(NULL, TRACE_HERE, "x");
	trace_transfer(NULL, TRACE_TO_BOARD, NULL, 0);
	trace_close(NULL);
}

static void cannot_open(void **state)
{
	struct trace *trace;

	assert_int_equal(trace_open("/proc/none/trace", &trace), -ENOENT);
	assert_int_equal(trace_open("/", &trace), -EISDIR);
}

static void to_stderr(void **state)
{
	struct capture c;
	struct trace *trace;

	capture_begin(&c);
	assert_int_equal(trace_open("-", &trace), 0);
	trace_event(trace, TRACE_TO_BOARD, "one");
	trace_close(trace);
	trace = NULL;
	assert_true(fcntl(STDERR_FILENO, F_GETFD) >= 0); /* the trace does not close it */
	capture_end(&c);
	assert_non_null(strstr(c.text, " > one\n"));
}

static void full_disk(void **state)
{
	struct capture c;
	struct trace *trace;

	capture_begin(&c);
	assert_int_equal(trace_open("/dev/full", &trace), 0);
	for (int i = 0; i < 1000; i++)
		trace_event(trace, TRACE_HERE, "event %d", i);
	trace_close(trace);
	capture_end(&c);
	assert_int_equal(times(c.text, "trace: /dev/full: No space left on device"), 1);
	assert_int_equal(times(c.text, "\n"), 1);
}

/* A pipe is read only after it was full: the lines are whole, and the missing ones are counted. */
static void slow_reader(void **state)
{
	static char text[1 << 20];
	int fds[2], events = 20000, seen = 0, missing = 0, n;
	size_t len = 0;
	struct trace *trace;
	struct capture c;
	char name[64], *line, *save;
	ssize_t got;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[1]);
	assert_int_equal(trace_open(name, &trace), 0);
	close(fds[1]);
	alarm(60);
	for (int i = 0; i < events; i++)
		trace_event(trace, TRACE_HERE, "event %d", i);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 1000; i++) {
		got = read(fds[0], text + len, sizeof(text) - 1 - len);
		assert_true(got > 0);
		len += (size_t)got;
		trace_event(trace, TRACE_HERE, "event %d", events++);
	}
	capture_begin(&c);
	trace_close(trace);
	capture_end(&c);
	while ((got = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	close(fds[0]);
	alarm(0);
	assert_string_equal(c.text, "");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "(%d lines are missing", &n) == 1) {
			missing += n;
			continue;
		}
		assert_int_equal(sscanf(line, "%*f = event %d", &n), 1);
		assert_int_equal(n, seen + missing);
		seen++;
	}
	assert_true(seen > 1000 && missing > 1000);
	assert_int_equal(seen + missing, events);
}

static void nobody_reads(void **state)
{
	int fds[2];
	struct trace *trace;
	struct capture c;
	char name[64];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[1]);
	capture_begin(&c);
	assert_int_equal(trace_open(name, &trace), 0);
	for (int i = 0; i < 5000; i++)
		trace_event(trace, TRACE_HERE, "event %d", i);
	alarm(60);
	trace_close(trace);
	alarm(0);
	capture_end(&c);
	assert_int_equal(times(c.text, "its end was not read; the trace is incomplete"), 1);

	capture_begin(&c);
	assert_int_equal(trace_open(name, &trace), 0);
	close(fds[0]);
	close(fds[1]);
	signal(SIGPIPE, SIG_IGN);
	trace_event(trace, TRACE_HERE, "event");
	trace_event(trace, TRACE_HERE, "event");
	trace_close(trace);
	signal(SIGPIPE, SIG_DFL);
	capture_end(&c);
	assert_int_equal(times(c.text, "Broken pipe"), 1);
	assert_int_equal(times(c.text, "\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines, setup, teardown),
		cmocka_unit_test(off),
		cmocka_unit_test(cannot_open),
		cmocka_unit_test(to_stderr),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(slow_reader),
		cmocka_unit_test(nobody_reads),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
