/* SPDX-License-Identifier: Apache-2.0 */
/* The board's files: asked for, and kept for a while or for good. */
#include "host-usb/run/files/files.h"
#include "host-usb/clock.h"

#include "core/base/log.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/cpus.h"
#include "host-usb/run/files/ksyms.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROC		 "/proc/"
#define LISTINGS	 16	      /* directories whose entries are remembered */
#define LISTING_AGE_MS	 2000	      /* tools look at each entry right after they have listed it */
#define LISTING_MAX	 (1U << 20)   /* entries of one directory */
#define FETCH_MAX	 (1ULL << 30) /* bytes of one file: more than any kernel file or program */
#define ENTRY_MIN	 100	      /* bytes of an entry in a reply, at least */
#define PROGRESS_MS	 300	      /* what takes longer shows itself */
#define PROGRESS_STEP_MS 100

struct files {
	struct run *run;
	struct cache *cache;
	struct listing *listings[LISTINGS];
	size_t next_listing;
	bool terminal;		/* progress is shown */
	char checked[PATH_MAX]; /* the file that was compared last, and is the same */
	int events;		/* copy of the list of all events, -1: none */
	uint64_t events_ms;	/* when it was fetched */
};

int files_new(struct files **files, struct run *run)
{
	struct files *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->run = run;
	f->events = -1;
	f->terminal = isatty(STDERR_FILENO);
	err = cache_new(&f->cache, f);
	if (err) {
		free(f);
		return err;
	}
	*files = f;
	return 0;
}

static void forget_events(struct files *files)
{
	if (files->events >= 0)
		close(files->events);
	files->events = -1;
}

void files_free(struct files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < LISTINGS; i++)
		listing_put(files->listings[i]);
	forget_events(files);
	cache_free(files->cache);
	free(files);
}

const struct run *files_run(const struct files *files)
{
	return files->run;
}

void listing_put(struct listing *listing)
{
	if (!listing || --listing->users)
		return;
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	free(listing->path);
	free(listing);
}

static struct bytes_out *begin(struct files *files, enum rpc_op op, const char *path)
{
	struct bytes_out *out = client_begin(files->run->client, op);

	rpc_put_string(out, path);
	client_note(files->run->client, "%s", path);
	return out;
}

static struct listing *remembered(struct files *files, const char *path, size_t length)
{
	for (size_t i = 0; i < LISTINGS; i++) {
		struct listing *listing = files->listings[i];

		if (listing && strncmp(listing->path, path, length) == 0 &&
			!listing->path[length] && clock_ms() - listing->time_ms <= LISTING_AGE_MS)
			return listing;
	}
	return NULL;
}

static void remember(struct files *files, struct listing *listing)
{
	struct listing **slot = &files->listings[files->next_listing++ % LISTINGS];

	listing_put(*slot);
	*slot = listing;
	listing->users++;
}

static int compare(const void *name, const void *entry)
{
	return strcmp(name, ((const struct listing_entry *)entry)->name);
}

/* From a listing of its directory. Returns 0; -ENOENT: there is no such entry; -EAGAIN: it is not
 * known. */
static int stat_remembered(
	struct files *files, const char *path, bool follow, struct rpc_stat *stat)
{
	const char *slash = strrchr(path, '/');
	const struct listing_entry *entry;
	struct listing *listing;

	if (!slash || slash == path)
		return -EAGAIN;
	listing = remembered(files, path, (size_t)(slash - path));
	if (!listing)
		return -EAGAIN;
	entry = bsearch(slash + 1, listing->entries, listing->count, sizeof(*entry), compare);
	if (!entry)
		return -ENOENT;
	if (follow && S_ISLNK(entry->stat.mode))
		return -EAGAIN;
	*stat = entry->stat;
	return 0;
}

int files_stat(struct files *files, const char *path, bool follow, struct rpc_stat *stat)
{
	struct bytes_in reply;
	struct bytes_out *out;
	int err = stat_remembered(files, path, follow, stat);
	int64_t ret;

	if (err != -EAGAIN)
		return err;
	out = begin(files, RPC_FILE_STAT, path);
	bytes_put_u32(out, follow ? 0 : RPC_NOFOLLOW);
	ret = client_call(files->run->client, &reply);
	if (ret < 0)
		return (int)ret;
	rpc_get_stat(&reply, stat);
	return reply.failed ? -EIO : 0;
}

