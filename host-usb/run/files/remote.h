/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about the board's files.
 *
 * Paths are absolute. Functions return 0 or a value; the board's errno; or -EIO if the link is lost
 * or the reply is malformed. */
#ifndef HOST_USB_RUN_FILES_REMOTE_H
#define HOST_USB_RUN_FILES_REMOTE_H

#include "core/base/sha256.h"
#include "core/messages/rpc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct btf_types;
struct call;
struct client;
struct remote;

#define REMOTE_LISTING_MS 2000 /* maximum age: tools list a directory, then stat its entries */

/* The entries of a directory, shared by all that have it open. */
struct listing {
	unsigned int users;
	uint64_t time_ms;
	char *path;
	size_t count;
	size_t bytes, *total; /* memory of this listing; the sum of all that contains it, or NULL */
	struct listing_entry {
		char *name;
		struct rpc_stat stat;
	} * entries; /* sorted by name */
};

/* Gives a listing back. The last user frees it. */
void listing_put(struct listing *listing);

/* Makes the state of these requests, which client sends. Returns 0 or -ENOMEM. */
int remote_new(struct remote **remote, struct client *client);
void remote_free(struct remote *remote);

/* Sets the function that opens the kernel's BTF when that of a module is checked. By default it is
 * fetched. */
void remote_set_kernel_types(struct remote *remote, int (*open)(void *arg), void *arg);

/* Checks a copy of BTF as if it had been fetched now. Other files pass. */
int remote_check_types(struct remote *remote, const char *path, int fd);

/* Returns the kernel's types, which are freed with `remote`. NULL: the board has none, or they are
 * malformed. */
const struct btf_types *remote_kernel_types(struct remote *remote);

/* stat(2), or lstat(2) without `follow`. */
int remote_stat(struct remote *remote, const char *path, bool follow, struct rpc_stat *stat);

/* access(2). */
int remote_access(struct remote *remote, const char *path, uint32_t mode);

/* readlink(2) for a call of the tool. Adds a NUL to the target; returns its length, bytes. */
int64_t remote_link(const struct call *call, const char *path, char *target, size_t size);

/* One write(2) that appends. Returns the number of bytes written. */
int64_t remote_write(struct remote *remote, const char *path, const char *data, size_t size);

/* Returns the number of writes so far. A copy that was read before a write may be out of date. */
uint64_t remote_writes(const struct remote *remote);

/* unlink(2), or rmdir(2) with `directory`; mkdir(2); renameat2(2) with its flags. */
int remote_remove(struct remote *remote, const char *path, bool directory);
int remote_mkdir(struct remote *remote, const char *path, uint32_t mode);
int remote_rename(struct remote *remote, const char *from, const char *to, uint32_t flags);

/* Forgets what was remembered, because the tool has changed files of the board. */
void remote_changed(struct remote *remote);

/* Lists a directory. The caller gives the listing back with listing_put(). */
int remote_list(struct remote *remote, const char *path, struct listing **listing);

/* Writes the file into `fd`: at most `max` bytes, all of it for 0. */
int remote_fetch(struct remote *remote, const char *path, int fd, uint64_t max);

/* Lets the board hash the contents of a file of `*size` bytes with SHA-256. */
int remote_hash(struct remote *remote, const char *path, uint8_t hash[SHA256_SIZE], uint64_t *size);

/* Returns a memory file with the contents, at its start. */
int remote_open(struct remote *remote, const char *path);

#endif
