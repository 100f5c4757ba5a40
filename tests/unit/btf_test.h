/* SPDX-License-Identifier: Apache-2.0 */
/* Makes small BTF for tests. Include after cmocka.h. */
#ifndef TESTS_UNIT_BTF_TEST_H
#define TESTS_UNIT_BTF_TEST_H

#include <linux/btf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BTF_TEST_SIZE 8192

/* BTF in the making. Strings are in the order of btf_test_string(). */
struct btf_test {
	uint32_t types[512];
	size_t count; /* words of the types */
	char strings[2048];
	size_t strings_size;
	char data[BTF_TEST_SIZE];
	size_t size;
};

/* BTF of a module has no empty string at the start. */
static inline void btf_test_begin(struct btf_test *btf, bool is_module)
{
	memset(btf, 0, sizeof(*btf));
	btf->strings_size = is_module ? 0 : 1;
}

static inline uint32_t btf_test_string(struct btf_test *btf, const char *text)
{
	size_t at = btf->strings_size;

	memcpy(btf->strings + at, text, strlen(text) + 1);
	btf->strings_size += strlen(text) + 1;
	return (uint32_t)at;
}

static inline void btf_test_word(struct btf_test *btf, uint32_t word)
{
	btf->types[btf->count++] = word;
}

/* Begins a type; its parts follow as words. */
static inline void btf_test_type(
	struct btf_test *btf, uint32_t name, uint32_t kind, uint32_t vlen, uint32_t size_or_type)
{
	btf_test_word(btf, name);
	btf_test_word(btf, kind << 24 | vlen);
	btf_test_word(btf, size_or_type);
}

static inline void btf_test_int(struct btf_test *btf, const char *name)
{
	btf_test_type(btf, btf_test_string(btf, name), BTF_KIND_INT, 0, 4);
	btf_test_word(btf, 32);
}

static inline void btf_test_end(struct btf_test *btf)
{
	const struct btf_header header = {.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(header),
		.type_len = (uint32_t)(btf->count * sizeof(btf->types[0])),
		.str_off = (uint32_t)(btf->count * sizeof(btf->types[0])),
		.str_len = (uint32_t)btf->strings_size};

	memcpy(btf->data, &header, sizeof(header));
	memcpy(btf->data + sizeof(header), btf->types, header.type_len);
	memcpy(btf->data + sizeof(header) + header.type_len, btf->strings, header.str_len);
	btf->size = sizeof(header) + header.type_len + header.str_len;
}

/* BTF of one type, an integer of this name. */
static inline struct btf_test btf_test_of(const char *name, bool is_module)
{
	struct btf_test btf;

	btf_test_begin(&btf, is_module);
	btf_test_int(&btf, name);
	btf_test_end(&btf);
	return btf;
}

#endif
