/* SPDX-License-Identifier: Apache-2.0 */
/* Sends requests about the board's files. */
#include "host-usb/run/files/remote.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/printable.h"
#include "core/base/write_all.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/btf.h"
#include "host-usb/run/files/btf_file.h"
#include "host-usb/run/files/lines.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDLESS "the board does not stop sending"

#define LISTINGS	 16	      /* number of listings that are remembered */
#define LISTING_MAX	 (16U << 20)  /* bytes of a directory; 100,000 processes need that */
#define LISTINGS_MAX	 (64U << 20)  /* bytes of all directories that the tool reads */
#define FETCH_MAX	 (1ULL << 30) /* bytes of a file: more than any kernel file or program */
#define ALLOCATION	 16	      /* bytes that a small allocation needs on top of its size */
#define LISTED_MIN	 100	      /* smallest entry in a reply, bytes */
#define PROGRESS_MS	 300	      /* a transfer that takes longer shows its progress */
#define PROGRESS_STEP_MS 100	      /* between two updates of the progress */

struct remote {
	struct client *client;
	struct listing *listings[LISTINGS];
	size_t next_listing;
	size_t listed; /* bytes of all listings that exist */
	bool terminal; /* stderr is a terminal, where progress is shown */
	uint64_t writes;
	struct btf_files btf;
};

static int open_kernel_types(void *arg)
{
	return remote_open(arg, BTF_FILE_KERNEL);
}

int remote_new(struct remote **remote, struct client *client)
{
	struct remote *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->client = client;
	remote_set_kernel_types(r, open_kernel_types, r);
	r->terminal = isatty(STDERR_FILENO);
	*remote = r;
	return 0;
}

void remote_set_kernel_types(struct remote *remote, int (*open)(void *arg), void *arg)
{
	remote->btf.open_kernel = open;
	remote->btf.arg = arg;
}

const struct btf_types *remote_kernel_types(struct remote *remote)
{
	int fd = remote->btf.kernel ? -1 : remote->btf.open_kernel(remote->btf.arg);

	if (fd >= 0)
		close(fd);
	return remote->btf.kernel;
}

int remote_check_types(struct remote *remote, const char *path, int fd)
{
	return btf_file_check(&remote->btf, path, fd);
}

void listing_put(struct listing *listing)
{
	if (!listing || --listing->users)
		return;
	if (listing->total)
		*listing->total -= listing->bytes;
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i].name);
	free(listing->entries);
	free(listing->path);
	free(listing);
}

void remote_changed(struct remote *remote)
{
	for (size_t i = 0; i < LISTINGS; i++) {
		listing_put(remote->listings[i]);
		remote->listings[i] = NULL;
	}
}

void remote_free(struct remote *remote)
{
	if (!remote)
		return;
	remote_changed(remote);
	btf_free(remote->btf.kernel);
	free(remote);
}

uint64_t remote_writes(const struct remote *remote)
{
	return remote->writes;
}

static struct bytes_out *begin(struct remote *remote, enum rpc_op op, const char *path)
{
	struct bytes_out *out = client_begin(remote->client, op);

	rpc_put_string(out, path);
	client_note(remote->client, "%s", path);
	return out;
}

static struct listing *remembered(struct remote *remote, const char *path, size_t length)
{
	for (size_t i = 0; i < LISTINGS; i++) {
		struct listing *listing = remote->listings[i];

		if (listing && strncmp(listing->path, path, length) == 0 &&
			!listing->path[length] &&
			clock_monotonic_ms() - listing->time_ms <= REMOTE_LISTING_MS)
			return listing;
	}
	return NULL;
}

static void remember(struct remote *remote, struct listing *listing)
{
	struct listing **slot = &remote->listings[remote->next_listing++ % LISTINGS];

	listing_put(*slot);
	*slot = listing;
	listing->users++;
}

static int compare(const void *name, const void *entry)
{
	return strcmp(name, ((const struct listing_entry *)entry)->name);
}

/* Answers stat(2) from a remembered listing of the directory. Returns 0; -ENOENT if the directory
 * has no such entry; -EAGAIN if the listing cannot answer. */
static int stat_remembered(
	struct remote *remote, const char *path, bool follow, struct rpc_stat *stat)
{
	const char *slash = strrchr(path, '/');
	const struct listing_entry *entry;
	struct listing *listing;

