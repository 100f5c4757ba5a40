/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps copies of large files of boards.
 *
 * A copy must never be given to the tool for a file of another board with other contents. So types
 * and programs are kept under a hash of their contents: the board states the hash, and a copy is
 * used only if its contents have that hash. Kernel symbols and traceable functions change with each
 * program that is loaded, and the board needs long to produce them. These are kept under the
 * identity of the board, its boot and its modules. */
#include "host-usb/run/files/cache.h"

#include "host-usb/run/files/btf_file.h"
#include "host-usb/run/files/digest.h"
#include "host-usb/run/files/local.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/files/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE     256
#define IDENTITY_SIZE 17   /* hexadecimal digits, and a NUL */
#define LINE_MAX_SIZE 1024 /* bytes of a line of kallsyms */

#define BTF_DIRECTORY "/sys/kernel/btf/"

struct cache {
	struct remote *remote;
	const struct rpc_hello *board;
	struct store *store;	      /* NULL if there is no place for copies */
	char identity[IDENTITY_SIZE]; /* of the board; for file names */
};

static int open_or_fetch(struct cache *cache, const char *path)
{
	int fd = cache_open(cache, path);

	return fd == -ENOENT ? remote_open(cache->remote, path) : fd;
}

/* For the check of a module's BTF. */
static int open_kernel_types(void *arg)
{
	return open_or_fetch(arg, BTF_FILE_KERNEL);
}

int cache_new(struct cache **cache, struct remote *remote, const struct rpc_hello *board)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->remote = remote;
	c->board = board;
	remote_set_kernel_types(remote, open_kernel_types, c);
	c->store = store_open();
	*cache = c;
	return 0;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	store_close(cache->store);
	free(cache);
}

void cache_identify(struct cache *cache, const char *board)
{
	char text[SHA256_HEX_SIZE];
	uint8_t result[SHA256_SIZE];
	struct sha256 hash;

	sha256_begin(&hash);
	sha256_add(&hash, board, strlen(board));
	sha256_end(&hash, result);
	sha256_hex(result, text);
	text[IDENTITY_SIZE - 1] = 0;
	memcpy(cache->identity, text, IDENTITY_SIZE);
}

struct store *cache_store(const struct cache *cache)
{
	return cache->store;
}

/* Opens the copy with these contents. A damaged copy is removed. */
static int open_copy(struct cache *cache, const char *name, const struct digest *wanted)
{
	int fd = store_get(cache->store, name);

	if (fd < 0)
		return fd;
	if (!digest_check(fd, wanted))
		return fd;
	close(fd);
	store_remove(cache->store, name);
	return -ENOENT;
}

/* Returns the path of a program below the root of a process, as that process names it; or NULL. */
static const char *program_name(const char *path)
{
	const char *root = path_is_in_proc(path) ? strstr(path + strlen("/proc/"), "/root/") : NULL;

	return root ? root + strlen("/root") : NULL;
}

/* Opens the workstation's own file of that name, if it has these contents. */
static int open_same(const char *name, const struct digest *wanted)
{
	int fd = local_open_program(name);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && (uint64_t)st.st_size == wanted->size &&
		!digest_check(fd, wanted))
		return fd;
	close(fd);
	return -ENOENT;
}

/* Opens a file by the hash of its contents, which the board states: the workstation's own file, a
 * copy, or the board's. The board is asked first, and the same for every name. So it learns only
 * whether contents that it knows are here, and nothing about other files. */
