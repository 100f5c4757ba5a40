/* SPDX-License-Identifier: Apache-2.0 */
/* User symbols of this process, of fake processes, and of valid and damaged ELF files. */
#include "core/bpfd/symbols/demangle.h"
#include "core/bpfd/symbols/elf_symbols.h"
#include "core/bpfd/symbols/proc_maps.h"
#include "core/bpfd/symbols/usym.h"

#include <dlfcn.h>
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
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/skip.h"

/* A small ELF file: one executable segment of 0x1000 bytes at file offset 0x1000. */
#define TEXT_OFFSET  0x1000
#define TEXT_ADDRESS 0x401000
#define FILE_SIZE    0x2400

static const char strings[] = "\0one\0__one\0two\0$x\0label\0;evil\n\0_ZN3foo3barEi\0V_1\0"
			      "two@V_1\0two@@V_2";
enum {
	ONE = 1,
	ALIAS = 5,
	TWO = 11,
	MARK = 15,
	LABEL = 18,
	EVIL = 24,
	CXX = 31,
	VERSION = 45,
	OLD_TWO = 49,
	NEW_TWO = 57
};

static const struct {
	uint32_t name, offset, size;
	unsigned char bind, type;
} symbols[] = {
	{0, 0, 0, 0, 0},
	{ALIAS, 0x10, 0x20, STB_GLOBAL, STT_FUNC},
	{ONE, 0x10, 0x20, STB_GLOBAL, STT_FUNC},
	{MARK, 0x18, 0, STB_LOCAL, STT_NOTYPE},
	{LABEL, 0x20, 0, STB_LOCAL, STT_NOTYPE},
	{TWO, 0x40, 0x10, STB_LOCAL, STT_FUNC},
	{LABEL, 0x80, 0, STB_GLOBAL, STT_NOTYPE},
	{EVIL, 0x100, 0x10, STB_GLOBAL, STT_FUNC},
	{CXX, 0x200, 0x10, STB_WEAK, STT_FUNC},
	{TWO, 0x8000, 0x10, STB_GLOBAL, STT_FUNC}, /* not in the segment */
	{VERSION, 0x200, 0, STB_GLOBAL, STT_OBJECT},
	{VERSION, 0x250, 0, STB_GLOBAL, STT_OBJECT},
	{0xffffff, 0x300, 0x10, STB_GLOBAL, STT_FUNC},
};

#define SYMBOL_COUNT (sizeof(symbols) / sizeof(symbols[0]))

/* 32-bit files are big-endian, so that libelf must convert everything. */
static void make_elf32be(unsigned char *file)
{
	Elf32_Ehdr *header = (void *)file;
	Elf32_Phdr *segment = (void *)(file + sizeof(*header));
	Elf32_Shdr *section = (void *)(file + 0x2200);
	Elf32_Sym *sym = (void *)(file + 0x2000);

	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS32;
	header->e_ident[EI_DATA] = ELFDATA2MSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_type = htobe16(ET_EXEC);
	header->e_machine = htobe16(EM_PPC);
	header->e_version = htobe32(EV_CURRENT);
	header->e_phoff = htobe32(sizeof(*header));
	header->e_phentsize = htobe16(sizeof(*segment));
	header->e_phnum = htobe16(1);
	header->e_shoff = htobe32(0x2200);
	header->e_shentsize = htobe16(sizeof(*section));
	header->e_shnum = htobe16(3);
	header->e_ehsize = htobe16(sizeof(*header));
	segment->p_type = htobe32(PT_LOAD);
	segment->p_flags = htobe32(PF_R | PF_X);
	segment->p_offset = htobe32(TEXT_OFFSET);
	segment->p_vaddr = htobe32(TEXT_ADDRESS);
	segment->p_filesz = segment->p_memsz = htobe32(0x1000);
	section[1].sh_type = htobe32(SHT_SYMTAB);
	section[1].sh_offset = htobe32(0x2000);
	section[1].sh_size = htobe32(SYMBOL_COUNT * sizeof(*sym));
	section[1].sh_link = htobe32(2);
	section[1].sh_entsize = htobe32(sizeof(*sym));
	section[2].sh_type = htobe32(SHT_STRTAB);
	section[2].sh_offset = htobe32(0x2180);
	section[2].sh_size = htobe32(sizeof(strings));
	memcpy(file + 0x2180, strings, sizeof(strings));
	for (size_t i = 1; i < SYMBOL_COUNT; i++) {
		sym[i].st_name = htobe32(symbols[i].name);
		sym[i].st_value = htobe32(TEXT_ADDRESS + symbols[i].offset);
		sym[i].st_size = htobe32(symbols[i].size);
		sym[i].st_info = ELF32_ST_INFO(symbols[i].bind, symbols[i].type);
		sym[i].st_shndx = htobe16(symbols[i].name == VERSION ? SHN_ABS : 1);
	}
}

