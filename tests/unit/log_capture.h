/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what the code under test logs. Include after cmocka.h. */
#ifndef TESTS_UNIT_LOG_CAPTURE_H
#define TESTS_UNIT_LOG_CAPTURE_H

#include <unistd.h>

static int log_pipe[2], log_before;

/* Redirects stderr into a pipe, which holds 64 KiB. */
static inline void log_begin(void)
{
	assert_int_equal(pipe(log_pipe), 0);
	log_before = dup(STDERR_FILENO);
	assert_true(log_before >= 0);
	dup2(log_pipe[1], STDERR_FILENO);
	close(log_pipe[1]);
}

/* Restores stderr. Returns what was logged since log_begin(), up to 8 KiB, valid until the next
 * call. */
static inline const char *log_end(void)
{
	static char text[8192];
	ssize_t n;

	dup2(log_before, STDERR_FILENO);
	close(log_before);
	n = read(log_pipe[0], text, sizeof(text) - 1);
	close(log_pipe[0]);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

#endif
