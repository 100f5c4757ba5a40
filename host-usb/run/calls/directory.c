/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the board; the tool's descriptor is that of an empty local directory. */
#include "host-usb/run/calls/directory.h"

#include "core/base/log.h"
#include "host-usb/run/calls/kernel_log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How far the tool has read a directory. */
struct directory {
	struct object_part part;
	struct listing *listing; /* NULL: nothing was read yet */
	size_t position;	 /* of the next entry, counting "." and ".." */
};

/* The format in which getdents64(2) writes an entry. */
struct dirent_record {
	uint64_t ino;
	int64_t next;
	uint16_t size;
	uint8_t type;
	char name[NAME_MAX + 1 + 8]; /* with padding to 8 bytes */
} __attribute__((packed));

#define RECORD_NAME offsetof(struct dirent_record, name)

static void directory_free(struct object_part *part)
{
	struct directory *directory = (struct directory *)part;

	listing_put(directory->listing);
	free(directory);
}

/* Returns the state of a directory, which is made at the tool's first read; NULL: no memory. */
static struct directory *directory_of(struct object *object)
{
	struct directory *directory = object->directory;

	if (directory)
		return directory;
	directory = calloc(1, sizeof(*directory));
	if (!directory)
		return NULL;
	object->directory = directory;
	object_add_part(object, &directory->part, directory_free);
	return directory;
}

int64_t directory_give(const struct call *call, const char *path, int flags)
{
	struct object *object;
	int err = object_new(&object, call->run->objects, OBJECT_DIRECTORY, RPC_NO_HANDLE);

	if (err)
		return err;
	object->path = strdup(path);
	if (!object->path) {
		object_end(object);
		return -ENOMEM;
	}
	return object_give(object, call, flags & O_CLOEXEC);
}

/* Makes entry n: 0 is the directory itself, 1 its parent. Returns the size of the record, bytes. */
static size_t make_entry(const struct listing *listing, size_t n, struct dirent_record *entry)
{
	const char *name = n == 0 ? "." : n == 1 ? ".." : listing->entries[n - 2].name;
	size_t length = strlen(name);

	memset(entry, 0, sizeof(*entry));
	entry->ino = n < 2 ? 1 : listing->entries[n - 2].stat.ino;
	entry->type = n < 2 ? 4 /* DT_DIR */ : (uint8_t)(listing->entries[n - 2].stat.mode >> 12);
	entry->next = (int64_t)n + 1;
	entry->size = (uint16_t)((RECORD_NAME + length + 1 + 7) / 8 * 8);
	memcpy(entry->name, name, length + 1);
	return entry->size;
}

/* The kernel enters the directory of that name on this workstation. It must be the same one, not
 * reached through a link, because relative names of the tool then start there. */
int64_t sys_chdir(const struct call *call)
{
	char path[PATH_MAX], real[PATH_MAX], first = 0;
	struct rpc_stat st;
	int ours = path_resolve(call, AT_FDCWD, call->args[0], true, path), err;

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	err = remote_stat(call->run->remote, path, true, &st);
	if (err)
		return err;
	if (!S_ISDIR(st.mode))
		return -ENOTDIR;
	err = memory_read(call, call->args[0], &first, 1);
	if (!err && (first == '/' || !object_of_cwd(call)) && realpath(path, real) &&
		strcmp(path, real) == 0)
		return CALL_CONTINUE;
	log_warning("%s: cannot be entered by chdir: this workstation has no such directory", path);
	return err ? err : -ENOENT;
}

/* The kernel enters our empty directory, which then stands for the board's in relative names. */
int64_t sys_fchdir(const struct call *call)
{
	struct object *object = object_of(call, (int)call->args[0], OBJECT_DIRECTORY);

	if (object)
		object->entered = true;
	return CALL_CONTINUE;
}

/* getcwd(to, size) */
int64_t sys_getcwd(const struct call *call)
{
	const struct object *object = object_of_cwd(call);
	size_t size;
	int err;

	if (!object)
		return CALL_CONTINUE;
	size = strlen(object->path) + 1;
	if (size > call->args[1])
		return -ERANGE;
	err = memory_write(call, call->args[0], object->path, size);
	return err ? err : (int64_t)size;
}

/* getdents64(fd, to, size) */
int64_t sys_getdents64(const struct call *call)
{
	struct object *object = object_of(call, (int)call->args[0], OBJECT_DIRECTORY);
	uint64_t room = (uint32_t)call->args[2], used = 0;
	struct directory *directory;
	struct dirent_record entry;
	size_t size;
	int err;

	if (!object)
		return CALL_CONTINUE;
	directory = directory_of(object);
	if (!directory)
		return -ENOMEM;
	if (!directory->listing) {
		err = remote_list(call->run->remote, object->path, &directory->listing);
		if (err)
			return err;
	}
	for (; directory->position < directory->listing->count + 2; directory->position++) {
		size = make_entry(directory->listing, directory->position, &entry);
		if (used + size > room)
			return used ? (int64_t)used : -EINVAL;
		err = memory_write(call, call->args[1] + used, &entry, size);
		if (err)
			return err;
		used += size;
	}
	return (int64_t)used;
}

/* lseek(fd, offset, whence), for rewinddir(3) and seekdir(3) */
int64_t sys_lseek(const struct call *call)
{
	int fd = (int)call->args[0];
	struct object *object = object_of(call, fd, OBJECT_DIRECTORY | OBJECT_STREAM);
	int64_t to = (int64_t)call->args[1];
	struct directory *directory;

	if (!object)
		return CALL_CONTINUE;
	if (object->class == OBJECT_STREAM)
		return kernel_log_seek(call, object, fd, to, (int)call->args[2]);
	directory = directory_of(object);
	if (!directory)
		return -ENOMEM;
	if (call->args[2] == SEEK_CUR && to == 0)
		to = (int64_t)directory->position;
	else if (call->args[2] != SEEK_SET)
		return -EINVAL;
	if (to < 0)
		return -EINVAL;
	if (to == 0) { /* rewinddir(3): read the listing again */
		listing_put(directory->listing);
		directory->listing = NULL;
	}
	directory->position = (size_t)to;
	return to;
}