	if (!slash || slash == path)
		return -EAGAIN;
	listing = remembered(remote, path, (size_t)(slash - path));
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

int remote_stat(struct remote *remote, const char *path, bool follow, struct rpc_stat *stat)
{
	struct bytes_in reply;
	struct bytes_out *out;
	int err = stat_remembered(remote, path, follow, stat);
	int64_t ret;

	if (err != -EAGAIN)
		return err;
	out = begin(remote, RPC_FILE_STAT, path);
	bytes_put_u32(out, follow ? 0 : RPC_NOFOLLOW);
	ret = client_call(remote->client, &reply);
	if (ret < 0)
		return (int)ret;
	rpc_get_stat(&reply, stat);
	return reply.failed ? -EIO : 0;
}

int remote_access(struct remote *remote, const char *path, uint32_t mode)
{
	struct bytes_in reply;
	struct bytes_out *out = begin(remote, RPC_FILE_ACCESS, path);
	int64_t ret;

	bytes_put_u32(out, mode);
	ret = client_call(remote->client, &reply);
	return ret > 0 ? -EIO : (int)ret;
}

int64_t remote_write(struct remote *remote, const char *path, const char *data, size_t size)
{
	struct bytes_in reply;
	struct bytes_out *out = begin(remote, RPC_FILE_WRITE, path);
	int64_t ret;

	remote->writes++;
	remote_changed(remote); /* a new event is a directory */
	bytes_put_u32(out, RPC_APPEND);
	rpc_put_bytes(out, data, size);
	client_note(remote->client, "%s: %.*s", path, (int)strcspn(data, "\n"), data);
	ret = client_call(remote->client, &reply);
	return ret > (int64_t)size ? -EIO : ret;
}

/* Sends the request of a change, which has no other reply than its result. */
static int change(struct remote *remote)
{
	struct bytes_in reply;
	int64_t ret;

	remote_changed(remote);
	ret = client_call(remote->client, &reply);
	return ret > 0 ? -EIO : (int)ret;
}

int remote_remove(struct remote *remote, const char *path, bool directory)
{
	bytes_put_u32(begin(remote, RPC_FILE_REMOVE, path), directory ? RPC_RMDIR : 0);
	return change(remote);
}

int remote_mkdir(struct remote *remote, const char *path, uint32_t mode)
{
	bytes_put_u32(begin(remote, RPC_FILE_MKDIR, path), mode);
	return change(remote);
}

int remote_rename(struct remote *remote, const char *from, const char *to, uint32_t flags)
{
	struct bytes_out *out = begin(remote, RPC_FILE_RENAME, from);

	rpc_put_string(out, to);
	bytes_put_u32(out, flags);
	client_note(remote->client, "%s to %s", from, to);
	return change(remote);
}

static int64_t link_of(struct remote *remote, const char *path, char *target, size_t size)
{
	struct bytes_in reply;
	int64_t ret;

	begin(remote, RPC_FILE_LINK, path);
	ret = client_call(remote->client, &reply);
	if (ret < 0)
		return ret;
	if (!rpc_get_string(&reply, target, size))
		return -EIO;
	return (int64_t)strlen(target);
}

/* For a process in the board's initial mount namespace this answers with the tool's own namespace.
 * Otherwise tools that compare the two would try to enter the process's namespace. */
int64_t remote_link(const struct call *call, const char *path, char *target, size_t size)
{
	struct remote *remote = call->run->remote;
	int64_t ret = link_of(remote, path, target, size);
	char first[256];

	if (ret < 0 || !path_is_of_process(path, "/ns/mnt") ||
		link_of(remote, "/proc/1/ns/mnt", first, sizeof(first)) < 0 ||
		strcmp(first, target))
		return ret;
	return memory_read_link(call, "ns/mnt", target, size);
}

/* Adds the entries of one part of the reply. */
static int take_entries(struct listing *listing, struct bytes_in *reply)
{
	uint32_t n = bytes_get_u32(reply);
	struct listing_entry *entries;
	char name[NAME_MAX + 1];

	if (n > reply->size / LISTED_MIN)
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
		listing->bytes += sizeof(*entry) + strlen(name) + 1 + ALLOCATION;
		if (listing->bytes > LISTING_MAX)
			return -E2BIG;
	}
	return 0;
}

static int order(const void *a, const void *b)
{
	return strcmp(
		((const struct listing_entry *)a)->name, ((const struct listing_entry *)b)->name);
}

/* Forgets listings until those that remain leave room for so many bytes. Returns false if the tool
 * has too many open. */
static bool make_room(struct remote *remote, size_t bytes)
{
	for (size_t i = 0; remote->listed + bytes > LISTINGS_MAX && i < LISTINGS; i++) {
		listing_put(remote->listings[i]);
		remote->listings[i] = NULL;
	}
	return remote->listed + bytes <= LISTINGS_MAX;
}

