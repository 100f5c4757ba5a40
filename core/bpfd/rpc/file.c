/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on the board's files, FILE_FOLLOW excepted. */
#include "core/bpfd/files/file.h"
#include "core/base/paths.h"
#include "core/base/sha256.h"
#include "core/bpfd/bpf/event_list.h"
#include "core/bpfd/bpf/probe.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/rpc/operation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PIECE_SIZE (RPC_PART_MAX - 64) /* bytes of file data in a part */

static const struct paths *paths_of(const struct rpc *rpc)
{
	return &rpc->bpfd->config.paths;
}

static void put_stat(struct bytes_out *out, const struct stat *st)
{
	const struct rpc_stat stat = {
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.dev_major = major(st->st_dev),
		.dev_minor = minor(st->st_dev),
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
		.block_size = (uint32_t)st->st_blksize,
		.atime_s = st->st_atim.tv_sec,
		.mtime_s = st->st_mtim.tv_sec,
		.ctime_s = st->st_ctim.tv_sec,
		.atime_ns = (uint32_t)st->st_atim.tv_nsec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
		.ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
	};

	rpc_put_stat(out, &stat);
}

int rpc_file_stat(struct rpc *rpc, struct bytes_in *in)
{
	char path[PATH_MAX];
	uint32_t flags;
	struct stat st;
	int fd, err;

	rpc_get_string(in, path, sizeof(path));
	flags = bytes_get_u32(in);
	if (!bytes_get_end(in))
		return -EBADMSG;
	if (flags & ~(uint32_t)RPC_NOFOLLOW)
		return -EINVAL;
	fd = tree_open(paths_of(rpc), path, TREE_STAT, !(flags & RPC_NOFOLLOW));
	if (fd < 0)
		return fd;
	err = fstat(fd, &st) ? -errno : 0;
	close(fd);
	if (err)
		return err;
	bytes_put_u32(&rpc->out, 0);
	put_stat(&rpc->out, &st);
	return 0;
}

