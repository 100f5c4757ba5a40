/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps copies of large files of boards.
 *
 * The name of a copy contains everything that its contents depend on: boot and modules for kernel
 * symbols and traceable functions, the kernel build for BTF, boot and inode for a program. */
#include "host-usb/run/files/cache.h"

#include "core/base/log.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEEP_S	 (30 * 24 * 3600) /* seconds after the last use until a copy is removed */
#define NAME_KEY 256

#define LINE_MAX_SIZE 1024 /* bytes of a line of kallsyms */

#define BTF_DIRECTORY "/sys/kernel/btf/"

struct cache {
	struct remote *remote;
	const struct rpc_hello *board;
	char directory[PATH_MAX]; /* empty if there is no place for copies */
	uint64_t build; /* hash of the kernel's notes, which contain its build id; 0 at first */
};

static int make_directory(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* The directory is private to the user, because kernel symbols can be secret. */
static void find_directory(struct cache *cache)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX - 8];
	int n;

	if (base && base[0] == '/')
		n = snprintf(path, sizeof(path), "%s", base);
	else if (home && home[0] == '/')
		n = snprintf(path, sizeof(path), "%s/.cache", home);
	else
		return;
	if (n < 0 || (size_t)n >= sizeof(path) || make_directory(path))
		return;
	snprintf(cache->directory, sizeof(cache->directory), "%s/bpfd", path);
	if (make_directory(cache->directory)) {
		log_debug("%s: %s; no copies are kept", cache->directory, strerror(errno));
		cache->directory[0] = 0;
	}
}

static void remove_old(const struct cache *cache)
{
	DIR *directory = opendir(cache->directory);
	const time_t now = time(NULL);
	const struct dirent *entry;
	struct stat st;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode) && now - st.st_mtime > KEEP_S)
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
}

int cache_new(struct cache **cache, struct remote *remote, const struct rpc_hello *board)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->remote = remote;
	c->board = board;
	find_directory(c);
	if (c->directory[0])
		remove_old(c);
	*cache = c;
	return 0;
}

void cache_free(struct cache *cache)
{
	free(cache);
}

/* FNV-1a: it distinguishes versions but does not resist attacks. */
static uint64_t hash(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *d = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ d[i]) * 0x100000001b3ULL;
	return hash;
}

#define HASH_START 0xcbf29ce484222325ULL