static void make_elf64le(unsigned char *file)
{
	Elf64_Ehdr *header = (void *)file;
	Elf64_Phdr *segment = (void *)(file + sizeof(*header));
	Elf64_Shdr *section = (void *)(file + 0x2200);
	Elf64_Sym *sym = (void *)(file + 0x2000);

	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_type = htole16(ET_DYN);
	header->e_machine = htole16(EM_X86_64);
	header->e_version = htole32(EV_CURRENT);
	header->e_phoff = htole64(sizeof(*header));
	header->e_phentsize = htole16(sizeof(*segment));
	header->e_phnum = htole16(1);
	header->e_shoff = htole64(0x2200);
	header->e_shentsize = htole16(sizeof(*section));
	header->e_shnum = htole16(3);
	header->e_ehsize = htole16(sizeof(*header));
	segment->p_type = htole32(PT_LOAD);
	segment->p_flags = htole32(PF_R | PF_X);
	segment->p_offset = htole64(TEXT_OFFSET);
	segment->p_vaddr = htole64(TEXT_ADDRESS);
	segment->p_filesz = segment->p_memsz = htole64(0x1000);
	section[1].sh_type = htole32(SHT_SYMTAB);
	section[1].sh_offset = htole64(0x2000);
	section[1].sh_size = htole64(SYMBOL_COUNT * sizeof(*sym));
	section[1].sh_link = htole32(2);
	section[1].sh_entsize = htole64(sizeof(*sym));
	section[2].sh_type = htole32(SHT_STRTAB);
	section[2].sh_offset = htole64(0x2180);
	section[2].sh_size = htole64(sizeof(strings));
	memcpy(file + 0x2180, strings, sizeof(strings));
	for (size_t i = 1; i < SYMBOL_COUNT; i++) {
		sym[i].st_name = htole32(symbols[i].name);
		sym[i].st_value = htole64(TEXT_ADDRESS + symbols[i].offset);
		sym[i].st_size = htole64(symbols[i].size);
		sym[i].st_info = ELF64_ST_INFO(symbols[i].bind, symbols[i].type);
		sym[i].st_shndx = htole16(symbols[i].name == VERSION ? SHN_ABS : 1);
	}
}

static void *make_elf(bool wide)
{
	unsigned char *file = calloc(1, FILE_SIZE);

	assert_non_null(file);
	if (wide)
		make_elf64le(file);
	else
		make_elf32be(file);
	return file;
}

static void check_symbol(
	struct elf_symbols *table, uint32_t offset, const char *name, uint64_t inside)
{
	uint64_t got = 0;
	const char *found = elf_symbols_find_address(table, TEXT_ADDRESS + offset, &got);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(got, inside);
}

