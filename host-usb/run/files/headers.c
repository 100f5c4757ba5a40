/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the headers of the board's kernel: fetches and unpacks them, or takes the given ones.
 *
 * A run has a directory of its own with a link to the unpacked headers, which are kept once for
 * their contents. Its name is known before the headers are, so they are fetched only when a tool
 * wants them. */
#include "host-usb/run/files/headers.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/messages/file_tree.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/digest.h"
#include "host-usb/run/files/dirtree.h"
#include "host-usb/run/files/joined.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/files/store.h"
#include "host-usb/run/files/unpack.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARCHIVE	 "/sys/kernel/kheaders.tar.xz"
#define SUFFIX	 "/headers"
#define UNPACKED "/kheaders-" /* how tools name their directories, below /tmp or $TMPDIR */
#define PROOF	 "include/linux/kconfig.h" /* the file by which BCC recognizes headers */

struct headers {
	struct run *run;
	struct store *store;	  /* NULL: the headers are unpacked for this run only */
	char given[PATH_MAX];	  /* the directory of --headers, or "" */
	char directory[PATH_MAX]; /* for the tool; "" if there are no headers */
	char own[PATH_MAX];	  /* the directory of this run, where `directory` is */
	int own_fd, unpacked_fd;  /* hold the locks on them; -1 */
	bool tried;
};

/* Names the directory of this run, in the cache or among the temporary files. */
static void name_directory(struct headers *headers)
{
	const char *temporary = getenv("TMPDIR");

	temporary = temporary && *temporary == '/' ? temporary : "/tmp";
	if (snprintf(headers->own, sizeof(headers->own), "%s/%s%d.%llx",
		    headers->store ? store_path(headers->store) : temporary,
		    headers->store ? STORE_TEMPORARY : "bpfd-run.", (int)getpid(),
		    (unsigned long long)clock_ns(CLOCK_REALTIME)) < PATH_MAX - (int)sizeof(SUFFIX))
		snprintf(headers->directory, sizeof(headers->directory), "%.*s" SUFFIX,
			PATH_MAX - (int)sizeof(SUFFIX), headers->own);
}

/* Makes a directory with a lock, which says that its run goes on. */
static int make_locked(const char *path)
{
	int fd = mkdir(path, 0700) < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	flock(fd, LOCK_EX | LOCK_NB);
	return fd;
}

static bool has_headers(const char *directory)
{
	char path[PATH_MAX];

	return path_format(path, "%s/include/linux", directory) == 0 && access(path, X_OK) == 0;
}

/* Joins the build directory of a kernel that was built with O= and its sources: BCC reads one
 * directory only. */
static int join_given(struct headers *headers, const char *sources)
{
	char build[PATH_MAX], source[PATH_MAX];

	if (!realpath(headers->given, build) || !realpath(sources, source))
		return -errno;
	headers->store = cache_store(headers->run->cache);
	name_directory(headers);
	if (!headers->directory[0])
		return -ENAMETOOLONG;
	headers->own_fd = make_locked(headers->own);
	if (headers->own_fd < 0)
		return headers->own_fd;
	return joined_make(headers->directory, build, source);
}

/* Reads the directory of the sources from the Makefile that kbuild writes into a build directory:
 * "include DIRECTORY/Makefile". Returns false if it names none. */
static bool read_makefile(const char *given, char sources[PATH_MAX])
{
	char path[PATH_MAX], line[PATH_MAX + 16], *end;
	FILE *file;

	sources[0] = 0;
	file = path_format(path, "%s/Makefile", given) ? NULL : fopen(path, "re");
	while (file && !sources[0] && fgets(line, sizeof(line), file)) {
		end = strstr(line, "/Makefile\n");
		if (strncmp(line, "include /", 9) != 0 || !end)
			continue;
		*end = 0;
		path_format(sources, "%s", line + strlen("include "));
	}
	if (file)
		fclose(file);
	return sources[0] != 0;
}

