/* SPDX-License-Identifier: Apache-2.0 */
/* BTF of a board: what compilers make is accepted; names, references and cycles are checked. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "host-usb/run/files/btf.h"
#include "host-usb/run/files/btf_file.h"
#include "tests/unit/btf_test.h"
#include "tests/unit/skip.h"

/* Reads from memory of exactly that size, where the sanitizer sees an overrun. */
static int read_data(
	const void *data, size_t size, const struct btf_types *base, struct btf_types **types)
{
	char *exact = malloc(size + !size);
	const char *why;
	int err;

	assert_non_null(exact);
	memcpy(exact, data, size);
	err = btf_read(types, exact, size, base, &why);
	free(exact);
	assert_true(err == 0 || (err == -EPROTO && why));
	return err;
}

static int try_data(const void *data, size_t size)
{
	struct btf_types *types = NULL;
	int err = read_data(data, size, NULL, &types);

	btf_free(types);
	return err;
}

static int try_types(struct btf_test *btf)
{
	btf_test_end(btf);
	return try_data(btf->data, btf->size);
}

/* 1: int, 2: struct list { struct list *next; int value[3]; }, 3: pointer to it, 4: array,
 * 5: typedef of it, 6: a prototype, 7: a function, 8: enum. */
static void make_types(struct btf_test *btf)
{
	btf_test_begin(btf, false);
	btf_test_int(btf, "unsigned int");
	btf_test_type(btf, btf_test_string(btf, "list"), BTF_KIND_STRUCT, 2, 20);
	btf_test_word(btf, btf_test_string(btf, "next"));
	btf_test_word(btf, 3);
	btf_test_word(btf, 0);
	btf_test_word(btf, btf_test_string(btf, "value"));
	btf_test_word(btf, 4);
	btf_test_word(btf, 64);
	btf_test_type(btf, 0, BTF_KIND_PTR, 0, 2);
	btf_test_type(btf, 0, BTF_KIND_ARRAY, 0, 0);
	btf_test_word(btf, 1);
	btf_test_word(btf, 1);
	btf_test_word(btf, 3);
	btf_test_type(btf, btf_test_string(btf, "list_t"), BTF_KIND_TYPEDEF, 0, 2);
	btf_test_type(btf, 0, BTF_KIND_FUNC_PROTO, 1, 0);
	btf_test_word(btf, btf_test_string(btf, "head"));
	btf_test_word(btf, 3);
	btf_test_type(btf, btf_test_string(btf, "list_add.constprop.0"), BTF_KIND_FUNC, 0, 6);
	btf_test_type(btf, btf_test_string(btf, "color"), BTF_KIND_ENUM, 1, 4);
	btf_test_word(btf, btf_test_string(btf, "RED"));
	btf_test_word(btf, 1);
}

static void test_good(void **state)
{
	static const int64_t sizes[] = {-1, 4, 20, 8, 12, 20, -1, -1, 4, -1, -1};
	struct btf_types *types = NULL;
	struct btf_test btf;

	make_types(&btf);
	btf_test_end(&btf);
	assert_int_equal(read_data(btf.data, btf.size, NULL, &types), 0);
	assert_true(btf_is(types, btf.data, btf.size));
	assert_false(btf_is(types, btf.data, btf.size - 1));
	for (uint32_t id = 0; id < sizeof(sizes) / sizeof(sizes[0]); id++)
		for (int64_t size = 0; size < 30; size++)
			assert_int_equal(
				btf_is_value(types, id, (uint64_t)size, 8), size == sizes[id]);
	assert_true(btf_is_value(types, 3, 4, 4)); /* a pointer on a board of 32 bits */
	for (uint32_t id = 0; id < 12; id++)
		assert_int_equal(btf_is_function(types, id), id == 7);
	btf_free(types);
	/* Cut anywhere it is refused. */
	for (size_t size = 0; size < btf.size; size++)
		assert_int_equal(try_data(btf.data, size), -EPROTO);
}

/* A section, as maps of global variables have it: each variable must be within it. */
static void test_section(void **state)
{
	for (uint32_t offset = 0; offset < 12; offset++) {
		struct btf_types *types = NULL;
		struct btf_test btf;

		btf_test_begin(&btf, false);
		btf_test_int(&btf, "int");
		btf_test_type(&btf, btf_test_string(&btf, "count"), BTF_KIND_VAR, 0, 1);
		btf_test_word(&btf, 0);
		btf_test_type(&btf, btf_test_string(&btf, ".bss"), BTF_KIND_DATASEC, 1, 8);
		btf_test_word(&btf, 2);
		btf_test_word(&btf, offset);
		btf_test_word(&btf, 4);
		btf_test_end(&btf);
		assert_int_equal(read_data(btf.data, btf.size, NULL, &types), 0);
		assert_int_equal(btf_is_value(types, 3, 8, 8), offset <= 4);
		btf_free(types);
	}
}