int rpc_file_access(struct rpc *rpc, struct bytes_in *in)
{
	char path[PATH_MAX];
	uint32_t mode;
	int err;

	rpc_get_string(in, path, sizeof(path));
	mode = bytes_get_u32(in);
	if (!bytes_get_end(in))
		return -EBADMSG;
	if (mode & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	if (rpc->bpfd->config.read_only && (mode & W_OK))
		return -EPERM;
	if (rpc->bpfd->config.bpffs_fixed && (mode & W_OK) && file_tree_below(path, "/sys/fs/bpf"))
		return -EPERM;
	err = tree_access(paths_of(rpc), path, (int)mode);
	if (!err)
		bytes_put_u32(&rpc->out, 0);
	return err;
}

int rpc_file_link(struct rpc *rpc, struct bytes_in *in)
{
	char path[PATH_MAX], target[PATH_MAX];
	struct stat st;
	ssize_t len;
	int fd, err;

	rpc_get_string(in, path, sizeof(path));
	if (!bytes_get_end(in))
		return -EBADMSG;
	fd = tree_open(paths_of(rpc), path, TREE_LINK, false);
	if (fd < 0)
		return fd;
	err = fstat(fd, &st) ? -errno : 0;
	if (!err && !S_ISLNK(st.st_mode))
		err = -EINVAL;
	len = err ? err : readlinkat(fd, "", target, sizeof(target) - 1);
	if (!err && len < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	target[len] = '\0';
	bytes_put_u32(&rpc->out, 0);
	rpc_put_string(&rpc->out, target);
	return 0;
}

/* Reads until `size` bytes are in the part, because files of /proc yield a page at a time. Returns
 * their number, less than size at the end of the file, or a negative errno. A file that would block
 * is at its end. */
static ssize_t read_piece(struct bytes_out *out, int fd, size_t size)
{
	size_t start = out->size, have = 0;
	ssize_t n = 1;
	char *to;

	bytes_put_u32(out, 0); /* `have`, known at the end */
	to = bytes_put_room(out, size);
	if (!to)
		return -ENOMEM;
	while (n > 0 && have < size) {
		do {
			n = read(fd, to + have, size - have);
		} while (n < 0 && errno == EINTR);
		if (n < 0 && errno != EAGAIN && !have)
			return -errno;
		have += n > 0 ? (size_t)n : 0;
	}
	bytes_put_u32_at(out, start, (uint32_t)have);
	out->size -= size - have;
	return (ssize_t)have;
}

static int read_parts(struct rpc *rpc, int fd, uint64_t max)
{
	const volatile sig_atomic_t *stop = rpc->bpfd->config.stop;
	uint64_t left = max ? max : UINT64_MAX, allowed = rpc->bpfd->config.limits.file_bytes;
	int err;

	for (;;) {
		ssize_t n;

		bytes_put_u32(&rpc->out, 0);
		n = read_piece(&rpc->out, fd, left < PIECE_SIZE ? (size_t)left : PIECE_SIZE);
		if (n <= 0) /* an error after data comes again in the next part */
			return (int)n;
		if ((uint64_t)n > allowed)
			return -EFBIG;
		allowed -= (uint64_t)n;
		left -= (uint64_t)n;
		if (!left)
			return 0;
		err = stop && *stop ? -EINTR : rpc_next_part(rpc);
		if (err)
			return err;
	}
}

int rpc_file_read(struct rpc *rpc, struct bytes_in *in)
{
	char path[PATH_MAX];
	uint64_t max;
	int fd, err;

	rpc_get_string(in, path, sizeof(path));
	max = bytes_get_u64(in);
	if (!bytes_get_end(in))
		return -EBADMSG;
	fd = tree_open_read(paths_of(rpc), path);
	if (fd < 0)
		return fd;
	err = read_parts(rpc, fd, max);
	close(fd);
	return err;
}

/* What a hash reads of a file. */
struct hash_reader {
	const struct rpc *rpc;
	struct sha256 hash;
};

static int add_to_hash(void *arg, const void *data, size_t size)
{
	struct hash_reader *reader = arg;
	const struct bpfd_config *config = &reader->rpc->bpfd->config;

	if (config->stop && *config->stop)
		return -EINTR;
	sha256_add(&reader->hash, data, size);
	return reader->hash.size > config->limits.file_bytes ? -EFBIG : 0;
}

int rpc_file_hash(struct rpc *rpc, struct bytes_in *in)
{
	struct hash_reader reader = {.rpc = rpc};
	uint8_t hash[SHA256_SIZE];
	char path[PATH_MAX];
	int fd, err;

	rpc_get_string(in, path, sizeof(path));
	if (!bytes_get_end(in))
		return -EBADMSG;
	fd = tree_open_read(paths_of(rpc), path);
	if (fd < 0)
		return fd;
	sha256_begin(&reader.hash);
	err = file_copy(fd, add_to_hash, &reader);
	close(fd);
	if (err)
		return err;
	bytes_put_u32(&rpc->out, 0);
	bytes_put_u64(&rpc->out, reader.hash.size);
	sha256_end(&reader.hash, hash);
	rpc_put_bytes(&rpc->out, hash, sizeof(hash));
	return 0;
}

/* The reply with the names of a directory, in parts. */
struct list_reply {
	struct rpc *rpc;
	const char *path;
	int fd;
	size_t counter; /* offset of the part's number of names */
	uint32_t count; /* names in the part */
};

static void part_begin(struct list_reply *list)
{
	bytes_put_u32(&list->rpc->out, 0);
	list->counter = list->rpc->out.size;
	list->count = 0;
	bytes_put_u32(&list->rpc->out, 0);
}

static void part_end(struct list_reply *list)
{
	bytes_put_u32_at(&list->rpc->out, list->counter, list->count);
}

/* Adds a name, if the client may see it and it still exists. Other errors end the list: without the
 * name it would be wrong. */
static int list_name(struct list_reply *list, const char *name)
{
	struct rpc *rpc = list->rpc;
	char path[PATH_MAX];
	struct stat st;
	int err = 0;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	if (path_format(path, "%s/%s", list->path, name) ||
		!(tree_rights(paths_of(rpc), path) & TREE_STAT))
		return 0;
	if (fstatat(list->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT || errno == ESRCH || errno == ENODEV || errno == EACCES
			       ? 0
			       : -errno;
	if (rpc->out.size > RPC_PART_MAX) {
		part_end(list);
		err = rpc_next_part(rpc);
		part_begin(list);
	}
	rpc_put_string(&rpc->out, name);
	put_stat(&rpc->out, &st);
	list->count++;
	return err;
}

static int list_names(struct list_reply *list)
{
	struct dirent **entries;
	int count, err = 0;

	count = scandirat(list->fd, ".", &entries, NULL, alphasort);
	if (count < 0)
		return -errno;
	part_begin(list);
	for (int i = 0; i < count; i++) {
		if (!err)
			err = list_name(list, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	part_end(list);
	return err;
}

int rpc_file_list(struct rpc *rpc, struct bytes_in *in)
{
	struct list_reply list = {.rpc = rpc};
	char path[PATH_MAX];
	int err;

	rpc_get_string(in, path, sizeof(path));
	if (!bytes_get_end(in))
		return -EBADMSG;
	list.fd = tree_open_directory(paths_of(rpc), path);
	if (list.fd < 0)
		return list.fd;
	list.path = path;
	err = list_names(&list);
	close(list.fd);
	return err;
}

int rpc_file_write(struct rpc *rpc, struct bytes_in *in)
{
	enum probe_event_kind kind;
	char path[PATH_MAX];
	const void *data;
	uint32_t flags;
	size_t size;
	ssize_t n;
	int err;

	rpc_get_string(in, path, sizeof(path));
	flags = bytes_get_u32(in);
	data = rpc_get_bytes(in, &size);
	if (!bytes_get_end(in))
		return -EBADMSG;
	if (flags & ~(uint32_t)RPC_APPEND)
		return -EINVAL;
	err = tree_writable(path, &kind);
	if (!err && size > RPC_WRITE_MAX)
		err = -E2BIG;
	if (err)
		return err;
	err = event_list_before(rpc->bpfd->events, kind);
	if (err)
		return err;
	n = event_file_write(paths_of(rpc), kind, data, size);
	err = event_list_after(rpc->bpfd->events, kind, data, size);
	if (n < 0)
		return (int)n;
	if (err)
		return err;
	if (kind == PROBE_EVENT_KPROBE)
		probe_warn_kprobes(rpc->bpfd->probes);
	bytes_put_u32(&rpc->out, (uint32_t)n);
	return 0;
}