static void check_table(struct elf_symbols *table)
{
	uint64_t value;

	check_symbol(table, 0x0f, NULL, 0);
	check_symbol(table, 0x10, "one", 0);
	check_symbol(table, 0x1c, "one", 0xc);
	check_symbol(table, 0x2f, "one", 0x1f);	  /* not the label inside `one` */
	check_symbol(table, 0x30, "label", 0x10); /* has no size, so reaches to the next symbol */
	check_symbol(table, 0x4f, "two", 0xf);
	check_symbol(table, 0x50, NULL, 0);
	check_symbol(table, 0x90, "label", 0x10);
	check_symbol(table, 0x8000, NULL, 0);
	check_symbol(table, 0x200, "_ZN3foo3barEi", 0);
	check_symbol(table, 0x260, NULL, 0); /* a version is not an address */
	check_symbol(table, 0x300, NULL, 0);
	assert_int_equal(elf_symbols_find_name(table, "two", &value), 0);
	assert_int_equal(value, TEXT_ADDRESS + 0x40);
	assert_int_equal(elf_symbols_find_name(table, "__one", &value), 0);
	assert_int_equal(value, TEXT_ADDRESS + 0x10);
	assert_int_equal(elf_symbols_find_name(table, "label", &value), 0);
	assert_int_equal(value, TEXT_ADDRESS + 0x80); /* the global symbol */
	assert_int_equal(elf_symbols_find_name(table, "$x", &value), -ENOENT);
	assert_int_equal(elf_symbols_find_name(table, "", &value), -ENOENT);
	assert_int_equal(elf_symbols_bias(table, 0x7f0000001000, TEXT_OFFSET, &value), 0);
	assert_int_equal(value, 0x7f0000001000 - TEXT_ADDRESS);
	assert_int_equal(elf_symbols_bias(table, TEXT_ADDRESS, TEXT_OFFSET, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(elf_symbols_bias(table, 0x1000, 0x2000, &value), -ENOENT);
	assert_in_range(elf_symbols_size(table), 100, 10000);
}

static void test_elf_kinds(void **state)
{
	for (int wide = 0; wide < 2; wide++) {
		struct elf_symbols *table = NULL;
		void *file = make_elf(wide);

		assert_int_equal(elf_symbols_read_image(&table, file, FILE_SIZE), 0);
		free(file);
		check_table(table);
		elf_symbols_free(table);
	}
}

static int read_bytes(const void *bytes, size_t size, struct elf_symbols **table)
{
	int err, fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	err = elf_symbols_read(table, fd);
	close(fd);
	return err;
}

static void test_elf_refused(void **state)
{
	struct elf_symbols *table = NULL;
	Elf64_Ehdr *file = make_elf(true);

	assert_int_equal(read_bytes("", 0, &table), -ENOEXEC);
	assert_int_equal(read_bytes("#!/bin/sh\n", 10, &table), -ENOEXEC);
	assert_int_equal(read_bytes("!<arch>\n0123456789012345678901234567890123456789"
				    "0123456789012345678901234567890123456789",
				 88, &table),
		-ENOEXEC);
	for (size_t size = 0; size < sizeof(*file); size++)
		assert_int_equal(read_bytes(file, size, &table), -ENOEXEC);
	/* Section 0 has the number of sections: refused before libelf allocates an array. */
	file->e_shnum = 0;
	assert_int_equal(read_bytes(file, FILE_SIZE, &table), -ENOEXEC);
	/* A file without sections is valid, and has no symbols. */
	file->e_shoff = 0;
	assert_int_equal(read_bytes(file, FILE_SIZE, &table), 0);
	check_symbol(table, 0x10, NULL, 0);
	elf_symbols_free(table);
	free(file);
}

/* Files with a few changed bytes give symbols or an error, and never crash. */
static void test_elf_hostile(void **state)
{
	static const unsigned char values[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff};
	/* The headers, the symbols, the strings and the sections. */
	static const size_t areas[][2] = {
		{0, 0x80}, {0x2000, 0x110}, {0x2180, 0x30}, {0x2200, 0xc0}};
	uint64_t value;

	srandom(3);
	for (int i = 0; i < 20000; i++) {
		struct elf_symbols *table = NULL;
		unsigned char *file = make_elf(i & 1);

		for (long n = 1 + random() % 4; n; n--) {
			const size_t *area = areas[random() % 4];

			file[area[0] + (size_t)random() % area[1]] = values[random() % 7];
		}
		if (!elf_symbols_read_image(&table, file, i & 2 ? FILE_SIZE : 0x2240)) {
			for (uint32_t at = 0; at < 0x400; at += 0x10)
				elf_symbols_find_address(table, TEXT_ADDRESS + at, &value);
			elf_symbols_find_name(table, "two", &value);
			elf_symbols_bias(table, 0x1000, TEXT_OFFSET, &value);
			elf_symbols_free(table);
		}
		table = NULL;
		if (i % 20 == 0 && !read_bytes(file, FILE_SIZE, &table))
			elf_symbols_free(table);
		free(file);
	}
}

/* Symbols 5 and 9 become functions of one name, at 0x40 and 0x60. */
static unsigned char *make_two_versions(uint32_t first_name, uint32_t second_name)
{
	unsigned char *file = make_elf(true);
	Elf64_Sym *sym = (void *)(file + 0x2000);

	sym[5].st_name = htole32(first_name);
	sym[9].st_name = htole32(second_name);
	sym[5].st_info = sym[9].st_info;
	sym[9].st_value = htole64(TEXT_ADDRESS + 0x60);
	return file;
}

/* .dynsym marks old versions of a name in a table beside it, .symtab in the name. */
static void test_versions(void **state)
{
	for (unsigned int kind = 0; kind < 4; kind++) {
		bool first_is_old = kind & 1, in_names = kind & 2;
		uint32_t first = first_is_old ? OLD_TWO : NEW_TWO;
		unsigned char *file = make_two_versions(
			in_names ? first : TWO, in_names ? OLD_TWO + NEW_TWO - first : TWO);
		Elf64_Shdr *section = (void *)(file + 0x2200);
		uint16_t *versions = (void *)(file + 0x2340);
		struct elf_symbols *table = NULL;
		uint64_t value;

		if (!in_names) {
			((Elf64_Ehdr *)file)->e_shnum = htole16(4);
			section[1].sh_type = htole32(SHT_DYNSYM);
			section[3].sh_type = htole32(SHT_GNU_versym);
			section[3].sh_offset = htole64(0x2340);
			section[3].sh_size = htole64(SYMBOL_COUNT * sizeof(*versions));
			section[3].sh_entsize = htole64(sizeof(*versions));
			versions[5] = htole16(first_is_old ? 0x8002 : 3);
			versions[9] = htole16(first_is_old ? 3 : 0x8002);
		}
		assert_int_equal(elf_symbols_read_image(&table, file, FILE_SIZE), 0);
		assert_int_equal(elf_symbols_find_name(table, "two", &value), 0);
		assert_int_equal(value, TEXT_ADDRESS + (first_is_old ? 0x60 : 0x40));
		assert_int_equal(elf_symbols_find_name(table, "tw", &value), -ENOENT);
		assert_int_equal(
			elf_symbols_find_name(table, "two@V_1", &value), in_names ? 0 : -ENOENT);
		if (in_names)
			assert_int_equal(value, TEXT_ADDRESS + (first_is_old ? 0x40 : 0x60));
		elf_symbols_free(table);
		free(file);
	}
	assert_int_equal(elf_symbols_name_length("two@@V_2"), 3);
	assert_int_equal(elf_symbols_name_length("@plt"), 4);
	assert_int_equal(elf_symbols_name_length(""), 0);
}

/* A name of this process's C library means the version that dlsym() finds. */
static void test_library_versions(void **state)
{
	static const char *const names[] = {
		"pthread_cond_wait", "realpath", "fmemopen", "regexec", "lfind"};
	void *library = dlopen("libc.so.6", RTLD_LAZY);
	struct usym *usym;
	uint64_t address;

	if (!library)
		skip_because("no libc.so.6");
	assert_int_equal(usym_new(&usym, "/proc"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct usym_name found;

		assert_int_equal(
			usym_find_name(usym, getpid(), names[i], "libc.so.6", &address), 0);
		assert_int_equal(address, (uintptr_t)dlsym(library, names[i]));
		assert_int_equal(usym_find_address(usym, getpid(), address, true, &found), 0);
		assert_null(strchr(found.name, '@'));
	}
	usym_free(usym);
	dlclose(library);
}

/* Not static and not inlined, so that it has a symbol. */
int usym_test_function(int i);
__attribute__((noinline)) int usym_test_function(int i)
{
	__asm__ volatile("" : "+r"(i));
	return i;
}

int usym_test_cxx(int i) __asm__("_ZN4usym4testEi");
__attribute__((noinline)) int usym_test_cxx(int i)
{
	__asm__ volatile("" : "+r"(i));
	return i + 1;
}

int usym_test_data = 5;

/* Linked in by demangle.c, unless that was built without libiberty. */
extern char cplus_demangle_v3_callback[] __attribute__((weak));

static bool has_libiberty(void)
{
	return cplus_demangle_v3_callback != NULL;
}

static void test_own_process(void **state)
{
	struct usym_name found;
	struct usym *usym;
	char self[4096] = "";
	uint64_t address;
	pid_t pid = getpid();

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(usym_new(&usym, "/proc"), 0);
	address = (uintptr_t)usym_test_function;
	assert_int_equal(usym_find_address(usym, pid, address + 1, false, &found), 0);
	assert_string_equal(found.name, "usym_test_function");
	assert_string_equal(found.module, self);
	assert_int_equal(found.offset, 1);
	assert_int_equal(usym_find_address(usym, pid, (uintptr_t)&usym_test_data, true, &found), 0);
	assert_string_equal(found.name, "usym_test_data");
	assert_int_equal(usym_find_name(usym, pid, "usym_test_function", self, &address), 0);
	assert_int_equal(address, (uintptr_t)usym_test_function);
	assert_int_equal(usym_find_name(usym, pid, "usym_test_function", "test_usym", &address),
		strstr(self, "/test_usym") ? 0 : -ENOENT);
	address = (uintptr_t)usym_test_cxx;
	assert_int_equal(usym_find_address(usym, pid, address, false, &found), 0);
	assert_string_equal(found.name, "_ZN4usym4testEi");
	assert_int_equal(usym_find_address(usym, pid, address, true, &found), 0);
	assert_string_equal(found.name, has_libiberty() ? "usym::test(int)" : "_ZN4usym4testEi");

	/* A symbol of a shared library that no sanitizer replaces. */
	assert_int_equal(usym_find_name(usym, pid, "lfind", "libc.so.6", &address), 0);
	assert_int_equal(usym_find_address(usym, pid, address, true, &found), 0);
	assert_string_equal(found.name, "lfind");
	assert_non_null(strstr(found.module, "/libc.so.6"));

	assert_int_equal(usym_find_address(usym, pid, 0, true, &found), -ENOENT);
	assert_int_equal(usym_find_address(usym, pid, UINT64_MAX, true, &found), -ENOENT);
	assert_int_equal(usym_find_address(usym, pid, (uintptr_t)&found, true, &found), -ENOENT);
	assert_int_equal(usym_find_address(usym, 0, 1, true, &found), -ENOENT);
	assert_int_equal(usym_find_address(usym, -5, 1, true, &found), -ENOENT);
	assert_int_equal(usym_find_address(usym, 0x7fffffff, 1, true, &found), -ENOENT);
	assert_int_equal(usym_find_name(usym, pid, "lfind", "/no/such", &address), -ENOENT);
	assert_int_equal(usym_find_name(usym, pid, "no_such", "libc.so.6", &address), -ENOENT);
	usym_free(usym);
}

static void test_vdso(void **state)
{
	struct usym_name found;
	struct usym *usym;
	uint64_t address;

	if (!getauxval(AT_SYSINFO_EHDR))
		skip_because("no vDSO");
	assert_int_equal(usym_new(&usym, "/proc"), 0);
	assert_int_equal(
		usym_find_name(usym, getpid(), "__vdso_clock_gettime", "[vdso]", &address), 0);
	assert_int_equal(usym_find_address(usym, getpid(), address + 2, true, &found), 0);
	assert_string_equal(found.module, "[vdso]");
	assert_int_equal(found.offset, 2);
	usym_free(usym);
}

struct fake {
	char dir[64];
	struct usym *usym;
};

static void put(const struct fake *fake, const char *name, const void *bytes, size_t size)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/7/%s", fake->dir, name);
	unlink(path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	static const char stat_line[] =
		"7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1\n";
	struct fake *fake = calloc(1, sizeof(*fake));
	char path[128];

	strcpy(fake->dir, "/tmp/test_usym.XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	snprintf(path, sizeof(path), "%s/7", fake->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/7/root", fake->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(usym_new(&fake->usym, fake->dir), 0);
	put(fake, "stat", stat_line, strlen(stat_line));
	*state = fake;
	return 0;
}

static int teardown(void **state)
{
	struct fake *fake = *state;
	char command[128];

	usym_free(fake->usym);
	snprintf(command, sizeof(command), "rm -rf %s", fake->dir);
	assert_int_equal(system(command), 0);
	free(fake);
	return 0;
}

static void put_maps(const struct fake *fake, const char *text)
{
	put(fake, "maps", text, strlen(text));
}

static void wait_check(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 130000000}, NULL);
}

static void test_fake_process(void **state)
{
	struct fake *fake = *state;
	void *file = make_elf(true);
	struct usym_name found;
	uint64_t address;

	put(fake, "root/my prog", file, FILE_SIZE);
	put_maps(fake, "00400000-00401000 r--p 00000000 08:01 77   /my prog\n"
		       "00501000-00502000 r-xp 00001000 08:01 77   /my prog\n"
		       "00602000-00603000 rw-p 00000000 00:00 0    [heap]\n"
		       "00701000-00702000 r-xp 00001000 08:01 78   /my prog (deleted)\n"
		       "00801000-00802000 r-xp 00001000 08:01 79   /dev/../7\n"
		       "garbage\n\n-  - \n00f00000-00e00000 r-xp 0 08:01 1 /backwards\n");
	assert_int_equal(usym_find_address(fake->usym, 7, 0x501011, true, &found), 0);
	assert_string_equal(found.name, "one");
	assert_string_equal(found.module, "/my prog");
	assert_int_equal(found.offset, 1);
	assert_int_equal(usym_find_address(fake->usym, 7, 0x501100, true, &found), 0);
	assert_string_equal(found.name, "?evil?");
	assert_int_equal(usym_find_name(fake->usym, 7, "two", "my prog", &address), 0);
	assert_int_equal(address, 0x501040);
	/* The heap, a deleted file without map_files, a directory instead of a file. */
	assert_int_equal(usym_find_address(fake->usym, 7, 0x602000, true, &found), -ENOENT);
	assert_int_equal(usym_find_address(fake->usym, 7, 0x701010, true, &found), -ENOENT);
	assert_true(usym_find_address(fake->usym, 7, 0x801010, true, &found) < 0);
	free(file);
}

/* Another file of the same path, another process of the same PID. */
static void test_changes(void **state)
{
	static const char maps[] = "00501000-00502000 r-xp 00001000 08:01 77   /prog\n";
	static const char moved[] = "00901000-00902000 r-xp 00001000 08:01 77   /prog\n";
	static const char stat_line[] =
		"7 (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 1\n";
	struct fake *fake = *state;
	unsigned char *file = make_elf(true);
	struct usym_name found;

	put(fake, "root/prog", file, FILE_SIZE);
	put_maps(fake, maps);
	assert_int_equal(usym_find_address(fake->usym, 7, 0x501010, true, &found), 0);
	assert_string_equal(found.name, "one");
	file[0x2180 + ONE] = 'O';
	put(fake, "root/prog", file, FILE_SIZE);
	put(fake, "stat", stat_line, strlen(stat_line));
	wait_check();
	assert_int_equal(usym_find_address(fake->usym, 7, 0x501010, true, &found), 0);
	assert_string_equal(found.name, "One");
	put_maps(fake, moved);
	wait_check();
	assert_int_equal(usym_find_address(fake->usym, 7, 0x901010, true, &found), 0);
	assert_int_equal(usym_find_address(fake->usym, 7, 0x501010, true, &found), -ENOENT);
	put(fake, "stat", "", 0);
	wait_check();
	assert_int_equal(usym_find_address(fake->usym, 7, 0x901010, true, &found), -EINVAL);
	free(file);
}

/* With more processes and files than the caches hold, results stay correct. */
static void test_many_files(void **state)
{
	struct fake *fake = *state;
	void *file = make_elf(true);
	char *maps = calloc(300, 128), name[64];
	struct usym_name found;
	size_t len = 0;

	for (unsigned int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "root/lib%u", i);
		put(fake, name, file, FILE_SIZE);
		len += (size_t)sprintf(maps + len, "%08x-%08x r-xp 00001000 08:01 %u /lib%u\n",
			0x10000 + i * 0x1000, 0x11000 + i * 0x1000, 1000 + i, i);
	}
	put_maps(fake, maps);
	for (int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 300; i++) {
			assert_int_equal(usym_find_address(
						 fake->usym, 7, 0x10042 + i * 0x1000, true, &found),
				0);
			assert_string_equal(found.name, "two");
			snprintf(name, sizeof(name), "/lib%u", i);
			assert_string_equal(found.module, name);
		}
	}
	free(maps);
	free(file);
}