/* Lines of source code are strings too, which tools print. */
static void test_strings(void **state)
{
	for (int c = 1; c < 256; c++) {
		struct btf_test btf;

		make_types(&btf);
		btf_test_string(&btf, (const char[]){'a', (char)c, 'b', 0});
		assert_int_equal(try_types(&btf),
			(c < ' ' && c != '\t' && c != '\f') || c == 0x7f ? -EPROTO : 0);
	}
}

/* Every reference that leads outside is refused, and every name that is not one. */
static void test_wrong_words(void **state)
{
	/* Words of make_types() that are type ids, and those that are names. */
	static const size_t ids[] = {8, 11, 15, 19, 20, 24, 29, 32},
			    names[] = {0, 4, 7, 10, 22, 28, 30, 33, 36};
	struct btf_test btf;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const uint32_t wrong[] = {9, 1000, 0x7fffffff, UINT32_MAX, 7};

		for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++) {
			make_types(&btf);
			btf.types[ids[i]] = wrong[j];
			if (try_types(&btf) != -EPROTO)
				fail_msg("word %zu: %u is accepted", ids[i], wrong[j]);
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		static const char *const wrong[] = {"\33[2J", "a b;", "a\n", "1a", "a\"b", "\200"};

		make_types(&btf);
		btf.types[names[i]] = (uint32_t)btf.strings_size;
		assert_int_equal(try_types(&btf), -EPROTO);
		btf.types[names[i]] = UINT32_MAX;
		assert_int_equal(try_types(&btf), -EPROTO);
		for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++) {
			make_types(&btf);
			btf.types[names[i]] = btf_test_string(&btf, wrong[j]);
			if (try_types(&btf) != -EPROTO)
				fail_msg("word %zu: name %zu is accepted", names[i], j);
		}
	}
	/* An unknown kind, flags that no kernel sets, entries that are not there. */
	make_types(&btf);
	btf.types[5] = 20U << 24;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf);
	btf.types[5] |= 1U << 29;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf);
	btf.types[5] = BTF_KIND_STRUCT << 24 | 0xffff;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf);
	btf.types[12] = 20 * 8 + 1; /* a member after the end of its structure */
	assert_int_equal(try_types(&btf), -EPROTO);
	/* A tool prints the padding of a structure. */
	make_types(&btf);
	btf.types[6] = 16 << 20;
	assert_int_equal(try_types(&btf), 0);
	btf.types[6]++;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf);
	btf.strings[btf.strings_size - 1] = 'x';
	assert_int_equal(try_types(&btf), -EPROTO);
}

/* Types that contain themselves. Only a named structure that is reached by a pointer may. */
static void test_cycles(void **state)
{
	static const uint32_t modifiers[] = {BTF_KIND_CONST, BTF_KIND_VOLATILE, BTF_KIND_RESTRICT,
		BTF_KIND_PTR, BTF_KIND_TYPEDEF};
	struct btf_test btf;

	for (size_t i = 0; i < sizeof(modifiers) / sizeof(modifiers[0]); i++) {
		for (uint32_t length = 1; length < 5; length++) {
			btf_test_begin(&btf, false);
			for (uint32_t id = 1; id <= length; id++)
				btf_test_type(&btf,
					modifiers[i] == BTF_KIND_TYPEDEF
						? btf_test_string(&btf, "name")
						: 0,
					modifiers[i], 0, id == length ? 1 : id + 1);
			assert_int_equal(try_types(&btf), -EPROTO);
		}
	}
	make_types(&btf); /* an array of itself */
	btf.types[19] = 4;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf); /* an array of the structure that contains it */
	btf.types[19] = 2;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf); /* the same by a typedef */
	btf.types[19] = 5;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf); /* a prototype that has itself as a parameter */
	btf.types[29] = 6;
	assert_int_equal(try_types(&btf), -EPROTO);
	make_types(&btf); /* an unnamed structure that points to itself */
	btf.types[4] = 0;
	assert_int_equal(try_types(&btf), -EPROTO);
}

