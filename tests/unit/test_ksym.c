/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel symbols: the packed table, and fake kallsyms and modules files. */
#include "core/bpfd/symbols/ksym.h"
#include "core/bpfd/symbols/ksym_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"

struct fake {
	char dir[64];
	struct ksym *ksym;
};

static int setup(void **state)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	strcpy(fake->dir, "/tmp/test_ksym.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	assert_int_equal(ksym_new(&fake->ksym, fake->dir), 0);
	*state = fake;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"kallsyms", "modules"};
	struct fake *fake = *state;
	char path[128];

	ksym_free(fake->ksym);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", fake->dir, names[i]);
		unlink(path);
	}
	rmdir(fake->dir);
	free(fake);
	return 0;
}

static void wait_check(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 130000000}, NULL);
}

static const char kallsyms[] = "0000000000000000 A fixed_percpu_data\n"
			       "0000000000001000 A cpu_debug_store\n"
			       "ffffffff81000000 T _stext\n"
			       "ffffffff81000000 T _text\n"
			       "ffffffff81000010 t __pfx_do_one\n"
			       "ffffffff81000020 t do_one\n"
			       "ffffffff81000030 t __pfx_lonely\n"
			       "ffffffff81000040 t other\n"
			       "ffffffff81000050 t static_twice\n"
			       "ffffffff81000060 t static_twice\n"
			       "ffffffff82000000 D jiffies\n"
			       "ffffffffc0001100 t mod_b\t[ext4]\n"
			       "ffffffffc0001000 t mod_a\t[ext4]\n"
			       "ffffffffc0001080 t static_twice\t[ext4]\n"
			       "ffffffffc0000000 t nf_first\t[nf_tables]\n"
			       "ffffffffc0002000 t bpf_prog_6deef7357e7b4530\t[bpf]\n";

static void check_address(
	struct ksym *ksym, uint64_t address, const char *name, uint64_t offset, const char *module)
{
	struct ksym_name found;

	assert_int_equal(ksym_find_address(ksym, address, &found), 0);
	assert_string_equal(found.name, name);
	assert_int_equal(found.offset, offset);
	assert_string_equal(found.module, module);
}

static void check_name(struct ksym *ksym, const char *name, uint64_t wanted)
{
	uint64_t address = 0;

	assert_int_equal(ksym_find_name(ksym, name, &address), 0);
	assert_int_equal(address, wanted);
}

static void test_find_address(void **state)
{
	struct fake *fake = *state;
	struct ksym_name found;

	put_file(fake->dir, "kallsyms", kallsyms);
	check_address(fake->ksym, 0xffffffff81000000, "_stext", 0, "kernel");
	check_address(fake->ksym, 0xffffffff81000005, "_stext", 5, "kernel");
	check_address(fake->ksym, 0xffffffff81000011, "__pfx_do_one", 1, "kernel");
	check_address(fake->ksym, 0xffffffff81000020, "do_one", 0, "kernel");
	check_address(fake->ksym, 0xffffffff81000030, "__pfx_lonely", 0, "kernel");
	check_address(fake->ksym, 0xffffffff8100004f, "other", 15, "kernel");
	check_address(fake->ksym, 0xffffffff82000004, "jiffies", 4, "kernel");
	check_address(fake->ksym, 0xffffffffc0000001, "nf_first", 1, "nf_tables");
	check_address(fake->ksym, 0xffffffffc0001000, "mod_a", 0, "ext4");
	check_address(fake->ksym, 0xffffffffc00010ff, "static_twice", 0x7f, "ext4");
	check_address(fake->ksym, 0xffffffffc0001100, "mod_b", 0, "ext4");
	check_address(fake->ksym, 0xffffffffc0002001, "bpf_prog_6deef7357e7b4530", 1, "bpf");
	/* A user address, the gap between the image and the modules, an address far above. */
	assert_int_equal(ksym_find_address(fake->ksym, 0x800, &found), -ENOENT);
	assert_int_equal(ksym_find_address(fake->ksym, 0x7fff00001000, &found), -ENOENT);
	assert_int_equal(ksym_find_address(fake->ksym, 0xffff888000000000, &found), -ENOENT);
	assert_int_equal(ksym_find_address(fake->ksym, 0xffffffff90000000, &found), -ENOENT);
	assert_int_equal(ksym_find_address(fake->ksym, UINT64_MAX, &found), -ENOENT);
}