static void test_maps_bounded(void **state)
{
	struct fake *fake = *state;
	struct proc_maps maps = {.count = 0};
	size_t size = 4 << 20, len = 0;
	char *text = malloc(size);
	struct usym_name found;

	for (uint64_t at = 0x1000; len < size - 128; at += 0x1000)
		len += (size_t)sprintf(text + len, "%jx-%jx r-xp 0 08:01 5 /lib%jx\n",
			(uintmax_t)at, (uintmax_t)at + 0x1000, (uintmax_t)at);
	put(fake, "maps", text, len);
	assert_int_equal(proc_maps_read(&maps, fake->dir, 7), -E2BIG);
	assert_int_equal(maps.count, 0);
	assert_int_equal(usym_find_address(fake->usym, 7, 0x1000, true, &found), -E2BIG);
	/* One line of 4 MiB, and a valid one after it. */
	memset(text, '/', size);
	memcpy(text, "1000-2000 r-xp 0 08:01 5 ", 25);
	strcpy(text + size - 64, "\n3000-4000 r-xp 0 08:01 5 /good\n");
	put(fake, "maps", text, strlen(text));
	assert_int_equal(proc_maps_read(&maps, fake->dir, 7), 0);
	assert_int_equal(maps.count, 1);
	assert_null(proc_maps_find(&maps, 0x2fff));
	assert_non_null(proc_maps_find(&maps, 0x3000));
	assert_null(proc_maps_find(&maps, 0x4000));
	proc_maps_clear(&maps);
	free(text);
}