/* Finds the sources of a kernel that was built in another directory. If they are not where the
 * build expects them, they may have been copied beside it, as with Debian's packages of headers.
 * Returns 0; -ENOENT: they are not there, but `sources` is where they should be, or it is ""; or
 * another negative errno. */
static int find_sources(const char *given, char sources[PATH_MAX])
{
	char named[PATH_MAX];
	struct stat st;
	int err = path_format(sources, "%s/source", given);

	if (err)
		return err;
	if (has_headers(sources))
		return 0;
	if (lstat(sources, &st) == 0)
		return -ENOENT;
	if (!read_makefile(given, named)) {
		sources[0] = 0;
		return -ENOENT;
	}
	err = path_format(sources, "%s/..%s", given, strrchr(named, '/'));
	if (err || has_headers(sources))
		return err;
	err = path_format(sources, "%s", named);
	return err ? err : has_headers(sources) ? 0 : -ENOENT;
}

/* Uses the directory that the user has named. Returns 0 or a negative errno, which is logged. */
static int use_given(struct headers *headers, const char *given)
{
	char sources[PATH_MAX] = "";
	int err;

	headers->tried = true; /* nothing is fetched */
	err = path_format(headers->given, "%s", given);
	if (!err && has_headers(given))
		return path_format(headers->directory, "%s", given);
	if (!err)
		err = find_sources(given, sources);
	if (err == -ENOENT && sources[0]) {
		log_error("--headers: %s: it does not lead to the kernel's sources, which a kernel "
			  "built with O= needs too; copy them there, or beside %s",
			sources, given);
		return err;
	}
	if (err == -ENOENT) {
		log_error("--headers: %s: it has neither include/linux nor source/include/linux; "
			  "name the headers of the board's kernel or its build directory",
			given);
		return err;
	}
	if (!err)
		err = join_given(headers, sources);
	if (err)
		log_error("--headers: %s: %s", given, strerror(-err));
	return err;
}