/* Hashes a small file of the board. */
static int hash_file(struct cache *cache, const char *path, uint64_t *result)
{
	int fd = memfd_create("bpfd:file", MFD_CLOEXEC), err;
	char data[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	err = remote_fetch(cache->remote, path, fd, 0);
	*result = HASH_START;
	if (!err && lseek(fd, 0, SEEK_SET) == 0)
		while ((n = read(fd, data, sizeof(data))) > 0)
			*result = hash(*result, data, (size_t)n);
	close(fd);
	return err;
}

/* The key of a file below a process's root. It is the same for all processes with this file. */
static int program_key(struct cache *cache, const char *path, char key[NAME_KEY])
{
	const struct rpc_hello *board = cache->board;
	uint64_t parts[5], h = HASH_START;
	struct rpc_stat st;
	int err = remote_stat(cache->remote, path, true, &st);

	if (err)
		return err;
	if (!S_ISREG(st.mode) || !st.size)
		return -ENOENT;
	parts[0] = st.ino;
	parts[1] = (uint64_t)st.dev_major << 32 | st.dev_minor;
	parts[2] = st.size;
	parts[3] = (uint64_t)st.mtime_s;
	parts[4] = st.mtime_ns;
	h = hash(h, parts, sizeof(parts));
	snprintf(key, NAME_KEY, "%s-file-%016llx", board->boot_id, (unsigned long long)h);
	return 0;
}

/* BTF of the kernel depends on its build. BTF of a module can change during a boot. */
static int btf_key(struct cache *cache, const char *path, uint64_t size, char key[NAME_KEY])
{
	const struct rpc_hello *board = cache->board;
	const char *name = path + strlen(BTF_DIRECTORY);
	int err;

	if (strcmp(name, "vmlinux") != 0) {
		snprintf(key, NAME_KEY, "%s-btf-%s-%llu", board->boot_id, name,
			(unsigned long long)size);
		return 0;
	}
	if (!cache->build) {
		err = hash_file(cache, "/sys/kernel/notes", &cache->build);
		if (err)
			cache->build = hash(HASH_START, board->boot_id, strlen(board->boot_id));
	}
	snprintf(key, NAME_KEY, "%s-btf-%016llx-%llu", board->release,
		(unsigned long long)cache->build, (unsigned long long)size);
	return 0;
}

/* Returns true for files that change only when modules are loaded or removed. */
static bool is_of_modules(const char *path)
{
	return strcmp(path, "/proc/kallsyms") == 0 ||
	       path_is_of_tracefs(path, "available_filter_functions");
}

/* Returns 0 and the key; -ENOENT: files of this kind are not kept; or another errno. */
static int key_of(struct cache *cache, const char *path, char key[NAME_KEY])
{
	const struct rpc_hello *board = cache->board;
	uint64_t h;
	int err;

	if (is_of_modules(path)) {
		err = hash_file(cache, "/proc/modules", &h);
		snprintf(key, NAME_KEY, "%s-%s-%016llx", board->boot_id, strrchr(path, '/') + 1,
			(unsigned long long)h);
		return err == -ENOENT ? 0 : err; /* a kernel without modules has no list */
	}
	if (strncmp(path, BTF_DIRECTORY, strlen(BTF_DIRECTORY)) == 0) {
		struct rpc_stat st;

		err = remote_stat(cache->remote, path, true, &st);
		return err ? err : btf_key(cache, path, st.size, key);
	}
	if (strncmp(path, "/proc/", 6) == 0 && isdigit((unsigned char)path[6]) &&
		strstr(path, "/root/"))
		return program_key(cache, path, key);
	return -ENOENT;
}

static bool is_name(const char *key)
{
	return !strchr(key, '/') && key[0] != '.';
}

/* Returns true if the kernel hides the addresses of its symbols. This can change, so such a list is
 * not kept. It checks the last symbol: on x86 the first ones really are at 0. */
static bool is_hidden(int fd, const char *path)
{
	off_t end = lseek(fd, 0, SEEK_END), from = end > LINE_MAX_SIZE ? end - LINE_MAX_SIZE : 0;
	char last[LINE_MAX_SIZE + 1], *line;
	ssize_t n;

	if (strcmp(path, "/proc/kallsyms") != 0)
		return false;
	n = pread(fd, last, LINE_MAX_SIZE, from);
	if (n <= 1)
		return true;
	last[n - 1] = 0; /* the newline at the end */
	line = strrchr(last, '\n');
	return strncmp(line ? line + 1 : last, "00000000", 8) == 0;
}

/* Fetches into a temporary file, and renames it when it is complete. */
static int fetch(struct cache *cache, const char *path, const char *name)
{
	char temporary[PATH_MAX + 16];
	int fd, err;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", name) >= (int)sizeof(temporary))
		return -ENOENT;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -ENOENT; /* the caller reads the board's file instead */
	err = remote_fetch(cache->remote, path, fd, 0);
	if (!err && is_hidden(fd, path)) {
		unlink(temporary);
		lseek(fd, 0, SEEK_SET);
		return fd;
	}
	if (!err && rename(temporary, name) < 0)
		err = -ENOENT;
	if (err) {
		unlink(temporary);
		close(fd);
		return err == -ENOSPC || err == -EDQUOT ? -ENOENT : err;
	}
	close(fd);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -ENOENT : fd;
}

static int open_copy(struct cache *cache, const char *path, const char *key)
{
	char name[PATH_MAX];
	int fd;

	if (!is_name(key) ||
		snprintf(name, sizeof(name), "%s/%s", cache->directory, key) >= (int)sizeof(name))
		return -ENOENT;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fetch(cache, path, name);
	futimens(fd, NULL); /* the last use, for remove_old() */
	return fd;
}

/* Without a boot id the symbols of two boots could not be distinguished. */
static bool can_keep(const struct cache *cache)
{
	return cache->directory[0] && cache->board->boot_id[0];
}

int cache_open(struct cache *cache, const char *path)
{
	char key[NAME_KEY];
	int err;

	if (!can_keep(cache))
		return -ENOENT;
	err = key_of(cache, path, key);
	return err ? err : open_copy(cache, path, key);
}

int cache_open_btf(struct cache *cache, const char *name, uint64_t size)
{
	char path[PATH_MAX], key[NAME_KEY];
	int fd = -ENOENT;

	if (strchr(name, '/') || !*name)
		return -EINVAL;
	snprintf(path, sizeof(path), BTF_DIRECTORY "%s", name);
	if (can_keep(cache)) {
		fd = btf_key(cache, path, size, key);
		if (!fd)
			fd = open_copy(cache, path, key);
	}
	return fd == -ENOENT ? remote_open(cache->remote, path) : fd;
}
