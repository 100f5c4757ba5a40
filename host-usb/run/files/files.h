/* SPDX-License-Identifier: Apache-2.0 */
/* The board's files: which paths of the tool mean them, and what they are. */
#ifndef HOST_USB_RUN_FILES_FILES_H
#define HOST_USB_RUN_FILES_FILES_H

#include "core/messages/rpc.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct files;
struct run;

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

void listing_put(struct listing *listing);

int files_new(struct files **files, struct run *run);
void files_free(struct files *files);

/* Whether a path of the tool means the board, and which: absolute, without "." and "..". dirfd and
 * path are as for openat(2). Returns 1 if so, 0 if it is the workstation's, or a negative errno. */
int files_resolve(const struct call *call, int dirfd, uint64_t path, char resolved[PATH_MAX]);

/* stat(2) or lstat(2). Returns 0 or the board's errno. */
int files_stat(struct files *files, const char *path, bool follow, struct rpc_stat *stat);

/* access(2), readlink(2). */
int files_access(struct files *files, const char *path, uint32_t mode);
int64_t files_link(
	struct files *files, const struct call *call, const char *path, char *target, size_t size);

/* One write(2), which appends. */
int64_t files_write(struct files *files, const char *path, const char *data, size_t size);

/* A directory's entries, to be given back by listing_put(). */
int files_list(struct files *files, const char *path, struct listing **listing);

/* A descriptor from which the file's contents can be read, from its start. */
int files_open(struct files *files, const char *path);

/* The same of a program as a tool names it for a uprobe: the workstation's or, below /proc, the
 * board's. */
int files_open_program(struct files *files, const char *path);

/* The type information of the kernel or of a module, of that size in bytes. Returns a descriptor or
 * a negative errno. */
int files_kernel_btf(struct files *files, const char *name, uint64_t size);

/* What the board calls a file that the tool names for a uprobe: a path below --sysroot loses that.
 * Says so if the board's file is another one than the workstation's. Returns 0 and *told, which is
 * path or a part of it, or a negative errno. */
int files_board_path(const struct call *call, const char *path, const char **told);

/* Whether it is a file of that name of a process, such as "/ns/mnt". */
bool files_is_of_process(const char *path, const char *name);

/* Whether it is that file of tracefs, at either of its mount points. */
bool files_is_of_tracefs(const char *path, const char *name);

/* Writes at most max bytes (0: all) of the board's file into fd. Returns 0 or a negative errno. */
int files_fetch(struct files *files, const char *path, int fd, uint64_t max);

const struct run *files_run(const struct files *files);

#endif
