/* SPDX-License-Identifier: Apache-2.0 */
/* Handles: the choice of numbers, refusals, the order of closing. */
#include "core/bpfd/bpf/handle.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Each object notes its place in the order of closing. */
struct thing {
	int order, fd;
};

static int closed;

static int thing_close(void *object, int fd)
{
	struct thing *thing = object;

	thing->order = ++closed;
	thing->fd = fd;
	return fd == 99 ? -EIO : 0;
}

static const struct handle_class class_a = {"a", thing_close}, class_b = {"b", thing_close};

static void test_numbers(void **state)
{
	struct thing things[6] = {{0, 0}};
	struct handles *h;

	closed = 0;
	assert_int_equal(handles_new(&h, 4096), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(handle_add(h, &class_a, &things[i], 100 + i), 3 + i);
	assert_int_equal(handle_close(h, 4, &class_a), 0);
	assert_int_equal(things[1].fd, 101);
	assert_int_equal(handle_close(h, 6, &class_a), 0);
	assert_int_equal(handle_add(h, &class_b, &things[1], 1), 4); /* the smallest free */
	assert_int_equal(handle_add(h, &class_b, &things[3], 1), 6);
	assert_int_equal(handle_add(h, &class_b, &things[5], 1), 8);
	assert_int_equal(handle_find(h, &class_b, &things[5]), 8);
	assert_int_equal(handle_find(h, &class_a, &things[5]), -ENOENT);
	handles_free(h);
	assert_int_equal(things[5].order, 3); /* highest number first */
	assert_int_equal(things[0].order, 8);
}

static void test_refused(void **state)
{
	static const int64_t numbers[] = {-1, 0, 1, 2, 4, 5, INT64_MIN, INT64_MAX, INT32_MIN,
		1LL << 32, (1LL << 32) + 3, UINT32_MAX, -3};
	struct thing thing = {0, 0};
	struct handles *h;

	assert_int_equal(handles_new(&h, 16), 0);
	assert_null(handle_get(h, 3, &class_a)); /* an empty table */
	assert_int_equal(handle_close(h, 3, &class_a), -EBADF);
	assert_int_equal(handle_add(h, &class_a, &thing, 7), 3);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_null(handle_get(h, numbers[i], &class_a));
		assert_int_equal(handle_close(h, numbers[i], &class_a), -EBADF);
	}
	assert_null(handle_get(h, 3, &class_b));
	assert_int_equal(handle_close(h, 3, &class_b), -EBADF);
	assert_int_equal(handle_get(h, 3, &class_a)->fd, 7);
	assert_ptr_equal(handle_get(h, 3, &class_a)->object, &thing);
	assert_int_equal(thing.order, 0);
	handles_free(h);
}

static void test_full(void **state)
{
	struct thing *things = calloc(301, sizeof(*things));
	struct handles *h;

	assert_int_equal(handles_new(&h, 300), 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(handle_add(h, &class_a, &things[i], i), 3 + i);
	assert_int_equal(handle_add(h, &class_a, &things[300], 300), -EMFILE);
	assert_int_equal(handle_close(h, 3 + 99, &class_a), -EIO); /* closed in spite of that */
	assert_null(handle_get(h, 3 + 99, &class_a));
	assert_int_equal(handle_add(h, &class_a, &things[300], 300), 3 + 99);
	assert_int_equal(handle_add(h, &class_a, &things[99], 300), -EMFILE);
	handles_free(h);
	free(things);
	handles_free(NULL);
}

/* After any sequence of adding and closing, the number is the one that a plain search finds. */
static void test_random(void **state)
{
	struct thing things[64] = {{0, 0}};
	unsigned int seed = 1;
	char used[64] = {0};
	struct handles *h;

	assert_int_equal(handles_new(&h, 64), 0);
	for (int step = 0; step < 20000; step++) {
		int i = rand_r(&seed) % 64, first = 0;

		if (rand_r(&seed) % 2) {
			assert_int_equal(handle_close(h, 3 + i, &class_a), used[i] ? 0 : -EBADF);
			used[i] = 0;
			continue;
		}
		while (first < 64 && used[first])
			first++;
		assert_int_equal(
			handle_add(h, &class_a, &things[0], 1), first < 64 ? 3 + first : -EMFILE);
		if (first < 64)
			used[first] = 1;
	}
	handles_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