int remote_list(struct remote *remote, const char *path, struct listing **listing)
{
	struct client *client = remote->client;
	struct listing *l = remembered(remote, path, strlen(path));
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
	begin(remote, RPC_FILE_LIST, path);
	ret = client_call(client, &reply);
	err = l->path ? 0 : -ENOMEM;
	if (ret >= 0 && !err)
		err = take_entries(l, &reply);
	while (client_more(client)) {
		/* Without this, a board could send empty parts forever. */
		if (l->count == had)
			client_give_up(client, path, ENDLESS);
		if (err == -E2BIG)
			client_give_up(client, path, "the list is longer than any directory");
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
	l->time_ms = clock_monotonic_ms();
	if (!make_room(remote, l->bytes)) {
		log_error("%s: the lists of the directories that are open are too long", path);
		listing_put(l);
		return -ENOMEM;
	}
	l->total = &remote->listed;
	remote->listed += l->bytes;
	remember(remote, l);
	*listing = l;
	return 0;
}

/* Shows progress in a line that is overwritten, and erased at the end. */
static void progress(struct remote *remote, const char *path, uint64_t bytes, uint64_t start_ms,
	uint64_t *shown_ms)
{
	uint64_t now = clock_monotonic_ms();
	char name[PATH_MAX];

	if (!remote->terminal || now - start_ms < PROGRESS_MS ||
		(*shown_ms && now - *shown_ms < PROGRESS_STEP_MS))
		return;
	snprintf(name, sizeof(name), "%s", path); /* it may be from a list of the board */
	printable_ascii(name, strlen(name));
	fprintf(stderr, "\rbpfd-run: fetching %s from the board: %.1f MB\033[K", name,
		(double)bytes / 1e6);
	*shown_ms = now;
}

/* Writes one part of the contents into `fd`, unless an earlier part failed with `err`. */
static int take_contents(struct bytes_in *reply, int fd, uint64_t max, uint64_t *bytes, int err)
{
	size_t size;
	const char *data = rpc_get_bytes(reply, &size);

	*bytes += size;
	if (err)
		return err;
	if (!data || *bytes > max)
		return -EIO;
	err = write_all(fd, data, size);
	if (err)
		log_error("file of the board: no copy can be stored: %s%s", strerror(-err),
			err == -EFBIG ? "; see ulimit -f" : "");
	return err;
}

int remote_fetch(struct remote *remote, const char *path, int fd, uint64_t max)
{
	uint64_t start = clock_monotonic_ms(), shown_ms = 0, bytes = 0, had = 0;
	struct client *client = remote->client;
	struct bytes_out *out = begin(remote, RPC_FILE_READ, path);
	struct bytes_in reply;
	int64_t ret;
	int err = 0;

	bytes_put_u64(out, max);
	max = max ? max : FETCH_MAX;
	ret = client_call(client, &reply);
	if (ret >= 0)
		err = take_contents(&reply, fd, max, &bytes, 0);
	while (client_more(client)) {
		if (bytes == had || bytes > max) /* a board could send parts forever */
			client_give_up(client, path, ENDLESS);
		had = bytes;
		ret = client_next(client, &reply);
		if (ret >= 0)
			err = take_contents(&reply, fd, max, &bytes, err);
		progress(remote, path, bytes, start, &shown_ms);
	}
	if (shown_ms)
		fputs("\r\033[K", stderr);
	if (ret < 0 || err)
		return ret < 0 ? (int)ret : err;
	if (max < FETCH_MAX) /* only a part, which no tool gets */
		return 0;
	err = btf_file_check(&remote->btf, path, fd);
	return err ? err : lines_check(path, fd);
}

int remote_hash(struct remote *remote, const char *path, uint8_t hash[SHA256_SIZE], uint64_t *size)
{
	struct bytes_in reply;
	const void *bytes;
	size_t length;
	int64_t ret;

	begin(remote, RPC_FILE_HASH, path);
	ret = client_call(remote->client, &reply);
	if (ret < 0)
		return (int)ret;
	*size = bytes_get_u64(&reply);
	bytes = rpc_get_bytes(&reply, &length);
	if (!bytes || length != SHA256_SIZE)
		return -EIO;
	memcpy(hash, bytes, SHA256_SIZE);
	return 0;
}

int remote_open(struct remote *remote, const char *path)
{
	int fd = memfd_create("bpfd:file", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = remote_fetch(remote, path, fd, 0);
	if (!err && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}
