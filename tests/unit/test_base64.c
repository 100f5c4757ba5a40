/* SPDX-License-Identifier: Apache-2.0 */
/* Tests base64: the examples of RFC 4648, every length, every wrong byte, decoding in place. */
#include "core/base/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *data, *text;
} examples[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xff\xef\xbe\xfb", "/++++w=="},
};

static void test_examples(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		size_t size = strlen(examples[i].data), len = strlen(examples[i].text);
		char text[32], data[32];

		assert_int_equal(BASE64_SIZE(size), len);
		base64_encode(text, examples[i].data, size);
		assert_memory_equal(text, examples[i].text, len);
		assert_int_equal(base64_decode(data, text, len), size);
		assert_memory_equal(data, examples[i].data, size);
	}
}

static void test_all_digits(void **state)
{
	static const char text[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char data[48], again[64];

	assert_int_equal(base64_decode(data, text, 64), 48);
	base64_encode(again, data, 48);
	assert_memory_equal(again, text, 64);
}

/* The allocations have the exact size, so that ASan reports one byte too many. */
static void test_every_length_in_place(void **state)
{
	for (size_t size = 1; size < 200; size++) {
		unsigned char *data = malloc(size);
		char *text = malloc(BASE64_SIZE(size));

		for (size_t i = 0; i < size; i++)
			data[i] = (unsigned char)(i * 37 + size);
		base64_encode(text, data, size);
		assert_int_equal(base64_decode(text, text, BASE64_SIZE(size)), size);
		assert_memory_equal(text, data, size);
		free(text);
		free(data);
	}
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = {"A", "AA", "AAA", "AAAAA", "=", "====", "A===", "AA=A",
		"=AAA", "A=AA", "AA==AAAA", "AAA=AAAA", "AA A", "AAA\n", "AA-A", "AA_A", "AAA\xff",
		"\x80"
		"AAA"};
	char data[16];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(base64_decode(data, wrong[i], strlen(wrong[i])), -EINVAL);
}

static void test_every_byte(void **state)
{
	char text[8], data[6];

	for (int at = 0; at < 8; at++) {
		for (int c = 0; c < 256; c++) {
			int digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
				    (c >= '0' && c <= '9') || c == '+' || c == '/';
			ssize_t wanted = digit ? 6 : c == '=' && at == 7 ? 5 : -EINVAL;

			memset(text, 'A', sizeof(text));
			text[at] = (char)c;
			assert_int_equal(base64_decode(data, text, 8), wanted);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_all_digits),
		cmocka_unit_test(test_every_length_in_place),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