static int open_by_contents(struct cache *cache, const char *path)
{
	const char *program = program_name(path);
	char name[SHA256_HEX_SIZE];
	struct digest wanted;
	int fd = -ENOENT, err;

	if (!cache->store && !program)
		return -ENOENT;
	err = digest_of_board(cache->remote, cache->board, path, &wanted);
	if (err)
		return err == -EOPNOTSUPP ? -ENOENT : err;
	sha256_hex(wanted.hash, name);
	if (program)
		fd = open_same(program, &wanted);
	if (fd < 0 && cache->store)
		fd = open_copy(cache, name, &wanted);
	if (fd >= 0) {
		/* The types of a module may belong to the kernel of another board. */
		err = remote_check_types(cache->remote, path, fd);
		if (!err)
			return fd;
		close(fd);
		return err;
	}
	fd = remote_open(cache->remote, path);
	/* The file may have changed since, or the board may lie. */
	if (fd >= 0 && cache->store && !digest_check(fd, &wanted))
		store_put(cache->store, name, fd);
	return fd;
}

/* Returns true for files that change only when modules are loaded or removed. */
static bool is_of_modules(const char *path)
{
	return strcmp(path, "/proc/kallsyms") == 0 ||
	       path_is_of_tracefs(path, "available_filter_functions");
}

/* Returns true if the kernel hides the addresses of its symbols. This can change, so such a list is
 * not kept. It checks the last symbol: on x86 the first ones really are at 0. */
static bool is_hidden(int fd, const char *path)
{
	off_t end = lseek(fd, 0, SEEK_END), from = end > LINE_MAX_SIZE ? end - LINE_MAX_SIZE : 0;
	char last[LINE_MAX_SIZE + 1], *line;
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	if (strcmp(path, "/proc/kallsyms") != 0)
		return false;
	n = pread(fd, last, LINE_MAX_SIZE, from);
	if (n <= 1)
		return true;
	last[n - 1] = 0; /* the newline at the end */
	line = strrchr(last, '\n');
	return strncmp(line ? line + 1 : last, "00000000", 8) == 0;
}

/* Hashes the list of modules. A kernel without modules has none. */
static int hash_modules(struct cache *cache, char text[SHA256_HEX_SIZE])
{
	int fd = remote_open(cache->remote, "/proc/modules"), err;
	struct digest digest = {.size = 0};

	if (fd < 0 && fd != -ENOENT)
		return fd;
	err = fd < 0 ? 0 : digest_file(fd, &digest);
	if (fd >= 0)
		close(fd);
	sha256_hex(digest.hash, text);
	return err;
}

static bool is_name(const char *text)
{
	return *text && !strchr(text, '/') && *text != '.';
}

/* Opens a file that depends on the board's boot and modules. Of each such file one copy is kept for
 * a board. */
static int open_of_boot(struct cache *cache, const char *path)
{
	char modules[SHA256_HEX_SIZE], name[NAME_SIZE], kind[64];
	int fd, err;

	/* Without a boot id the symbols of two boots could not be distinguished. */
	if (!cache->store || !cache->identity[0] || !is_name(cache->board->boot_id))
		return -ENOENT;
	err = hash_modules(cache, modules);
	if (err)
		return err;
	snprintf(kind, sizeof(kind), "%s-%s-", strrchr(path, '/') + 1, cache->identity);
	snprintf(name, sizeof(name), "%s%s-%s", kind, cache->board->boot_id, modules);
	fd = store_get(cache->store, name);
	if (fd >= 0)
		return fd;
	fd = remote_open(cache->remote, path);
	if (fd >= 0 && !is_hidden(fd, path)) {
		store_put(cache->store, name, fd);
		store_remove_others(cache->store, kind, name);
	}
	return fd;
}

int cache_open(struct cache *cache, const char *path)
{
	if (is_of_modules(path))
		return open_of_boot(cache, path);
	if (strncmp(path, BTF_DIRECTORY, strlen(BTF_DIRECTORY)) == 0 || program_name(path))
		return open_by_contents(cache, path);
	return -ENOENT;
}

int cache_open_btf(struct cache *cache, const char *name)
{
	char path[PATH_MAX];

	if (strchr(name, '/') || !*name)
		return -EINVAL;
	snprintf(path, sizeof(path), BTF_DIRECTORY "%s", name);
	return open_or_fetch(cache, path);
}