static void test_find_name(void **state)
{
	struct fake *fake = *state;
	uint64_t address;

	put_file(fake->dir, "kallsyms", kallsyms);
	check_name(fake->ksym, "_text", 0xffffffff81000000);
	check_name(fake->ksym, "__pfx_do_one", 0xffffffff81000010);
	check_name(fake->ksym, "do_one", 0xffffffff81000020);
	check_name(fake->ksym, "__pfx_lonely", 0xffffffff81000030);
	check_name(fake->ksym, "static_twice", 0xffffffff81000050);
	check_name(fake->ksym, "mod_a", 0xffffffffc0001000);
	check_name(fake->ksym, "cpu_debug_store", 0x1000);
	assert_int_equal(ksym_find_name(fake->ksym, "lonely", &address), -ENOENT);
	assert_int_equal(ksym_find_name(fake->ksym, "", &address), -ENOENT);
	assert_int_equal(ksym_find_name(fake->ksym, "__pfx_", &address), -ENOENT);
	assert_int_equal(ksym_find_name(fake->ksym, "do_on", &address), -ENOENT);
}

static void test_32_bit(void **state)
{
	struct fake *fake = *state;

	put_file(
		fake->dir, "kallsyms", "c0008000 T stext\nc0009000 T foo\nbf000000 t mod\t[mod]\n");
	check_address(fake->ksym, 0xc0008004, "stext", 4, "kernel");
	check_address(fake->ksym, 0xc0009001, "foo", 1, "kernel");
	check_address(fake->ksym, 0xbf000010, "mod", 16, "mod");
}

/* Marks of the assembler in modules hide no function, and cannot be looked up by name. */
static void test_mapping_symbols(void **state)
{
	static const char *const marks[] = {"$x", "$d", "$a", "$t", "$d.12", "$xrv64i2p1", "$",
		".L0", ".Lfoo", ".L", "L0\001", "L0"};
	struct fake *fake = *state;
	char text[1024];
	size_t len = 0;
	uint64_t address;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			"ffffffc0010000%02zx t %s\t[mod]\n", i < 3 ? i : 0x10 + i, marks[i]);
	snprintf(text + len, sizeof(text) - len,
		"ffffffc001000000 t first\t[mod]\n"
		"ffffffc001000010 t $dollar\t[mod]\n"
		"ffffffc001000040 t L1\t[mod]\n"
		"ffffffc001000050 t .text\t[mod]\n"
		"ffffffc001000060 t L\t[mod]\n"
		"ffffffc000000000 T _text\n"
		"ffffffc000000004 T $x\n");
	put_file(fake->dir, "kallsyms", text);
	check_address(fake->ksym, 0xffffffc001000000, "first", 0, "mod");
	check_address(fake->ksym, 0xffffffc00100002f, "first", 0x2f, "mod");
	check_address(fake->ksym, 0xffffffc001000040, "L1", 0, "mod");
	check_address(fake->ksym, 0xffffffc001000050, ".text", 0, "mod");
	check_address(fake->ksym, 0xffffffc001000061, "L", 1, "mod");
	check_address(fake->ksym, 0xffffffc000000008, "_text", 8, "kernel");
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		assert_int_equal(ksym_find_name(fake->ksym, marks[i], &address), -ENOENT);
}

static void test_hidden(void **state)
{
	struct fake *fake = *state;
	struct ksym_name found;
	uint64_t address;

	assert_int_equal(ksym_find_address(fake->ksym, 1, &found), -ENOENT); /* no file */
	wait_check();
	put_file(fake->dir, "kallsyms", "0000000000000000 T _text\n0000000000000000 t foo\n");
	assert_int_equal(ksym_find_address(fake->ksym, 1, &found), -EPERM);
	assert_int_equal(ksym_find_name(fake->ksym, "foo", &address), -EPERM);
	wait_check();
	put_file(fake->dir, "kallsyms", "");
	assert_int_equal(ksym_find_name(fake->ksym, "foo", &address), -ENODATA);
	wait_check();
	put_file(fake->dir, "kallsyms", kallsyms);
	check_name(fake->ksym, "_text", 0xffffffff81000000);
}

static void test_modules_change(void **state)
{
	struct fake *fake = *state;
	uint64_t address;

	put_file(fake->dir, "kallsyms", "ffffffff81000000 T _text\n");
	put_file(fake->dir, "modules", "ext4 1000 1 - Live 0xffffffffc0001000\n");
	check_name(fake->ksym, "_text", 0xffffffff81000000);
	put_file(fake->dir, "kallsyms", kallsyms);
	/* A changed reference count does not reload the symbols. */
	put_file(fake->dir, "modules", "ext4 1000 2 jbd2, Live 0xffffffffc0001000\n");
	wait_check();
	assert_int_equal(ksym_find_name(fake->ksym, "mod_a", &address), -ENOENT);
	put_file(fake->dir, "modules",
		"nf_tables 900 0 - Live 0xffffffffc0000000\n"
		"ext4 1000 2 - Live 0xffffffffc0001000\n");
	wait_check();
	check_name(fake->ksym, "mod_a", 0xffffffffc0001000);
}

