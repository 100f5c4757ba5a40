/* SPDX-License-Identifier: Apache-2.0 */
/* User symbols that are in other files: of JIT compilers, and of stripped programs. */
#include "core/bpfd/symbols/jit_map.h"
#include "core/bpfd/symbols/usym.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fake_tree.h"

#define FILE_SIZE 0x2400
#define TEXT	  0x401000

struct fake {
	char dir[64], process[96];
	struct usym *usym;
};

static void put_status(const struct fake *fake, const char *pids, uid_t user)
{
	char text[256];

	snprintf(text, sizeof(text), "Name:\tjava\nUid:\t%u\t%u\t%u\t%u\nNSpid:\t%s\nThreads:\t1\n",
		user, user, user, user, pids);
	put_file(fake->process, "status", text);
}

static int setup(void **state)
{
	static const char *const dirs[] = {"7", "7/root", "7/root/tmp", "7/root/bin",
		"7/root/bin/.debug", "7/root/usr", "7/root/usr/lib", "7/root/usr/lib/debug",
		"7/root/usr/lib/debug/bin", "7/root/usr/lib/debug/.build-id",
		"7/root/usr/lib/debug/.build-id/a0"};
	struct fake *fake = calloc(1, sizeof(*fake));

	strcpy(fake->dir, "/tmp/test_usym.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		put_directory(fake->dir, dirs[i]);
	snprintf(fake->process, sizeof(fake->process), "%s/7", fake->dir);
	put_file(fake->process, "stat",
		"7 (a) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1\n");
	put_file(fake->process, "maps",
		"00501000-00502000 r-xp 00001000 08:01 77   /bin/prog\n"
		"7f0000000000-7f0000100000 rwxp 00000000 00:00 0\n"
		"7f0000100000-7f0000200000 rwxs 00000000 00:01 9   /memfd:jit (deleted)\n");
	put_status(fake, "7", geteuid());
	assert_int_equal(usym_new(&fake->usym, fake->dir), 0);
	*state = fake;
	return 0;
}

static int teardown(void **state)
{
	struct fake *fake = *state;

	usym_free(fake->usym);
	remove_tree(fake->dir);
	free(fake);
	return 0;
}

/* Forgets all that was read. */
static void forget(struct fake *fake)
{
	usym_free(fake->usym);
	assert_int_equal(usym_new(&fake->usym, fake->dir), 0);
}

static void expect(struct fake *fake, uint64_t address, const char *name, uint64_t offset)
{
	struct usym_name found;
	int err = usym_find_address(fake->usym, 7, address, true, &found);

	if (!name) {
		assert_int_equal(err, -ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_string_equal(found.name, name);
	assert_int_equal(found.offset, offset);
}

static void test_jit(void **state)
{
	struct fake *fake = *state;
	struct usym_name found;
	uint64_t address;

	put_file(fake->process, "root/tmp/perf-7.map",
		"7f0000001000 100 LazyCompile:*foo a.js:1\n"
		"7f0000002000 80 old\n"
		"7f0000002000 40 Lcom/x;::run@2\n" /* the compiler used the memory again */
		"7f0000003000 1000 outer\n7f0000003010 10 inner\n"
		"7f0000101000 20 in_memfd\n"
		"\n-1 2 x\nzz 1 x\n7f0000004000 10\n7f0000004000 -1 x\n 7f0000004000 10 x\n"
		"7f0000005000 10 half");
	expect(fake, 0x7f0000001010, "LazyCompile:*foo a.js:1", 0x10);
	assert_int_equal(usym_find_address(fake->usym, 7, 0x7f0000001000, true, &found), 0);
	assert_string_equal(found.module, "/tmp/perf-7.map");
	expect(fake, 0x7f0000001100, NULL, 0);
	expect(fake, 0x7f0000002010, "Lcom/x?::run@2", 0x10);
	expect(fake, 0x7f0000003011, "inner", 1);
	expect(fake, 0x7f0000003020, "outer", 0x20);
	expect(fake, 0x7f0000101001, "in_memfd", 1);
	expect(fake, 0x7f0000004000, NULL, 0);
	expect(fake, 0x7f0000005000, NULL, 0); /* the line is not whole yet */
	expect(fake, 0x600000, NULL, 0);
	assert_int_equal(usym_find_name(fake->usym, 7, "inner", "/tmp/perf-7.map", &address), 0);
	assert_int_equal(address, 0x7f0000003010);
	assert_int_equal(usym_find_name(fake->usym, 7, "inner", "perf-7.map", &address), 0);
	assert_int_equal(usym_find_name(fake->usym, 7, "inner", "perf-8.map", &address), -ENOENT);
	assert_int_equal(usym_find_name(fake->usym, 7, "inne", "perf-7.map", &address), -ENOENT);
}

/* The file is named by the process's number in its namespace, and must be that of its user. */
static void test_jit_owner(void **state)
{
	struct fake *fake = *state;

	put_file(fake->process, "root/tmp/perf-7.map", "7f0000001000 100 outside\n");
	put_file(fake->process, "root/tmp/perf-3.map", "7f0000001000 100 inside\n");
	expect(fake, 0x7f0000001000, "outside", 0);
	put_status(fake, "7\t12\t3", geteuid());
	forget(fake);
	expect(fake, 0x7f0000001000, "inside", 0);
	put_status(fake, "7\t12\t3", geteuid() + 1);
	forget(fake);
	expect(fake, 0x7f0000001000, NULL, 0);
}

/* What was added to the file is found, after a second. */
static void test_jit_grows(void **state)
{
	struct fake *fake = *state;
	struct jit_map map = {.count = 0};
	uint64_t offset;
	char path[256];

	put_file(fake->process, "root/tmp/perf-7.map", "1000 10 first\n");
	assert_int_equal(jit_map_refresh(&map, fake->dir, 7), 0);
	assert_string_equal(jit_map_find_address(&map, 0x1001, &offset), "first");
	put_file(fake->process, "root/tmp/perf-7.map", "1000 10 first\n2000 10 second\n");
	assert_int_equal(jit_map_refresh(&map, fake->dir, 7), 0);
	assert_null(jit_map_find_address(&map, 0x2001, &offset));
	map.read_ms -= 1000;
	assert_int_equal(jit_map_refresh(&map, fake->dir, 7), 0);
	assert_string_equal(jit_map_find_address(&map, 0x2001, &offset), "second");
	snprintf(path, sizeof(path), "%s/root/tmp/perf-7.map", fake->process);
	assert_int_equal(truncate(path, 40 << 20), 0);
	map.read_ms -= 1000;
	assert_int_equal(jit_map_refresh(&map, fake->dir, 7), -EFBIG);
	assert_null(jit_map_find_address(&map, 0x2001, &offset));
	jit_map_clear(&map);
}

/* A file with one segment, at 0x1000, a function `hidden` if it has a .symtab, a build id that
 * begins with `id` and a debuglink with a checksum; 0: without them. */
static void put_elf(
	const struct fake *fake, const char *name, bool has_symtab, unsigned char id, uint32_t crc)
{
	static const char names[] = "\0.note.gnu.build-id\0.gnu_debuglink\0hidden";
	static const unsigned char note[] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0};
	unsigned char *file = calloc(1, FILE_SIZE);
	Elf64_Ehdr *header = (void *)file;
	Elf64_Phdr *segment = (void *)(file + sizeof(*header));
	Elf64_Shdr *section = (void *)(file + 0x2200);
	Elf64_Sym *sym = (void *)(file + 0x2000);
	char path[256];
	FILE *out;

	*header = (Elf64_Ehdr){.e_type = htole16(ET_DYN),
		.e_machine = htole16(EM_X86_64),
		.e_version = htole32(EV_CURRENT),
		.e_phoff = htole64(sizeof(*header)),
		.e_phentsize = htole16(sizeof(*segment)),
		.e_phnum = htole16(1),
		.e_shoff = htole64(0x2200),
		.e_shentsize = htole16(sizeof(*section)),
		.e_shnum = htole16(5),
		.e_shstrndx = htole16(2),
		.e_ehsize = htole16(sizeof(*header))};
	memcpy(header->e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	*segment = (Elf64_Phdr){.p_type = htole32(PT_LOAD),
		.p_flags = htole32(PF_R | PF_X),
		.p_offset = htole64(0x1000),
		.p_vaddr = htole64(TEXT),
		.p_filesz = htole64(0x1000),
		.p_memsz = htole64(0x1000)};
	section[1] = (Elf64_Shdr){.sh_type = htole32(has_symtab ? SHT_SYMTAB : SHT_PROGBITS),
		.sh_offset = htole64(0x2000),
		.sh_size = htole64(2 * sizeof(*sym)),
		.sh_link = htole32(2),
		.sh_entsize = htole64(sizeof(*sym))};
	section[2] = (Elf64_Shdr){.sh_type = htole32(SHT_STRTAB),
		.sh_offset = htole64(0x300),
		.sh_size = htole64(sizeof(names))};
	section[3] = (Elf64_Shdr){.sh_type = htole32(id ? SHT_NOTE : SHT_NULL),
		.sh_name = htole32(1),
		.sh_offset = htole64(0x200),
		.sh_addralign = htole64(4),
		.sh_size = htole64(sizeof(note) + 20)};
	section[4] = (Elf64_Shdr){.sh_type = htole32(crc ? SHT_PROGBITS : SHT_NULL),
		.sh_name = htole32(20),
		.sh_offset = htole64(0x280),
		.sh_size = htole64(16)};
	sym[1] = (Elf64_Sym){.st_name = htole32(35),
		.st_value = htole64(TEXT + 0x10),
		.st_size = htole64(0x20),
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
		.st_shndx = htole16(1)};
	memcpy(file + 0x300, names, sizeof(names));
	memcpy(file + 0x200, note, sizeof(note));
	memset(file + 0x200 + sizeof(note), id, 20);
	memcpy(file + 0x280, "prog.dbg", 8);
	crc = htole32(crc);
	memcpy(file + 0x28c, &crc, sizeof(crc));
	snprintf(path, sizeof(path), "%s/%s", fake->process, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(file, 1, FILE_SIZE, out), FILE_SIZE);
	assert_int_equal(fclose(out), 0);
	free(file);
}

#define BY_ID "root/usr/lib/debug/.build-id/a0/a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0.debug"

static void test_build_id(void **state)
{
	struct fake *fake = *state;
	uint64_t address;

	put_elf(fake, "root/bin/prog", false, 0xa0, 0);
	expect(fake, 0x501010, NULL, 0);
	put_elf(fake, BY_ID, true, 0xa0, 0);
	forget(fake);
	expect(fake, 0x501011, "hidden", 1);
	assert_int_equal(usym_find_name(fake->usym, 7, "hidden", "prog", &address), 0);
	assert_int_equal(address, 0x501010);
	put_elf(fake, BY_ID, true, 0xa1, 0); /* the symbols of another build */
	forget(fake);
	expect(fake, 0x501011, NULL, 0);
	put_elf(fake, BY_ID, false, 0xa0, 0);
	forget(fake);
	expect(fake, 0x501011, NULL, 0);
	put_file(fake->process, BY_ID, "text");
	forget(fake);
	expect(fake, 0x501011, NULL, 0);
}

/* The checksum of .gnu_debuglink, bit by bit. */
static uint32_t crc_of(const struct fake *fake, const char *name)
{
	uint32_t crc = UINT32_MAX;
	char path[256];
	FILE *file;
	int byte;

	snprintf(path, sizeof(path), "%s/%s", fake->process, name);
	file = fopen(path, "r");
	assert_non_null(file);
	while ((byte = getc(file)) != EOF) {
		crc ^= (uint32_t)byte;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	fclose(file);
	return ~crc;
}

static void test_debuglink(void **state)
{
	static const char *const places[] = {
		"root/bin/prog.dbg", "root/bin/.debug/prog.dbg", "root/usr/lib/debug/bin/prog.dbg"};
	struct fake *fake = *state;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[256];

		put_elf(fake, places[i], true, 0, 0);
		put_elf(fake, "root/bin/prog", false, 0, crc_of(fake, places[i]));
		forget(fake);
		expect(fake, 0x50102f, "hidden", 0x1f);
		/* Another file of that name. */
		put_elf(fake, "root/bin/prog", false, 0, crc_of(fake, places[i]) ^ 1);
		forget(fake);
		expect(fake, 0x50102f, NULL, 0);
		snprintf(path, sizeof(path), "%s/%s", fake->process, places[i]);
		assert_int_equal(unlink(path), 0);
	}
}

/* With too few descriptors the answer is an error, never that there is no such symbol. */
static void test_debuglink_limit(void **state)
{
	struct fake *fake = *state;
	struct rlimit before, limit;
	uint64_t address = 0;
	int refused = 0, err, lowest;

	put_elf(fake, "root/bin/prog.dbg", true, 0, 0);
	put_elf(fake, "root/bin/prog", false, 0, crc_of(fake, "root/bin/prog.dbg"));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	lowest = open("/", O_PATH | O_CLOEXEC);
	assert_true(lowest >= 0);
	close(lowest);
	limit = before;
	limit.rlim_cur = (rlim_t)lowest;
	do {
		forget(fake);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		err = usym_find_name(fake->usym, 7, "hidden", "prog", &address);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (err)
			assert_int_equal(err, -EMFILE);
		refused += err != 0;
		limit.rlim_cur++;
	} while (err);
	assert_int_equal(address, 0x501010);
	assert_true(refused >= 2); /* at the file and at its debug file */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_jit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jit_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jit_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_build_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_debuglink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_debuglink_limit, setup, teardown),
	};

	return cmocka_run_group_tests_name("usym, other files", tests, NULL, NULL);
}