static void test_demangle(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char base62[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char text[1024], bomb[1024] = "_Z1f";

	if (!has_libiberty())
		skip_because("built without libiberty");
	assert_true(demangle("_ZNSt6vectorIiSaIiEE4sizeEv", text, sizeof(text)));
	assert_string_equal(text, "std::vector<int, std::allocator<int> >::size()");
	assert_false(demangle("main", text, sizeof(text)));
	assert_false(demangle("_Znonsense", text, sizeof(text)));
	assert_false(demangle("_ZN3foo3barEi", text, 5));
	assert_true(demangle("_ZN3foo3barEi", text, 14));
	/* Rust: the older names, which are also valid C++ ones, and the newer ones. */
	assert_true(demangle(
		"_ZN4core3fmt9Formatter9write_fmt17h0123456789abcdefE", text, sizeof(text)));
	assert_string_equal(text, "core::fmt::Formatter::write_fmt");
	assert_true(demangle("_ZN52_$LT$alloc..string..String$u20$as$u20$fmt..Debug$GT$3fmt"
			     "17h0123456789abcdefE",
		text, sizeof(text)));
	assert_string_equal(text, "<alloc::string::String as fmt::Debug>::fmt");
	assert_true(demangle("_RNvCs15kBYyAo9fc_7mycrate7example", text, sizeof(text)));
	assert_string_equal(text, "mycrate::example");
	assert_false(demangle("_RNvCs15kBYyAo9fc_7mycrate", text, sizeof(text)));
	for (size_t size = 0; size <= 16; size++)
		assert_false(demangle("_RNvCs15kBYyAo9fc_7mycrate7example", text, size));
	assert_true(demangle("_RNvCs15kBYyAo9fc_7mycrate7example", text, 17));
	/* An identifier that is not ASCII, at the end of the room and beyond it. */
	assert_true(demangle("_RNvC7mycrateu8gdel_5qa", text, sizeof(text)));
	assert_string_equal(text, "mycrate::g\xc3\xb6"
				  "del");
	for (size_t size = 0; size <= 15; size++)
		assert_false(demangle("_RNvC7mycrateu8gdel_5qa", text, size));
	/* Each argument is a pair of the previous one: printed, it has more than 2^30 bytes. */
	strcat(bomb, "1AIiiE");
	for (int i = 0; i < 30; i++) {
		sprintf(bomb + strlen(bomb), "S_IS%c_S%c_E", digits[i], digits[i]);
		if (i == 3)
			assert_true(demangle(bomb, text, sizeof(text)));
	}
	assert_false(demangle(bomb, text, sizeof(text)));
	/* The same in Rust: pairs of the pair before, which "B", a number and "_" refer to. */
	strcpy(bomb, "_RIC1aThhE");
	for (size_t i = 0, pair = 4; i < 30; i++) {
		char number[3] = {base62[(pair - 1) / 62], base62[(pair - 1) % 62], '\0'};
		const char *short_number = pair > 62 ? number : number + 1;

		pair = strlen(bomb) - 2;
		sprintf(bomb + strlen(bomb), "TB%s_B%s_E", short_number, short_number);
		if (i == 3) {
			char whole[sizeof(bomb) + 1];

			sprintf(whole, "%sE", bomb);
			assert_true(demangle(whole, text, sizeof(text)));
			assert_memory_equal(text, "a::<(u8, u8), ((u8, u8), (u8, u8)), ", 36);
		}
	}
	strcat(bomb, "E");
	assert_false(demangle(bomb, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf_kinds),
		cmocka_unit_test(test_elf_refused),
		cmocka_unit_test(test_elf_hostile),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_library_versions),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test_setup_teardown(test_fake_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maps_bounded, setup, teardown),
		cmocka_unit_test(test_demangle),
	};

	return cmocka_run_group_tests_name("usym", tests, NULL, NULL);
}
