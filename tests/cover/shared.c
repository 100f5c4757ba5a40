// SPDX-License-Identifier: Apache-2.0
/* Keeps gcov's counters in a file that all processes of a program share. */

/* gcov writes its counters when a process exits. A process that is killed, that calls _exit, that
 * has changed its user or that has a seccomp filter cannot do that. So shared.ld puts the counters
 * of a program into pages of their own, and this maps a file there before main(): each process
 * counts directly in the file. Nothing is left to do at its end.
 *
 * The file is COVER_DIR/PROGRAM. With COVER_DUMP=FILE in the environment a program does not run: it
 * adds the counters of that file to gcov's files (.gcda). */
#include <fcntl.h>
#include <gcov.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char cover_start[], cover_end[];

/* The linker lets gcov's destructors call this (--wrap). */
void __wrap___gcov_exit(void);
void __wrap___gcov_exit(void)
{
}

/* Prints the path of the counters. A program may have any name in argv. */
static int path_of_counters(char *path, size_t size)
{
	char program[1024];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	const char *name;

	if (n <= 0)
		return -1;
	program[n] = 0;
	name = strrchr(program, '/');
	return snprintf(path, size, "%s/%s", COVER_DIR, name ? name + 1 : program) < (int)size ? 0
											       : -1;
}

/* Has the size of the counters, also if it was new. */
static int sized(int fd, size_t size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	return (size_t)st.st_size == size ? 0 : ftruncate(fd, (off_t)size);
}

static _Noreturn void dump(const char *path, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || (size_t)st.st_size != size ||
		mmap(cover_start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) ==
			MAP_FAILED) {
		fprintf(stderr, "%s: not the counters of this program\n", path);
		_exit(1);
	}
	__gcov_dump();
	_exit(0);
}

static __attribute__((constructor)) void map_counters(void)
{
	size_t size = (size_t)(cover_end - cover_start);
	const char *from = getenv("COVER_DUMP");
	char path[4096];
	int fd;

	if (from)
		dump(from, size);
	if (path_of_counters(path, sizeof(path)))
		return;
	/* Any user may run the program next, so the umask must not count. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0 || fchmod(fd, 0666))
			return;
	}
	if (!sized(fd, size))
		mmap(cover_start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
}