int files_access(struct files *files, const char *path, uint32_t mode)
{
	struct bytes_in reply;
	struct bytes_out *out = begin(files, RPC_FILE_ACCESS, path);

	int64_t ret;

	bytes_put_u32(out, mode);
	ret = client_call(files->run->client, &reply);
	return ret > 0 ? -EIO : (int)ret;
}

int64_t files_write(struct files *files, const char *path, const char *data, size_t size)
{
	struct bytes_in reply;
	struct bytes_out *out = begin(files, RPC_FILE_WRITE, path);
	int64_t ret;

	forget_events(files); /* it may define one */
	bytes_put_u32(out, RPC_APPEND);
	rpc_put_bytes(out, data, size);
	client_note(files->run->client, "%s: %.*s", path, (int)strcspn(data, "\n"), data);
	ret = client_call(files->run->client, &reply);
	return ret > (int64_t)size ? -EIO : ret;
}

static int64_t link_of(struct files *files, const char *path, char *target, size_t size)
{
	struct bytes_in reply;
	int64_t ret;

	begin(files, RPC_FILE_LINK, path);
	ret = client_call(files->run->client, &reply);
	if (ret < 0)
		return ret;
	if (!rpc_get_string(&reply, target, size))
		return -EIO;
	return (int64_t)strlen(target);
}

static bool is_in_proc(const char *path)
{
	return strncmp(path, PROC, strlen(PROC)) == 0;
}

bool files_is_of_process(const char *path, const char *name)
{
	size_t length = strlen(path), end = strlen(name);

	return is_in_proc(path) && length >= strlen(PROC) + end &&
	       strcmp(path + length - end, name) == 0;
}

bool files_is_of_tracefs(const char *path, const char *name)
{
	static const char *const mounts[] = {"/sys/kernel/tracing/", "/sys/kernel/debug/tracing/"};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (strncmp(path, mounts[i], strlen(mounts[i])) == 0 &&
			strcmp(path + strlen(mounts[i]), name) == 0)
			return true;
	return false;
}

/* A process in the board's first namespace is for the tool in its own one: tools that compare the
 * two would else try to enter it. */
int64_t files_link(
	struct files *files, const struct call *call, const char *path, char *target, size_t size)
{
	int64_t ret = link_of(files, path, target, size);
	char first[256], own[64];
	ssize_t n;

	if (ret < 0 || !files_is_of_process(path, "/ns/mnt") ||
		link_of(files, "/proc/1/ns/mnt", first, sizeof(first)) < 0 || strcmp(first, target))
		return ret;
	snprintf(own, sizeof(own), "/proc/%d/ns/mnt", (int)call->tid);
	n = readlink(own, target, size - 1);
	if (n < 0)
		return -errno;
	target[n] = 0;
	return n;
}

