/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: their content, when they are written, and output without a reader. */
#include "core/bpfd/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

/* The output is a memory file, which can be large. */
struct output {
	struct reply *reply;
	int fd;
};

static void output_open(struct output *output)
{
	output->fd = memfd_create("reply", MFD_CLOEXEC);
	assert_true(output->fd >= 0);
	assert_int_equal(reply_new(&output->reply, output->fd, NULL), 0);
}

static off_t output_size(const struct output *output)
{
	struct stat status;

	assert_int_equal(fstat(output->fd, &status), 0);
	return status.st_size;
}

static char *output_close(struct output *output)
{
	char *text;

	assert_int_equal(reply_flush(output->reply), 0);
	text = calloc(1, (size_t)output_size(output) + 1);
	assert_int_equal(
		pread(output->fd, text, (size_t)output_size(output), 0), output_size(output));
	reply_free(output->reply);
	close(output->fd);
	return text;
}

static void test_text(void **state)
{
	struct output output;
	char *text;

	output_open(&output);
	reply_begin(output.reply);
	reply_ret(output.reply, "bpf_create_map", 3);
	reply_ret(output.reply, "x", INT64_MIN);
	reply_number(output.reply, 0);
	reply_text(output.reply, " ");
	reply_number(output.reply, INT64_MAX);
	reply_text(output.reply, "\n");
	reply_base64(output.reply, "foob", 4);
	reply_bytes(output.reply, "\n", 1);
	reply_end(output.reply);
	assert_int_equal(output_size(&output), 0); /* nothing before a flush */
	text = output_close(&output);
	assert_string_equal(text, "START_BPFD_OUTPUT\nbpf_create_map: ret=3\n"
				  "x: ret=-9223372036854775808\n0 9223372036854775807\nZm9vYg==\n"
				  "END_BPFD_OUTPUT\n");
	free(text);
}

static void test_printf(void **state)
{
	char *longer = malloc(200001), *text;
	struct output output;

	memset(longer, 'l', 200000);
	longer[200000] = 0;
	output_open(&output);
	reply_printf(output.reply, "%s=%d;", "short", 5);
	reply_printf(output.reply, "%.511s;", longer);
	reply_printf(output.reply, "%.512s;", longer);
	reply_printf(output.reply, "%s;", longer);
	text = output_close(&output);
	assert_int_equal(strlen(text), 8 + 512 + 513 + 200001);
	assert_memory_equal(text, "short=5;lll", 11);
	assert_int_equal(strspn(text + 8 + 512 + 513, "l"), 200000);
	free(text);
	free(longer);
}

/* Base64 is the same wherever its pieces end in the buffer. */
static void test_base64_pieces(void **state)
{
	const size_t size = 500000;
	unsigned char *data = malloc(size);

	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7);
	for (size_t before = 0; before < 65536; before += 4099) {
		struct output output;
		char *text;

		output_open(&output);
		for (size_t i = 0; i < before; i++)
			reply_bytes(output.reply, "x", 1);
		reply_base64(output.reply, data, size);
		assert_true(output_size(&output) > 0); /* written before the end */
		text = output_close(&output);
		assert_int_equal(strlen(text), before + (size + 2) / 3 * 4);
		assert_null(memchr(text + before, '=', size / 3 * 4));
		for (size_t i = 0; i + 3 <= size; i += 3000) {
			char group[5];
			static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						     "abcdefghijklmnopqrstuvwxyz0123456789+/";
			unsigned int bits =
				(unsigned int)(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);

			for (int j = 0; j < 4; j++)
				group[j] = digits[bits >> (18 - 6 * j) & 63];
			assert_memory_equal(text + before + i / 3 * 4, group, 4);
		}
		free(text);
	}
	free(data);
}

static void test_no_reader(void **state)
{
	struct reply *reply;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	assert_int_equal(reply_new(&reply, ends[1], NULL), 0);
	reply_text(reply, "lost");
	assert_int_equal(reply_error(reply), 0);
	assert_int_equal(reply_flush(reply), -EPIPE);
	for (int i = 0; i < 100000; i++)
		reply_text(reply, "dropped");
	assert_int_equal(reply_error(reply), -EPIPE);
	reply_free(reply);
	close(ends[1]);
}

static volatile sig_atomic_t stop;

static void on_alarm(int number)
{
	stop = 1;
}

/* If the output is full and not read, a signal ends the wait, also on a nonblocking descriptor. */
static void stop_blocked(int flags)
{
	const struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = on_alarm};
	struct reply *reply;
	int ends[2];

	stop = 0;
	assert_int_equal(pipe2(ends, O_CLOEXEC | flags), 0);
	assert_int_equal(reply_new(&reply, ends[1], &stop), 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (int i = 0; i < 100000; i++)
		reply_text(reply, "0123456789");
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(reply_error(reply), -EINTR);
	reply_free(reply);
	close(ends[0]);
	close(ends[1]);
}

static void test_stop(void **state)
{
	stop_blocked(0);
	stop_blocked(O_NONBLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_base64_pieces),
		cmocka_unit_test(test_no_reader),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