/* A row of modifiers is not a cycle, but tools follow it by recursion. */
static void test_long_rows(void **state)
{
	for (int length = 20; length < 200000; length *= 10) {
		size_t words = 4 + 3 * (size_t)length, size = sizeof(struct btf_header);
		const struct btf_header header = {.magic = BTF_MAGIC,
			.version = BTF_VERSION,
			.hdr_len = sizeof(header),
			.type_len = (uint32_t)(words * 4),
			.str_off = (uint32_t)(words * 4),
			.str_len = 5};
		uint32_t *types = calloc(words, 4);
		char *data = calloc(1, size + words * 4 + 5);

		assert_true(types && data);
		memcpy(types, (uint32_t[4]){1, BTF_KIND_INT << 24, 4, 32}, 16);
		for (int i = 0; i < length; i++) {
			types[5 + 3 * i] = BTF_KIND_CONST << 24;
			types[6 + 3 * i] = (uint32_t)i + 1; /* the type before it */
		}
		memcpy(data, &header, size);
		memcpy(data + size, types, words * 4);
		memcpy(data + size + words * 4, "\0int", 5);
		assert_int_equal(try_data(data, size + words * 4 + 5), length < 512 ? 0 : -EPROTO);
		free(types);
		free(data);
	}
}

/* Ids and names of a module continue those of the kernel. */
static void test_module(void **state)
{
	struct btf_types *kernel = NULL, *module = NULL;
	struct btf_test base, btf;

	make_types(&base);
	btf_test_end(&base);
	assert_int_equal(read_data(base.data, base.size, NULL, &kernel), 0);
	for (uint32_t id = 1; id < 12; id++) {
		btf_test_begin(&btf, true);
		btf_test_type(&btf, (uint32_t)base.strings_size, BTF_KIND_TYPEDEF, 0, id); /* 9 */
		btf_test_string(&btf, "mine");
		btf_test_type(&btf, 14, BTF_KIND_TYPEDEF, 0, 9); /* a name of the kernel */
		btf_test_end(&btf);
		/* 7 is a function, 9 is itself, 10 refers back to it */
		assert_int_equal(read_data(btf.data, btf.size, kernel, &module),
			id == 7 || id > 8 ? -EPROTO : 0);
		btf_free(module);
		module = NULL;
		assert_int_equal(try_data(btf.data, btf.size), -EPROTO);
	}
	btf_free(kernel);
}

static int check_file(struct btf_files *files, const char *path, const struct btf_test *btf)
{
	int fd = memfd_create("btf", MFD_CLOEXEC), err;

	assert_true(fd >= 0 && write(fd, btf->data, btf->size) == (ssize_t)btf->size);
	err = btf_file_check(files, path, fd);
	close(fd);
	return err;
}

static int no_kernel(void *arg)
{
	return -ENOENT;
}

static void test_files(void **state)
{
	struct btf_test kernel = btf_test_of("int", false), other = btf_test_of("char", false),
			module = btf_test_of("mine", true), wrong = kernel;
	struct btf_files files = {.open_kernel = no_kernel};

	wrong.data[4] = 1;
	/* The name of the module's type is after the strings of the kernel. */
	module.data[sizeof(struct btf_header)] = (char)kernel.strings_size;
	assert_int_equal(check_file(&files, "/sys/kernel/btf_not", &wrong), 0);
	assert_int_equal(check_file(&files, "/sys/kernel/btf/mine", &module), -EIO);
	assert_int_equal(check_file(&files, "/sys/kernel/btf/vmlinux", &wrong), -EIO);
	assert_int_equal(check_file(&files, "/sys/kernel/btf/vmlinux", &kernel), 0);
	assert_int_equal(check_file(&files, "/sys/kernel/btf/vmlinux", &kernel), 0);
	assert_int_equal(check_file(&files, "/sys/kernel/btf/vmlinux", &other), -EIO);
	assert_int_equal(check_file(&files, "/sys/kernel/btf/mine", &module), 0);
	assert_int_equal(check_file(&files, "/sys/kernel/btf/mine", &wrong), -EIO);
	btf_free(files.kernel);
}

/* The types of the kernel that runs the test. */
static void test_this_kernel(void **state)
{
	int fd = open(BTF_FILE_KERNEL, O_RDONLY | O_CLOEXEC);
	struct btf_types *types = NULL;
	size_t size = 0, room = 64 << 20;
	char *data;
	ssize_t n;

	if (fd < 0)
		skip_because("this kernel has no BTF");
	data = malloc(room);
	assert_non_null(data);
	while ((n = read(fd, data + size, room - size)) > 0)
		size += (size_t)n;
	close(fd);
	assert_int_equal(read_data(data, size, NULL, &types), 0);
	btf_free(types);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_section),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_wrong_words),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_long_rows),
		cmocka_unit_test(test_module),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
