/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps files by name in a directory that only this user can write.
 *
 * An entry is written under a temporary name and renamed when it is complete. Its writer holds a
 * lock on it meanwhile; a temporary file without that lock is of a run that was killed. */
#include "host-usb/run/files/store.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/options.h"
#include "host-usb/run/files/dirtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEEP_S	   (30 * 24 * 3600) /* seconds after the last use until an entry is removed */
#define QUOTA_NAME "BPFD_CACHE_MIB"
#define QUOTA_MIB  1024 /* an honest board adds some ten for a kernel, and its programs */
#define QUOTA_MAX  (1ULL << 30)

struct store {
	int directory;
	uint64_t quota; /* bytes */
	char path[PATH_MAX];
	bool warned; /* that an entry could not be written */
};

static int make_directory(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Writes the name of the directory, and makes it. */
static int make_place(char place[PATH_MAX])
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX - 8];
	int n;

	if (base && base[0] == '/')
		n = snprintf(path, sizeof(path), "%s", base);
	else if (home && home[0] == '/')
		n = snprintf(path, sizeof(path), "%s/.cache", home);
	else
		return -ENOENT;
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	snprintf(place, PATH_MAX, "%s/bpfd", path);
	n = make_directory(path);
	return n ? n : make_directory(place);
}

