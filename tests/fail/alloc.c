/* SPDX-License-Identifier: Apache-2.0 */
/* A library for LD_PRELOAD that lets the n-th allocation after the start of main() fail.
 *
 * With ASan, its allocator is the next one, so it needs ASAN_OPTIONS=verify_asan_link_order=0. */
#include "tests/fail/alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fail_alloc *shared; /* NULL before main(), and in other programs */
static int (*real_main)(int, char **, char **);

/* dlsym() may allocate, before it has found the allocator. */
static char early[8192];
static size_t early_used;

static void *early_alloc(size_t size)
{
	size_t start = (early_used + 15) & ~(size_t)15;

	if (start + size > sizeof(early))
		abort();
	early_used = start + size;
	return early + start;
}

static bool is_early(const void *memory)
{
	return (const char *)memory >= early && (const char *)memory < early + sizeof(early);
}

#define NEXT(name)                                             \
	static __typeof__(&name) next;                         \
	static volatile bool finding; /* dlsym() calls back */ \
	if (!next && !finding) {                               \
		finding = true;                                \
		*(void **)&next = dlsym(RTLD_NEXT, #name);     \
		finding = false;                               \
	}

static bool fails(const char *call, size_t size, void *caller)
{
	unsigned long n;

	if (!shared)
		return false;
	n = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
	if (n != shared->nth)
		return false;
	shared->size = size;
	shared->at = (unsigned long)caller;
	shared->pid = getpid();
	for (size_t i = 0; call[i] && i < sizeof(shared->call) - 1; i++)
		shared->call[i] = call[i];
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	NEXT(malloc)
	if (fails("malloc", size, __builtin_return_address(0)))
		return NULL;
	return next ? next(size) : early_alloc(size);
}

void *calloc(size_t count, size_t size)
{
	NEXT(calloc)
	if (fails("calloc", count * size, __builtin_return_address(0)))
		return NULL;
	return next ? next(count, size) : early_alloc(count * size);
}

void *realloc(void *old, size_t size)
{
	NEXT(realloc)
	if (fails("realloc", size, __builtin_return_address(0)))
		return NULL;
	if (next && !is_early(old))
		return next(old, size);
	return memcpy(malloc(size), old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	NEXT(aligned_alloc)
	return fails("aligned_alloc", size, __builtin_return_address(0)) ? NULL
									 : next(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	NEXT(posix_memalign)
	return fails("posix_memalign", size, __builtin_return_address(0))
		       ? ENOMEM
		       : next(memory, alignment, size);
}

void free(void *memory)
{
	NEXT(free)
	if (next && !is_early(memory))
		next(memory);
}

static struct fail_alloc *share(void)
{
	const char *file = getenv(FAIL_ALLOC_FILE), *program = getenv(FAIL_ALLOC_PROGRAM);
	char path[4096];
	void *memory;
	ssize_t n;
	int fd;

	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (!file || !program || n < 0)
		return NULL;
	path[n] = '\0';
	if (strncmp(path, program, strlen(program)) != 0)
		return NULL;
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	memory = mmap(NULL, sizeof(struct fail_alloc), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static int counted_main(int argc, char **argv, char **envp)
{
	shared = share();
	return real_main(argc, argv, envp);
}

typedef int start_fn(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
	void (*)(void), void *);
start_fn __libc_start_main;

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	start_fn *next;

	*(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
	real_main = main;
	return next(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
