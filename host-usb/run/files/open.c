/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what a path of the board opens: its file, a copy, or the workstation's. */
#include "host-usb/run/files/open.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/cpus.h"
#include "host-usb/run/files/ksyms.h"
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
	char checked[PATH_MAX]; /* the last file that was compared and is the same here */
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

/* Opens the file behind `place`, an O_PATH descriptor, for reading. Refuses anything but a regular
 * file: the board chooses the name, and opening a device can have an effect. Takes over `place`. */
static int open_regular(int place)
{
	struct stat st;
	char own[64];
	int fd;

	if (fstat(place, &st) == 0 && S_ISREG(st.st_mode)) {
		snprintf(own, sizeof(own), "/proc/self/fd/%d", place);
		fd = open(own, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* it may have a lease */
		fd = fd < 0 ? -errno : fd;
	} else {
		fd = -EACCES;
	}
	close(place);
	return fd;
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
	fd = fd < 0 ? fd : open_regular(fd);
	return fd < 0 ? -ENOENT : fd;
}

/* Opens the workstation's file instead of a file below a process's root, if both have the same size
 * and the same first page, which contains the build id. Then the file need not be fetched. Returns
 * -ENOENT if they differ. */
static int open_same(struct opener *opener, const char *path)
{
	const char *rest = path_is_in_proc(path) ? strstr(path + strlen("/proc/"), "/root/") : NULL;
	char board[4096], local[sizeof(board)];
	int fd, first, err;
	struct rpc_stat theirs;
	struct stat ours;
	ssize_t n = -1;

	if (!rest)
		return -ENOENT;
	fd = open(rest + 5, O_PATH | O_CLOEXEC);
	fd = fd < 0 ? fd : open_regular(fd);
	first = fd < 0 ? -1 : memfd_create("bpfd:file", MFD_CLOEXEC);
	if (first < 0)
		goto out_close;
	err = remote_stat(opener->run->remote, path, true, &theirs);
	/* Files of /proc have size 0; reading some of them would block. */
	if (!err && S_ISREG(theirs.mode) && theirs.size && fstat(fd, &ours) == 0 &&
		(uint64_t)ours.st_size == theirs.size)
		err = remote_fetch(opener->run->remote, path, first, sizeof(board));
	else
		err = -ENOENT;
	if (!err)
		n = pread(first, board, sizeof(board), 0);
	close(first);
	if (n > 0 && pread(fd, local, (size_t)n, 0) == n && memcmp(board, local, (size_t)n) == 0)
		return fd;
out_close:
	if (fd >= 0)
		close(fd);
	return -ENOENT;
}

int open_file(struct opener *opener, const char *path)
{
	int fd = open_in_sysroot(opener, path), all;

	if (fd == -ENOENT)
		fd = open_same(opener, path);
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
	return fd < 0 ? -errno : open_regular(fd);
}

/* Compares the first pages of the board's and the workstation's file: they contain the build id and
 * more that differs between builds. Returns 0, -ESTALE if they differ, or another errno. */
static int compare_programs(struct opener *opener, const char *path)
{
	char board[4096], local[4096];
	int theirs = memfd_create("bpfd:file", MFD_CLOEXEC), ours, err;
	ssize_t n = 0, m = 0;

	if (theirs < 0)
		return -errno;
	err = remote_fetch(opener->run->remote, path, theirs, sizeof(board));
	if (!err)
		n = pread(theirs, board, sizeof(board), 0);
	close(theirs);
	if (err)
		return err;
	ours = open_program(opener, path);
	if (ours < 0) /* only the board has it: the tool has the offset from another source */
		return 0;
	m = pread(ours, local, sizeof(local), 0);
	close(ours);
	return n == m && n >= 0 && memcmp(board, local, (size_t)n) == 0 ? 0 : -ESTALE;
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
	if (path_is_in_proc(path) || strcmp(path, opener->checked) == 0)
		return 0;
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
		log_debug("%s: cannot be compared with the board's: %s", path, strerror(-err));
		return 0;
	}
}