/* Whoever can write the directory could give the tool any kernel symbols and types. */
static int check_owner(int directory, const char *path)
{
	struct stat st;

	if (fstat(directory, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid()) {
		log_warning("%s: not used as a cache, because another user (%u) owns it; set "
			    "XDG_CACHE_HOME",
			path, (unsigned int)st.st_uid);
		return -EPERM;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		log_warning("%s: not used as a cache, because other users can write it; run chmod "
			    "go-w %s",
			path, path);
		return -EPERM;
	}
	return 0;
}

static uint64_t quota_of_user(void)
{
	const char *text = getenv(QUOTA_NAME);
	uint64_t mib = QUOTA_MIB;

	if (text && *text && options_number(text, 0, QUOTA_MAX, &mib) < 0)
		log_warning(
			QUOTA_NAME ": %s: not a number of MiB; the quota is %d", text, QUOTA_MIB);
	return mib << 20;
}

/* Removes an entry, unless a run holds a lock on it. Returns true if it is gone. */
static bool remove_entry(const struct store *store, const char *name)
{
	int fd = openat(store->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char path[PATH_MAX + NAME_MAX + 2];
	bool in_use = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (!in_use && unlinkat(store->directory, name, 0) < 0 && errno == EISDIR) {
		snprintf(path, sizeof(path), "%s/%s", store->path, name);
		dirtree_remove(path);
	}
	if (fd >= 0)
		close(fd);
	return !in_use;
}

static bool is_temporary(const char *name)
{
	return strncmp(name, STORE_TEMPORARY, strlen(STORE_TEMPORARY)) == 0;
}

/* An entry, as it is listed. */
struct entry {
	char name[NAME_MAX + 1];
	time_t used;
	uint64_t bytes;
};

/* Adds the space that an entry takes. */
static void measure(const struct store *store, struct entry *entry)
{
	char path[PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/%s", store->path, entry->name);
	entry->bytes = dirtree_size(path);
}

/* Lists the entries. Returns their number, or a negative errno; the caller frees *entries. */
static ssize_t list(const struct store *store, struct entry **entries)
{
	int fd = openat(store->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct entry *all = NULL, *more;
	const struct dirent *found;
	size_t count = 0, room = 0;
	struct stat st;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	while ((found = readdir(directory))) {
		if (!strcmp(found->d_name, ".") || !strcmp(found->d_name, "..") ||
			fstatat(fd, found->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (count == room) {
			room = 2 * room + 16;
			more = realloc(all, room * sizeof(*all));
			if (!more)
				break;
			all = more;
		}
		snprintf(all[count].name, sizeof(all[count].name), "%s", found->d_name);
		all[count++].used = st.st_mtime;
	}
	closedir(directory);
	*entries = all;
	return (ssize_t)count;
}

static void remove_old(const struct store *store)
{
	const time_t now = time(NULL);
	struct entry *entries;
	ssize_t n = list(store, &entries);

	if (n < 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		if (is_temporary(entries[i].name) || now - entries[i].used > KEEP_S)
			remove_entry(store, entries[i].name);
	free(entries);
}

struct store *store_open(void)
{
	struct store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return NULL;
	store->directory = -1;
	err = make_place(store->path);
	if (!err) {
		store->directory = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = store->directory < 0 ? -errno : check_owner(store->directory, store->path);
		if (err && err != -EPERM)
			log_warning("%s: not used as a cache: %s", store->path, strerror(-err));
	} else {
		log_debug("no directory for a cache: %s", strerror(-err));
	}
	if (err) {
		store_close(store);
		return NULL;
	}
	store->quota = quota_of_user();
	remove_old(store);
	return store;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->directory >= 0)
		close(store->directory);
	free(store);
}

int store_get(struct store *store, const char *name)
{
	int fd = openat(store->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -ENOENT;
	}
	futimens(fd, NULL); /* the time of the last use */
	return fd;
}

void store_remove(struct store *store, const char *name)
{
	remove_entry(store, name);
}

void store_remove_others(struct store *store, const char *prefix, const char *keep)
{
	struct entry *entries;
	ssize_t n = list(store, &entries);

	if (n < 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		if (strncmp(entries[i].name, prefix, strlen(prefix)) == 0 &&
			strcmp(entries[i].name, keep) != 0)
			remove_entry(store, entries[i].name);
	free(entries);
}

static int older_first(const void *a, const void *b)
{
	const struct entry *first = a, *second = b;

	return first->used < second->used ? -1 : first->used > second->used;
}

/* Removes entries until one of `size` bytes fits. Returns 0, or -EFBIG if it never does. */
static int make_room(const struct store *store, uint64_t size)
{
	struct entry *entries;
	uint64_t sum = size;
	ssize_t n;

	if (size > store->quota)
		return -EFBIG;
	n = list(store, &entries);
	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++) {
		measure(store, &entries[i]);
		sum += entries[i].bytes;
	}
	if (n)
		qsort(entries, (size_t)n, sizeof(*entries), older_first);
	for (ssize_t i = 0; i < n && sum > store->quota; i++)
		sum -= remove_entry(store, entries[i].name) ? entries[i].bytes : 0;
	free(entries);
	return 0;
}

static int copy(int to, int from, off_t size)
{
	off_t at = 0;

	while (at < size) {
		ssize_t n = sendfile(to, from, &at, (size_t)(size - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	/* A copy that a crash of this machine cuts would be taken for the board's file. */
	return fdatasync(to) < 0 ? -errno : 0;
}

static int write_entry(const struct store *store, const char *name, int from, off_t size)
{
	char temporary[64];
	int fd, err;

	snprintf(temporary, sizeof(temporary), STORE_TEMPORARY "%d.%llx", (int)getpid(),
		(unsigned long long)clock_ns(CLOCK_REALTIME));
	fd = openat(store->directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	flock(fd, LOCK_EX | LOCK_NB);
	err = copy(fd, from, size);
	if (!err && renameat(store->directory, temporary, store->directory, name) < 0)
		err = -errno;
	if (err)
		unlinkat(store->directory, temporary, 0);
	close(fd);
	return err;
}

void store_put(struct store *store, const char *name, int fd)
{
	struct stat st;
	int err = fstat(fd, &st) < 0 ? -errno : make_room(store, (uint64_t)st.st_size);

	if (err == -EFBIG) {
		log_debug("%s: larger than the quota of the cache", name);
		return;
	}
	if (!err)
		err = write_entry(store, name, fd, st.st_size);
	if (err && !store->warned)
		log_warning("%s: %s; files of the board are fetched each time", store->path,
			strerror(-err));
	store->warned |= err != 0;
}

const char *store_path(const struct store *store)
{
	return store->path;
}

bool store_has_room(const struct store *store, uint64_t size)
{
	return size <= store->quota;
}

int store_get_directory(struct store *store, const char *name)
{
	int fd = openat(store->directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat opened, named;

	if (fd < 0)
		return -ENOENT;
	/* A run that needed room may have removed it before it was locked. */
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 || fstat(fd, &opened) < 0 ||
		fstatat(store->directory, name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
		opened.st_ino != named.st_ino) {
		close(fd);
		return -ENOENT;
	}
	futimens(fd, NULL);
	return fd;
}

int store_put_directory(struct store *store, const char *name, const char *temporary)
{
	int err = make_room(store, 0); /* the directory is there already, and counted */

	if (err)
		return err;
	if (syncfs(store->directory) < 0)
		return -errno;
	if (renameat(AT_FDCWD, temporary, store->directory, name) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	dirtree_remove(temporary);
	return 0;
}
