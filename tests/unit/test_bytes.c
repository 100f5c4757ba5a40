/* SPDX-License-Identifier: Apache-2.0 */
/* Tests byte cursors: the byte order, and errors that stick, of reader and writer. */
#include "core/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
	static const uint8_t expected[] = {
		0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 9, 8};
	struct bytes_out out = {.data = NULL};
	struct bytes_in in;

	bytes_put_u8(&out, 0x01);
	bytes_put_u16(&out, 0x0203);
	bytes_put_u32(&out, 0x04050607);
	bytes_put_u64(&out, 0x08090a0b0c0d0e0f);
	assert_false(out.failed);
	assert_int_equal(out.size, sizeof(expected));
	assert_memory_equal(out.data, expected, sizeof(expected));

	in = (struct bytes_in){.data = out.data, .size = out.size};
	assert_int_equal(bytes_get_u8(&in), 0x01);
	assert_int_equal(bytes_get_u16(&in), 0x0203);
	assert_int_equal(bytes_get_u32(&in), 0x04050607);
	assert_false(bytes_get_end(&in));
	assert_true(bytes_get_u64(&in) == 0x08090a0b0c0d0e0f);
	assert_true(bytes_get_end(&in));
	bytes_out_free(&out);
	assert_null(out.data);
	assert_int_equal(out.size, 0);
}

static void test_read_beyond_the_end(void **state)
{
	static const uint8_t data[3] = {1, 2, 3};
	struct bytes_in in = {.data = data, .size = sizeof(data)};

	assert_int_equal(bytes_get_u32(&in), 0);
	assert_true(in.failed);
	assert_int_equal(bytes_get_u8(&in), 0); /* the failure sticks, although a byte is left */
	assert_null(bytes_get(&in, 1));
	assert_false(bytes_get_end(&in));
}

static void test_write_into_fixed_memory(void **state)
{
	uint8_t data[4] = {9, 9, 9, 9};
	struct bytes_out out = bytes_out_fixed(data, 3);

	bytes_put_u16(&out, 0x0102);
	bytes_put_u16(&out, 0x0304);
	assert_true(out.failed);
	bytes_put_u8(&out, 5); /* it would fit, but an earlier write failed */
	assert_int_equal(out.size, 2);
	assert_memory_equal(data, ((const uint8_t[]){2, 1, 9, 9}), 4);
	assert_null(bytes_put_room(&out, 1));

	out = bytes_out_fixed(data, 3);
	bytes_put(&out, "abc", 3);
	bytes_put(&out, NULL, 0);
	assert_false(out.failed);
	assert_memory_equal(data, "abc\x09", 4);
}

static void test_growth(void **state)
{
	struct bytes_out out = {.data = NULL};
	uint8_t *room;

	for (uint32_t i = 0; i < 5000; i++)
		bytes_put_u32(&out, i);
	room = bytes_put_room(&out, 100000);
	assert_non_null(room);
	memset(room, 0xee, 100000);
	assert_int_equal(out.size, 120000);
	assert_true(out.room >= out.size);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(get_le(out.data + 4 * i, 4), i);
	assert_null(bytes_put_room(&out, SIZE_MAX / 2));
	assert_true(out.failed);
	bytes_put_u8(&out, 1);
	assert_int_equal(out.size, 120000);
	bytes_out_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_read_beyond_the_end),
		cmocka_unit_test(test_write_into_fixed_memory),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
