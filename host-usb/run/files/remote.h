/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about the board's files. A path is absolute; what is returned is 0 or a value, or the
 * board's errno, or -EIO: the link is lost or the answer makes no sense. */
#ifndef HOST_USB_RUN_FILES_REMOTE_H
#define HOST_USB_RUN_FILES_REMOTE_H

#include "core/messages/rpc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct client;
struct remote;

#define REMOTE_LISTING_MS 2000 /* age of a listing, which tools read right before its entries */

/* The entries of a directory, shared by those who have it open. */
struct listing {
	unsigned int users;
	uint64_t time_ms;
	char *path;
	size_t count;
	struct listing_entry {
		char *name;
		struct rpc_stat stat;
	} * entries; /* sorted by name */
};

/* Gives a listing back, which is freed with its last user. */
void listing_put(struct listing *listing);

int remote_new(struct remote **remote, struct client *client);
void remote_free(struct remote *remote);

/* stat(2), or lstat(2) without `follow`. */
int remote_stat(struct remote *remote, const char *path, bool follow, struct rpc_stat *stat);

/* access(2). */
int remote_access(struct remote *remote, const char *path, uint32_t mode);

/* readlink(2) for the thread tid of the tool, with a NUL after the target. Returns its length. */
int64_t remote_link(struct remote *remote, pid_t tid, const char *path, char *target, size_t size);

/* One write(2), which appends. Returns how many bytes were written. */
int64_t remote_write(struct remote *remote, const char *path, const char *data, size_t size);

/* How many writes there were: what was read before one may have changed with it. */
uint64_t remote_writes(const struct remote *remote);

/* A directory's entries, to be given back by listing_put(). */
int remote_list(struct remote *remote, const char *path, struct listing **listing);

/* Writes at most max bytes (0: all) of the file into fd. */
int remote_fetch(struct remote *remote, const char *path, int fd, uint64_t max);

/* Returns the descriptor of a memory file with the contents, at its start. */
int remote_open(struct remote *remote, const char *path);

#endif