int headers_new(struct headers **headers, struct run *run, const char *given)
{
	struct headers *h = calloc(1, sizeof(*h));
	struct rpc_stat st;

	if (!h) {
		log_error("headers: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	h->run = run;
	run->use_path = headers_use;
	h->own_fd = h->unpacked_fd = -1;
	*headers = h;
	if (given)
		return use_given(h, given);
	if (remote_stat(run->remote, ARCHIVE, true, &st))
		return 0;
	h->store = cache_store(run->cache);
	if (h->store && !store_has_room(h->store, UNPACK_MAX))
		h->store = NULL;
	name_directory(h);
	return 0;
}

void headers_free(struct headers *headers)
{
	if (!headers)
		return;
	if (headers->own_fd >= 0) {
		dirtree_remove(headers->own);
		close(headers->own_fd);
	}
	if (headers->unpacked_fd >= 0)
		close(headers->unpacked_fd);
	free(headers);
}

const char *headers_directory(const struct headers *headers)
{
	return headers->directory[0] ? headers->directory : NULL;
}

/* Fetches the archive. Returns its descriptor, or a negative errno if it is not `wanted`. */
static int fetch(struct run *run, const struct digest *wanted)
{
	int fd = remote_open(run->remote, ARCHIVE), err;

	if (fd < 0)
		return fd;
	err = digest_check(fd, wanted);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Unpacks the archive into an empty directory. */
static int unpack(int archive, const char *directory)
{
	char proof[PATH_MAX];
	struct stat st;
	int err;

	log_info("unpacking the headers of the board's kernel");
	err = unpack_tar_xz(archive, directory);

	if (!err)
		err = dirtree_confine(directory);
	if (!err && (snprintf(proof, sizeof(proof), "%s/" PROOF, directory) >= PATH_MAX ||
			    lstat(proof, &st) < 0 || !S_ISREG(st.st_mode)))
		err = -ENOMSG;
	return err;
}

/* Unpacks into the cache. Returns a descriptor that keeps the result there, or a negative errno. */
static int unpack_into(struct headers *headers, const char *name, int archive)
{
	char temporary[PATH_MAX];
	int fd, err;

	if (snprintf(temporary, sizeof(temporary), "%s.new", headers->own) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = make_locked(temporary);
	if (fd < 0)
		return fd;
	err = unpack(archive, temporary);
	if (!err)
		err = store_put_directory(headers->store, name, temporary);
	if (err)
		dirtree_remove(temporary);
	close(fd);
	return err ? err : store_get_directory(headers->store, name);
}

/* Opens the headers in the cache, and unpacks them first if they are not there. Returns 0 or a
 * negative errno. */
static int open_unpacked(struct headers *headers, const char *name, int archive)
{
	headers->unpacked_fd = store_get_directory(headers->store, name);
	if (headers->unpacked_fd >= 0)
		return 0;
	if (archive < 0)
		return archive;
	headers->unpacked_fd = unpack_into(headers, name, archive);
	return headers->unpacked_fd < 0 ? headers->unpacked_fd : 0;
}

/* Makes the directory for the tool: a link to the headers, or the headers. */
static int link_headers(struct headers *headers, const struct digest *wanted, int *archive)
{
	char name[sizeof("headers-") + SHA256_HEX_SIZE], target[PATH_MAX], hex[SHA256_HEX_SIZE];
	int err = -ENOENT;

	sha256_hex(wanted->hash, hex);
	snprintf(name, sizeof(name), "headers-%s", hex);
	if (headers->store)
		err = open_unpacked(headers, name, *archive);
	if (err && *archive < 0) {
		*archive = fetch(headers->run, wanted);
		if (*archive < 0)
			return *archive;
		if (headers->store)
			err = open_unpacked(headers, name, *archive);
	}
	if (headers->store) {
		snprintf(target, sizeof(target), "../%s", name);
		return err ? err : symlink(target, headers->directory) < 0 ? -errno : 0;
	}
	if (mkdir(headers->directory, 0700) < 0)
		return -errno;
	return unpack(*archive, headers->directory);
}

static int provide(struct headers *headers)
{
	struct run *run = headers->run;
	struct digest wanted;
	int archive = -1, err = digest_of_board(run->remote, &run->board, ARCHIVE, &wanted);

	if (err == -EOPNOTSUPP) {
		archive = remote_open(run->remote, ARCHIVE);
		err = archive < 0 ? archive : digest_file(archive, &wanted);
	}
	if (!err) {
		headers->own_fd = make_locked(headers->own);
		err = headers->own_fd < 0 ? headers->own_fd : 0;
	}
	if (!err)
		err = link_headers(headers, &wanted, &archive);
	if (archive >= 0)
		close(archive);
	return err;
}

/* Returns false also for no directory, "". */
static bool is_below(const char *path, const char *directory)
{
	return *directory && file_tree_below(path, directory);
}

/* Returns true for a path that starts with a directory into which a tool unpacks headers. */
static bool is_of_tools(const char *path)
{
	const char *temporary = getenv("TMPDIR");
	size_t length = temporary ? strlen(temporary) : 0;

	while (length && temporary[length - 1] == '/')
		length--;
	if (length && strncmp(path, temporary, length) == 0 &&
		strncmp(path + length, UNPACKED, strlen(UNPACKED)) == 0)
		return true;
	return strncmp(path, "/tmp" UNPACKED, strlen("/tmp" UNPACKED)) == 0;
}

int headers_use(struct headers *headers, const char *path)
{
	int err;

	if (!headers || is_below(path, headers->given))
		return 0;
	if (is_of_tools(path))
		return -ENOENT;
	if (headers->tried || !is_below(path, headers->directory))
		return 0;
	headers->tried = true;
	err = provide(headers);
	if (err == -ENOMSG)
		log_error(ARCHIVE ": it contains no kernel headers; use --headers");
	else if (err)
		log_error(ARCHIVE ": cannot unpack the headers of the board's kernel: %s; use "
				  "--headers",
			strerror(-err));
	return 0;
}