/* One part of a listing. */
static int take_entries(struct listing *listing, struct bytes_in *reply)
{
	uint32_t n = bytes_get_u32(reply);
	struct listing_entry *entries;
	char name[NAME_MAX + 1];

	if (n > reply->size / ENTRY_MIN)
		return -EIO;
	entries = realloc(listing->entries, (listing->count + n + 1) * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	listing->entries = entries;
	for (; n; n--) {
		struct listing_entry *entry = &listing->entries[listing->count];

		if (!rpc_get_string(reply, name, sizeof(name)) || strchr(name, '/') || !*name ||
			!strcmp(name, ".") || !strcmp(name, ".."))
			return -EIO;
		rpc_get_stat(reply, &entry->stat);
		if (reply->failed)
			return -EIO;
		entry->name = strdup(name);
		if (!entry->name)
			return -ENOMEM;
		listing->count++;
	}
	return 0;
}

static int order(const void *a, const void *b)
{
	return strcmp(
		((const struct listing_entry *)a)->name, ((const struct listing_entry *)b)->name);
}

int files_list(struct files *files, const char *path, struct listing **listing)
{
	struct client *client = files->run->client;
	struct listing *l = remembered(files, path, strlen(path));
	struct bytes_in reply;
	size_t had = 0;
	int64_t ret;
	int err;

	if (l) {
		l->users++;
		*listing = l;
		return 0;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->users = 1;
	l->path = strdup(path);
	begin(files, RPC_FILE_LIST, path);
	ret = client_call(client, &reply);
	err = l->path ? 0 : -ENOMEM;
	if (ret >= 0 && !err)
		err = take_entries(l, &reply);
	while (client_more(client)) {
		/* A part of which we have taken nothing might be followed by others for ever. */
		if (l->count == had || l->count > LISTING_MAX)
			client_give_up(client, path);
		had = l->count;
		ret = client_next(client, &reply);
		if (ret >= 0 && !err)
			err = take_entries(l, &reply);
	}
	if (ret < 0)
		err = (int)ret;
	if (err) {
		listing_put(l);
		return err;
	}
	qsort(l->entries, l->count, sizeof(*l->entries), order);
	l->time_ms = clock_ms();
	remember(files, l);
	*listing = l;
	return 0;
}

/* A line that is overwritten, and gone when it is done. */
static void progress(
	struct files *files, const char *path, uint64_t bytes, uint64_t start_ms, uint64_t *told_ms)
{
	uint64_t now = clock_ms();

	if (!files->terminal || now - start_ms < PROGRESS_MS ||
		(*told_ms && now - *told_ms < PROGRESS_STEP_MS))
		return;
	fprintf(stderr, "\rbpfd-run: fetching %s from the board: %.1f MB\033[K", path,
		(double)bytes / 1e6);
	*told_ms = now;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* err: of an earlier part, after which nothing is written. */
static int take_contents(struct bytes_in *reply, int fd, uint64_t max, uint64_t *bytes, int err)
{
	size_t size;
	const char *data = rpc_get_bytes(reply, &size);

	*bytes += size;
	if (err)
		return err;
	return data && *bytes <= max ? write_all(fd, data, size) : -EIO;
}

int files_fetch(struct files *files, const char *path, int fd, uint64_t max)
{
	uint64_t start = clock_ms(), told = 0, bytes = 0, had = 0;
	struct client *client = files->run->client;
	struct bytes_out *out = begin(files, RPC_FILE_READ, path);
	struct bytes_in reply;
	int64_t ret;
	int err = 0;

	bytes_put_u64(out, max);
	max = max ? max : FETCH_MAX;
	ret = client_call(client, &reply);
	if (ret >= 0)
		err = take_contents(&reply, fd, max, &bytes, 0);
	while (client_more(client)) {
		if (bytes == had || bytes > max) /* it might never end */
			client_give_up(client, path);
		had = bytes;
		ret = client_next(client, &reply);
		if (ret >= 0)
			err = take_contents(&reply, fd, max, &bytes, err);
		progress(files, path, bytes, start, &told);
	}
	if (told)
		fputs("\r\033[K", stderr);
	return ret < 0 ? (int)ret : err;
}

/* A memory file with the contents, at its start. */
static int fetch_into_memory(struct files *files, const char *path)
{
	int fd = memfd_create("bpfd:file", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = files_fetch(files, path, fd, 0);
	if (!err && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* The list of all events, in which bpftrace looks for one name after the other, each time from the
 * file: kept as long as a listing. */
static int open_events(struct files *files, const char *path)
{
	char copy[64];
	int fd;

	if (files->events >= 0 && clock_ms() - files->events_ms > LISTING_AGE_MS)
		forget_events(files);
	if (files->events < 0) {
		fd = fetch_into_memory(files, path);
		if (fd < 0)
			return fd;
		files->events = fd;
		files->events_ms = clock_ms();
	}
	snprintf(copy, sizeof(copy), "/proc/self/fd/%d", files->events);
	fd = open(copy, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens what `place` (O_PATH) is for reading, if it is a regular file: devices of the workstation
 * may do something when they are opened, and the board chooses the name. Takes place. */
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

/* A file of a process' root from the copy of the board's files, or -ENOENT. */
static int open_in_sysroot(struct files *files, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	const char *rest;
	int root, fd;
	char *end;

	if (!files->run->sysroot || !is_in_proc(path))
		return -ENOENT;
	strtol(path + strlen(PROC), &end, 10);
	rest = strncmp(end, "/root/", 6) == 0 ? end + 5 : NULL;
	root = rest ? open(files->run->sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (root < 0)
		return -ENOENT;
	/* Its links are the board's: absolute ones begin at the copy's root. */
	fd = (int)syscall(SYS_openat2, root, rest, &how, sizeof(how));
	close(root);
	fd = fd < 0 ? fd : open_regular(fd);
	return fd < 0 ? -ENOENT : fd;
}

/* A file of a process' root that this workstation has as well, by its size and its first page,
 * which holds the build id: it need not be fetched. -ENOENT if not. */
static int open_same(struct files *files, const char *path)
{
	const char *rest = is_in_proc(path) ? strstr(path + strlen(PROC), "/root/") : NULL;
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
	err = files_stat(files, path, true, &theirs);
	/* Files of /proc, which some wait to read from, have no size. */
	if (!err && S_ISREG(theirs.mode) && theirs.size && fstat(fd, &ours) == 0 &&
		(uint64_t)ours.st_size == theirs.size)
		err = files_fetch(files, path, first, sizeof(board));
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

int files_kernel_btf(struct files *files, const char *name, uint64_t size)
{
	char path[PATH_MAX];
	int fd;

	if (strchr(name, '/') || !*name)
		return -EINVAL;
	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", name);
	fd = cache_open_btf(files->cache, path, size);
	return fd == -ENOENT ? fetch_into_memory(files, path) : fd;
}

int files_open(struct files *files, const char *path)
{
	int fd = open_in_sysroot(files, path), all;

	if (fd == -ENOENT)
		fd = open_same(files, path);
	if (fd == -ENOENT && files_is_of_tracefs(path, "available_events"))
		return open_events(files, path);
	if (fd == -ENOENT)
		fd = cache_open(files->cache, path);
	if (fd == -ENOENT)
		fd = fetch_into_memory(files, path);
	else if (fd >= 0 && strcmp(path, "/proc/kallsyms") == 0) {
		all = ksyms_open(files->run, fd);
		close(fd);
		fd = all;
	}
	if (strcmp(path, CPUS_POSSIBLE) == 0 && !client_dead(files->run->client))
		fd = cpus_open(fd, files->run->board.possible_cpus);
	return fd;
}

int files_open_program(struct files *files, const char *path)
{
	int fd;

	if (is_in_proc(path))
		return files_open(files, path);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : open_regular(fd);
}

/* The first page of a program holds its build id, and much that differs from build to build. */
static int compare_programs(struct files *files, const char *path)
{
	char board[4096], local[4096];
	int theirs = memfd_create("bpfd:file", MFD_CLOEXEC), ours, err;
	ssize_t n = 0, m = 0;

	if (theirs < 0)
		return -errno;
	err = files_fetch(files, path, theirs, sizeof(board));
	if (!err)
		n = pread(theirs, board, sizeof(board), 0);
	close(theirs);
	if (err)
		return err;
	ours = files_open_program(files, path);
	if (ours < 0) /* only the board has it: then the tool knows its offset from elsewhere */
		return 0;
	m = pread(ours, local, sizeof(local), 0);
	close(ours);
	return n == m && n >= 0 && memcmp(board, local, (size_t)n) == 0 ? 0 : -ESTALE;
}

int files_board_path(const struct call *call, const char *path, const char **told)
{
	struct files *files = call->run->files;
	const char *sysroot = call->run->sysroot;
	size_t length = sysroot ? strlen(sysroot) : 0;
	int err;

	*told = path;
	if (length && strncmp(path, sysroot, length) == 0 && path[length] == '/') {
		*told = path + length;
		return 0;
	}
	if (is_in_proc(path) || strcmp(path, files->checked) == 0)
		return 0;
	err = compare_programs(files, path);
	switch (err) {
	case 0:
		snprintf(files->checked, sizeof(files->checked), "%s", path);
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
