/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the semaphores of USDT probes, in this program and in broken files. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host-usb/run/calls/usdt.h"
#include "tests/tools/usdt.h"

/* An address in this program and its offset in the file. */
struct search {
	uintptr_t address;
	uint64_t offset;
};

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && search->address >= start &&
			search->address - start < segment->p_memsz)
			search->offset = search->address - start + segment->p_offset;
	}
	return 1; /* the first one is the program itself */
}

static uint64_t offset_of(const volatile void *address)
{
	struct search search = {(uintptr_t)address, 0};

	dl_iterate_phdr(look, &search);
	assert_true(search.offset > 0);
	return search.offset;
}

static int open_own(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_own_program(void **state)
{
	uint64_t guarded = offset_of(usdt_guarded), semaphore = 0;
	int fd = open_own();

	assert_int_equal(usdt_semaphore(fd, guarded, &semaphore), 1);
	assert_int_equal(semaphore, offset_of(&usdt_count));
	/* A second search does not depend on the file position that the first has left. */
	semaphore = 0;
	assert_int_equal(usdt_semaphore(fd, guarded, &semaphore), 1);
	assert_int_equal(semaphore, offset_of(&usdt_count));
	semaphore = 7;
	assert_int_equal(usdt_semaphore(fd, offset_of(usdt_plain), &semaphore), 0);
	assert_int_equal(usdt_semaphore(fd, guarded + 1, &semaphore), 0);
	assert_int_equal(usdt_semaphore(fd, 0, &semaphore), 0);
	assert_int_equal(semaphore, 7);
	close(fd);
}

static int memory_file(const char *data, size_t size)
{
	int fd = memfd_create("usdt", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	return fd;
}

static void test_not_elf(void **state)
{
	static const char *const files[] = {"", "\177ELF", "#!/bin/sh\n", "!<arch>\n"};
	uint64_t semaphore;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = memory_file(files[i], strlen(files[i]));

		assert_int_equal(usdt_semaphore(fd, 1, &semaphore), -ENOEXEC);
		close(fd);
	}
	assert_int_equal(usdt_semaphore(-1, 1, &semaphore), -ENOEXEC);
}

static void check_broken(const char *data, size_t size, uint64_t location)
{
	int fd = memory_file(data, size), ret;
	uint64_t semaphore;

	ret = usdt_semaphore(fd, location, &semaphore);
	assert_true(ret == 0 || ret == 1 || ret == -ENOEXEC);
	close(fd);
}

/* In a broken file the result may be wrong, but nothing outside the file is read. */
static void test_broken_files(void **state)
{
	uint64_t guarded = offset_of(usdt_guarded);
	int own = open_own();
	unsigned int seed = 1;
	struct stat st;
	char *data;

	assert_int_equal(fstat(own, &st), 0);
	data = malloc((size_t)st.st_size);
	assert_int_equal(read(own, data, (size_t)st.st_size), st.st_size);
	close(own);
	/* The section headers are at the end of the file. */
	for (off_t cut = 1; cut < st.st_size; cut = cut * 5 / 4 + 1)
		check_broken(data, (size_t)(st.st_size - cut), guarded);
	for (int i = 0; i < 300; i++) {
		/* Change the file and segment headers, the section headers, or the notes. */
		off_t from = i % 3 == 0 ? 0 : st.st_size - (i % 3 == 1 ? 4096 : 65536);
		off_t at = from + rand_r(&seed) % (i % 3 == 2 ? 65536 : 4096);
		char was;

		if (at < 0 || at >= st.st_size)
			continue;
		was = data[at];
		data[at] = (char)(rand_r(&seed) % 4 ? rand_r(&seed) : 0xff);
		check_broken(data, (size_t)st.st_size, guarded);
		data[at] = was;
	}
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_program),
		cmocka_unit_test(test_not_elf),
		cmocka_unit_test(test_broken_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
