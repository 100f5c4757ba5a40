// SPDX-License-Identifier: Apache-2.0
// Tests finding replies in the output of bpfd, and samples.
#include "host-usb/replies.h"
#include "host-usb/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VERSION_REPLY "START_BPFD_OUTPUT\n0.1.0 2 6.1\nEND_BPFD_OUTPUT\n"

static void take_all(struct replies *r, const char *text, size_t step)
{
	for (size_t at = 0, len = strlen(text), n; at < len; at += n) {
		n = replies_take(r, text + at, len - at < step ? len - at : step);
		assert_true(n > 0);
	}
}

/* Output in pieces of any size, with long lines, empty lines, and lines that look like markers. */
static void replies_are_found(void **state)
{
	static const char text[] =
		"STARTED_BPFD\n" VERSION_REPLY "START_BPFD_OUTPUT\nEND_BPFD_OUTPUT\n"
		"START_BPFD_OUTPUT\nEND_BPFD_OUTPUT \n\nSTART_BPFD_OUTPUT\nEND_BPFD_OUTPUT\n";
	char *longer = malloc(300000);

	for (size_t step = 1; step < sizeof(text); step++) {
		struct replies r = {.count = 0};

		take_all(&r, text, step);
		assert_int_equal(r.count, 3);
		assert_true(replies_ready(&r));
		assert_string_equal(r.first, "END_BPFD_OUTPUT ");
	}
	for (size_t step = 1000; step < 300000; step += 70001) {
		struct replies r = {.count = 0};

		sprintf(longer, "STARTED_BPFD\nSTART_BPFD_OUTPUT\n%0200000d\nEND_BPFD_OUTPUT\n", 1);
		take_all(&r, longer, step);
		assert_int_equal(r.count, 1);
		assert_int_equal(strlen(r.first), REPLIES_LINE_MAX);
	}
	free(longer);
}

static void other_output_is_detected(void **state)
{
	static const char *const texts[] = {"\n", "hello\n", "STARTED_BPFD \n",
		"STARTED_BPFD\nEND_BPFD_OUTPUT\n", "STARTED_BPFD\n\n"};
	char endless[REPLIES_LINE_MAX + 2];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct replies r = {.count = 0};

		assert_false(replies_ready(&r));
		take_all(&r, texts[i], 5);
		take_all(&r, VERSION_REPLY, 5);
		assert_int_equal(r.state, REPLIES_FOREIGN);
		assert_false(replies_ready(&r));
		assert_int_equal(r.count, 0);
	}
	struct replies r = {.count = 0};

	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	take_all(&r, endless, 50);
	assert_int_equal(r.state, REPLIES_FOREIGN);
}

static void samples_median_and_extremes(void **state)
{
	struct samples *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_int_equal(samples_median(s), 0);
	samples_add(s, 5);
	assert_int_equal(samples_median(s), 5);
	samples_add(s, 9);
	assert_int_equal(samples_median(s), 5);
	samples_add(s, 1);
	samples_add(s, 7);
	samples_add(s, 100);
	assert_int_equal(samples_median(s), 7);
	assert_int_equal(s->min, 1);
	assert_int_equal(s->max, 100);
	for (int i = 0; i < 2 * SAMPLES_MAX; i++)
		samples_add(s, 50);
	assert_int_equal(samples_median(s), 50);
	assert_int_equal(s->min, 1);
	assert_int_equal(s->max, 100);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_found),
		cmocka_unit_test(other_output_is_detected),
		cmocka_unit_test(samples_median_and_extremes),
	};

	return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
