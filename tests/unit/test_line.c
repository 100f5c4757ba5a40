/* SPDX-License-Identifier: Apache-2.0 */
/* The line reader: pieces of every size, limits, ends, stops. */
#include "core/bpfd/line.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX (1024 * 1024)

static volatile sig_atomic_t stop;

struct input {
	struct line_reader *reader;
	int ends[2];
};

static void input_open(struct input *input, size_t max)
{
	assert_int_equal(pipe2(input->ends, O_CLOEXEC), 0);
	assert_int_equal(line_reader_new(&input->reader, input->ends[0], max, &stop), 0);
}

static void input_put(struct input *input, const char *text)
{
	assert_int_equal(write(input->ends[1], text, strlen(text)), strlen(text));
}

static void input_end(struct input *input)
{
	close(input->ends[1]);
	input->ends[1] = -1;
}

static void input_close(struct input *input)
{
	line_reader_free(input->reader);
	close(input->ends[0]);
	if (input->ends[1] >= 0)
		close(input->ends[1]);
}

static void expect_line(struct input *input, const char *wanted)
{
	char *line;

	assert_int_equal(line_read(input->reader, &line), strlen(wanted));
	assert_memory_equal(line, wanted, strlen(wanted));
	line[strlen(wanted)] = 0; /* the byte after the line may be written to */
}

static void expect_error(struct input *input, int error)
{
	char *line;

	assert_int_equal(line_read(input->reader, &line), error);
}

static void test_lines(void **state)
{
	struct input input;

	input_open(&input, MAX);
	assert_false(line_ready(input.reader));
	assert_false(line_pending(input.reader));
	input_put(&input, "one\n\ntwo  \r\npart");
	expect_line(&input, "one");
	assert_true(line_ready(input.reader));
	expect_line(&input, "");
	expect_line(&input, "two  \r");
	assert_false(line_ready(input.reader));
	assert_true(line_pending(input.reader));
	input_put(&input, "ial\n");
	expect_line(&input, "partial");
	assert_false(line_pending(input.reader));
	input_put(&input, "no newline");
	input_end(&input);
	expect_line(&input, "no newline");
	assert_true(line_ready(input.reader)); /* the end of input counts as ready */
	expect_error(&input, -ENODATA);
	expect_error(&input, -ENODATA);
	input_close(&input);
}

static void test_no_input(void **state)
{
	struct input input;

	input_open(&input, MAX);
	input_end(&input);
	expect_error(&input, -ENODATA);
	input_close(&input);
}

/* Writes a text in pieces from another process, because it exceeds the size of a pipe. */
static pid_t feed(struct input *input, const char *text, size_t size, size_t piece)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid) {
		input_end(input);
		return pid;
	}
	while (size) {
		ssize_t n = write(input->ends[1], text, piece < size ? piece : size);

		if (n < 0)
			_exit(1);
		text += n;
		size -= (size_t)n;
	}
	_exit(0);
}

static void feed_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Lines whose lengths are near the size of the buffer and the limit, in pieces of several sizes. */
static void test_lengths(void **state)
{
	static const size_t lengths[] = {0, 1, 65534, 65535, 65536, 65537, 3, 131071, 131072,
		200000, MAX - 1, MAX, MAX + 1, 5, 2 * MAX, MAX, 0, 3 * MAX + 17, 12};
	static const size_t pieces[] = {4096, 65536, 10007};
	const size_t count = sizeof(lengths) / sizeof(lengths[0]);
	size_t total = 0, at = 0;
	char *text;

	for (size_t i = 0; i < count; i++)
		total += lengths[i] + 1;
	text = malloc(total);
	for (size_t i = 0; i < count; i++) {
		memset(text + at, 'a' + (int)i, lengths[i]);
		at += lengths[i];
		text[at++] = '\n';
	}
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		struct input input;
		pid_t pid;
		char *line;

		input_open(&input, MAX);
		pid = feed(&input, text, total, pieces[p]);
		for (size_t i = 0; i < count; i++) {
			ssize_t n = line_read(input.reader, &line);

			assert_int_equal(n, lengths[i] > MAX ? -EMSGSIZE : (ssize_t)lengths[i]);
			for (ssize_t j = 0; j < n; j++)
				if (line[j] != 'a' + (char)i)
					fail();
		}
		expect_error(&input, -ENODATA);
		input_close(&input);
		feed_end(pid);
	}
	free(text);
}

static void test_short_limit(void **state)
{
	struct input input;

	input_open(&input, 4);
	input_put(&input, "1234\n12345\n\n123456789");
	expect_line(&input, "1234");
	expect_error(&input, -EMSGSIZE);
	expect_line(&input, "");
	input_put(&input, "0\nend\n12345");
	expect_error(&input, -EMSGSIZE);
	expect_line(&input, "end");
	input_end(&input);
	expect_error(&input, -EMSGSIZE);
	expect_error(&input, -ENODATA);
	input_close(&input);
}

static void test_eof_byte(void **state)
{
	struct input input;

	input_open(&input, MAX);
	line_reader_set_eof(input.reader, 4);
	input_put(&input, "a\4b\n\4x\n");
	expect_line(&input, "a\4b");
	assert_true(line_ready(input.reader));
	expect_error(&input, -ENODATA);
	input_close(&input);
}

static void test_not_blocking(void **state)
{
	struct input input;
	pid_t pid;

	input_open(&input, MAX);
	fcntl(input.ends[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0) {
		usleep(50000);
		_exit(write(input.ends[1], "late\n", 5) != 5);
	}
	expect_line(&input, "late");
	input_close(&input);
	feed_end(pid);
}

static void on_alarm(int number)
{
	stop = 1;
}

static void test_stop(void **state)
{
	const struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = on_alarm};
	struct input input;

	input_open(&input, MAX);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	expect_error(&input, -EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	stop = 0;
	input_put(&input, "and on\n");
	expect_line(&input, "and on");
	input_close(&input);
}

static void test_read_error(void **state)
{
	struct line_reader *reader;
	char *line;
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	assert_int_equal(line_reader_new(&reader, fd, MAX, NULL), 0);
	assert_int_equal(line_read(reader, &line), -EISDIR);
	line_reader_free(reader);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_no_input),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_short_limit),
		cmocka_unit_test(test_eof_byte),
		cmocka_unit_test(test_not_blocking),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_read_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
