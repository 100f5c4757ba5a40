/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what a path of the board opens: its file, a copy, or the workstation's. */
#include "host-usb/run/files/open.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/cpus.h"
#include "host-usb/run/files/digest.h"
#include "host-usb/run/files/ksyms.h"
#include "host-usb/run/files/local.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct opener {
	struct run *run;
	char checked[PATH_MAX]; /* the last file that was compared and was the same here */
	struct stat ours;	/* the workstation's and the board's file at that time */
	struct rpc_stat theirs;
	int events;		/* copy of available_events; -1 if there is none */
	uint64_t events_ms;	/* when the copy was fetched */
	uint64_t events_writes; /* remote_writes() at that time */
};

int opener_new(struct opener **opener, struct run *run)
{
	struct opener *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->run = run;
	o->events = -1;
	*opener = o;
	return 0;
}

static void forget_events(struct opener *opener)
{
	if (opener->events >= 0)
		close(opener->events);
	opener->events = -1;
}

void opener_free(struct opener *opener)
{
	if (!opener)
		return;
	forget_events(opener);
	free(opener);
}

/* Opens the list of all events. bpftrace opens it again for each name that it looks up, so a copy
 * is kept for REMOTE_LISTING_MS, or until the next write, which may define an event. */
static int open_events(struct opener *opener, const char *path)
{
	struct remote *remote = opener->run->remote;
	char copy[64];
	int fd;

	if (opener->events >= 0 && (clock_monotonic_ms() - opener->events_ms > REMOTE_LISTING_MS ||
					   opener->events_writes != remote_writes(remote)))
		forget_events(opener);
	if (opener->events < 0) {
		fd = remote_open(remote, path);
		if (fd < 0)
			return fd;
		opener->events = fd;
		opener->events_ms = clock_monotonic_ms();
		opener->events_writes = remote_writes(remote);
	}
	snprintf(copy, sizeof(copy), "/proc/self/fd/%d", opener->events);
	fd = open(copy, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens a file below a process's root in the --sysroot, the copy of the board's files. Returns
 * -ENOENT if it is not there. */
static int open_in_sysroot(struct opener *opener, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	const char *rest;
	int root, fd;
	char *end;

	if (!opener->run->sysroot || !path_is_in_proc(path))
		return -ENOENT;
	strtol(path + strlen("/proc/"), &end, 10);
	rest = strncmp(end, "/root/", 6) == 0 ? end + 5 : NULL;
	root = rest ? open(opener->run->sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (root < 0)
		return -ENOENT;
	/* Symbolic links are the board's: absolute ones start at the copy's root. */
	fd = (int)syscall(SYS_openat2, root, rest, &how, sizeof(how));
	close(root);
	fd = fd < 0 ? fd : local_open_regular(fd);
	return fd < 0 ? -ENOENT : fd;
}

int open_file(struct opener *opener, const char *path)
{
	int fd = open_in_sysroot(opener, path), all;

	if (fd == -ENOENT && path_is_of_tracefs(path, "available_events"))
		return open_events(opener, path);
	if (fd == -ENOENT)
		fd = cache_open(opener->run->cache, path);
	if (fd == -ENOENT)
		fd = remote_open(opener->run->remote, path);
	else if (fd >= 0 && strcmp(path, "/proc/kallsyms") == 0) {
		all = ksyms_open(opener->run, fd);
		close(fd);
		fd = all;
	}
	return cpus_check(opener->run, path, fd);
}

int open_program(struct opener *opener, const char *path)
{
	int fd;

	if (path_is_in_proc(path))
		return open_file(opener, path);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : local_open_regular(fd);
}

/* Hashes the board's file. An older bpfd cannot; then the file is fetched. */
static int hash_of_board(struct opener *opener, const char *path, struct digest *digest)
{
	struct run *run = opener->run;
	int err = digest_of_board(run->remote, &run->board, path, digest), fd;

	if (err != -EOPNOTSUPP)
		return err;
	fd = remote_open(run->remote, path);
	if (fd < 0)
		return fd;
	err = digest_file(fd, digest);
	close(fd);
	return err;
}

/* Compares the board's and the workstation's file. Returns 0, -ESTALE if they differ, or another
 * errno. */
static int compare_programs(struct opener *opener, const char *path)
{
	struct digest theirs;
	int err = hash_of_board(opener, path, &theirs), fd;

	if (err)
		return err;
	fd = open_program(opener, path);
	if (fd < 0) /* only the board has it: the tool has the offset from another source */
		return 0;
	err = digest_check(fd, &theirs);
	close(fd);
	return err;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Gets the status of both files. Returns true if neither has changed since it was compared. */
static bool is_unchanged(struct opener *opener, const char *path)
{
	struct rpc_stat theirs = {.mode = 0};
	struct stat ours = {.st_mode = 0};
	bool known = !remote_stat(opener->run->remote, path, true, &theirs) &&
		     stat(path, &ours) == 0 && strcmp(path, opener->checked) == 0;
	bool same = known && ours.st_dev == opener->ours.st_dev &&
		    ours.st_ino == opener->ours.st_ino && ours.st_size == opener->ours.st_size &&
		    same_time(&ours.st_mtim, &opener->ours.st_mtim) &&
		    same_time(&ours.st_ctim, &opener->ours.st_ctim) &&
		    theirs.ino == opener->theirs.ino && theirs.size == opener->theirs.size &&
		    theirs.dev_major == opener->theirs.dev_major &&
		    theirs.dev_minor == opener->theirs.dev_minor &&
		    theirs.mtime_s == opener->theirs.mtime_s &&
		    theirs.mtime_ns == opener->theirs.mtime_ns &&
		    theirs.ctime_s == opener->theirs.ctime_s &&
		    theirs.ctime_ns == opener->theirs.ctime_ns;

	opener->ours = ours;
	opener->theirs = theirs;
	return same;
}

int open_board_path(const struct call *call, const char *path, const char **name)
{
	struct opener *opener = call->run->opener;
	const char *sysroot = call->run->sysroot;
	size_t length = sysroot ? strlen(sysroot) : 0;
	int err;

	*name = path;
	if (length && strncmp(path, sysroot, length) == 0 && path[length] == '/') {
		*name = path + length;
		return 0;
	}
	if (path_is_in_proc(path) || is_unchanged(opener, path))
		return 0;
	opener->checked[0] = 0;
	err = compare_programs(opener, path);
	switch (err) {
	case 0:
		snprintf(opener->checked, sizeof(opener->checked), "%s", path);
		return 0;
	case -ENOENT:
		log_error("%s: the board has no such file", path);
		return err;
	case -ESTALE:
		log_error(
			"%s: the board has another build of it than the workstation, so offsets in "
			"it differ; with --sysroot DIR name it as DIR%s",
			path, path);
		return -EINVAL;
	default:
		log_error("%s: cannot be compared with the board's file (%s), so offsets in it may "
			  "differ; with --sysroot DIR name it as DIR%s",
			path, strerror(-err), path);
		return err;
	}
}