static void test_malformed(void **state)
{
	struct fake *fake = *state;
	char *text = malloc(300000);

	strcpy(text, "\n x\nffffffff81000000\nffffffff81000000 T\nffffffff81000000 T \n"
		     "ffffffff81000000 T a\x80\xff"
		     "b\nzz T no\nffffffff81000000 t \t[module]\n"
		     "ffffffff81000000 t good\n"
		     "ffffffff81000004 t nomod\t[\nffffffff81000005 t nomod2\t[]\n"
		     "ffffffff81000008 t ");
	memset(text + strlen(text) + 1, 0, 1);
	size_t len = strlen(text);
	memset(text + len, 'x', 200000); /* a very long line, whose end must not become a symbol */
	strcpy(text + len + 200000, "\nffffffff81000010 t after\nffffffff81000020 t cut");
	put_file(fake->dir, "kallsyms", text);
	free(text);
	check_name(fake->ksym, "good", 0xffffffff81000000);
	check_name(fake->ksym, "after", 0xffffffff81000010);
}

/* Compares a table of many symbols with a plain array. */
static void test_table_many(void **state)
{
	enum { COUNT = 5000 };
	struct ksym_table table = {.count = 0};
	uint64_t *addresses = calloc(COUNT, sizeof(*addresses)), address = 0x1000;
	char name[64], got[KSYM_PREFIX_SIZE + KSYM_NAME_MAX + 1];

	srandom(7);
	for (uint32_t i = 0; i < COUNT; i++) {
		address += (uint64_t)(random() % 3) << (random() % 32);
		addresses[i] = address;
		snprintf(name, sizeof(name), "%ssym_%u", i % 2 ? "" : "__pfx_", i / 2);
		assert_int_equal(ksym_table_add(&table, address, name, strlen(name), i % 16384), 0);
	}
	assert_int_equal(ksym_table_add(&table, 1, "a", 1, 0), -ERANGE);
	ksym_table_trim(&table);
	for (uint32_t i = 0; i < COUNT; i++) {
		uint32_t first = i;

		while (first && addresses[first - 1] == addresses[i])
			first--;
		snprintf(name, sizeof(name), "%ssym_%u", i % 2 ? "" : "__pfx_", i / 2);
		assert_int_equal(ksym_table_address(&table, i), addresses[i]);
		assert_int_equal(ksym_table_name(&table, i, got), i % 16384);
		assert_string_equal(got, name);
		assert_int_equal(ksym_table_find_name(&table, name), i);
		assert_int_equal(ksym_table_find_address(&table, addresses[i]), first);
		if (i + 1 < COUNT && addresses[i + 1] > addresses[i])
			assert_int_equal(
				ksym_table_find_address(&table, addresses[i + 1] - 1), first);
	}
	assert_int_equal(ksym_table_find_address(&table, addresses[0] - 1), -ENOENT);
	ksym_table_clear(&table);
	assert_int_equal(ksym_table_find_address(&table, 5), -ENOENT);
	assert_int_equal(ksym_table_find_name(&table, "sym_1"), -ENOENT);
	free(addresses);
}

/* Names that begin with "__pfx_" several times keep their text. */
static void test_table_prefix(void **state)
{
	static const char *const names[] = {
		"__pfx___pfx_a", "__pfx_a", "a", "__pfx_", "__pfx_b", "__pfx_b", "b", "__pfx_c"};
	struct ksym_table table = {.count = 0};
	char got[KSYM_PREFIX_SIZE + KSYM_NAME_MAX + 1], longest[KSYM_NAME_MAX + 2];
	uint32_t i;

	for (i = 0; i < 8; i++)
		assert_int_equal(ksym_table_add(&table, i, names[i], strlen(names[i]), i & 1), 0);
	for (i = 0; i < 8; i++) {
		assert_int_equal(ksym_table_name(&table, i, got), i & 1);
		assert_string_equal(got, names[i]);
	}
	memset(longest, 'l', sizeof(longest));
	assert_int_equal(ksym_table_add(&table, 9, longest, KSYM_NAME_MAX, 0), 0);
	assert_int_equal(ksym_table_add(&table, 9, longest, KSYM_NAME_MAX + 1, 0), -EINVAL);
	assert_int_equal(ksym_table_add(&table, 9, "", 0, 0), -EINVAL);
	assert_int_equal(ksym_table_add(&table, 9, "\x02", 1, 0), -EINVAL);
	assert_int_equal(ksym_table_add(&table, 9, "\x80z", 2, 0), -EINVAL);
	assert_int_equal(ksym_table_add(&table, 9, "a", 1, KSYM_MODULE_MAX + 1), -EINVAL);
	ksym_table_clear(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_32_bit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mapping_symbols, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hidden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_modules_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test(test_table_many),
		cmocka_unit_test(test_table_prefix),
	};

	return cmocka_run_group_tests_name("ksym", tests, NULL, NULL);
}
