/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: the examples of its standard, and each length around a block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/base/sha256.h"

static void assert_hash(const char *data, size_t repeated, const char *wanted)
{
	uint8_t result[SHA256_SIZE];
	char text[SHA256_HEX_SIZE];
	struct sha256 hash;

	sha256_begin(&hash);
	for (size_t i = 0; i < repeated; i++)
		sha256_add(&hash, data, strlen(data));
	sha256_end(&hash, result);
	sha256_hex(result, text);
	assert_string_equal(text, wanted);
}

static void test_examples(void **state)
{
	assert_hash("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_hash("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_hash(
		"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Compares with libsodium, with each split of the data into two parts. */
static void test_lengths(void **state)
{
	uint8_t data[200], ours[SHA256_SIZE], theirs[SHA256_SIZE];
	struct sha256 hash;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t size = 0; size <= sizeof(data); size++) {
		crypto_hash_sha256(theirs, data, size);
		for (size_t first = 0; first <= size; first++) {
			sha256_begin(&hash);
			sha256_add(&hash, data, first);
			sha256_add(&hash, data + first, size - first);
			sha256_end(&hash, ours);
			assert_memory_equal(ours, theirs, sizeof(ours));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
