/* SPDX-License-Identifier: Apache-2.0 */
/* What the tool's descriptors stand for. A map, program, event or file of the board is, in the
 * tool, the descriptor of a memory file of ours, known by its inode: so duplicates, forks and
 * descriptors that are passed on are all the same object. It ends when the last of them is closed
 * and unmapped, which inotify tells. */
#ifndef HOST_USB_RUN_OBJECTS_OBJECTS_H
#define HOST_USB_RUN_OBJECTS_OBJECTS_H

#include "core/messages/bpf_abi.h"
#include "host-usb/run/run.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct bpf_btf_info;
struct bpf_map_info;
struct directory;
struct mirror;
struct read_ahead;
struct stacks;
struct tool_ring;

/* Classes of ours, beside those of bpf_abi.h, which are on the board. */
#define OBJECT_DIRECTORY 256  /* path is a directory of the board */
#define OBJECT_WRITER	 512  /* path is a file of the board; what is written goes there */
#define OBJECT_STREAM	 1024 /* a pipe of what a file of the board yields */

/* What another module keeps for an object: the first member of its structure. */
struct object_part {
	struct object_part *next;
	void (*free)(struct object_part *part);
};

struct object {
	struct object *next; /* of its hash chain */
	struct run *run;
	unsigned int class;
	uint32_t handle; /* on the board, RPC_NO_HANDLE: none */
	dev_t dev;	 /* of the memory file or directory */
	ino_t ino;
	int fd;		     /* our own descriptor of it */
	int watch;	     /* of inotify */
	uint64_t suspect_ms; /* until when we look whether it is closed; 0: it is open */
	int wake_fd;	     /* eventfd that stands for it in epoll sets, -1: none */
	struct object_part *parts;

	/* Called when the tool has closed the object, after its handle was closed; NULL: nothing is
	 * left to do then. */
	void (*at_end)(struct object *object);

	/* Maps. */
	uint32_t map_type, key_size, max_entries, map_flags;
	uint64_t value_size; /* as user space sees it */
	bool frozen;
	struct read_ahead *read_ahead; /* entries that were read ahead; NULL: none */
	struct stacks *stacks;	       /* of a stack trace map, the same for lookups; NULL: none */
	struct mirror *mirror;	       /* of mapped memory */

	uint32_t link_type;	       /* enum bpf_link_type, 0: not asked for yet */
	struct bpf_btf_info *btf_info; /* of BTF, whose name is in path; NULL: not asked for yet */
	struct tool_ring *ring;	       /* of an event or map: what arrives from the board */

	/* Files. */
	char *path;
	struct directory *directory; /* what the tool reads from it; NULL: nothing yet */
};

/* Makes an empty table. Returns 0 or a negative errno. */
int objects_new(struct objects **objects, struct run *run);

/* Forgets all, without a word to the board. */
void objects_free(struct objects *objects);

/* Can be read when something was closed. */
int objects_fd(const struct objects *objects);

/* Ends what the tool has closed. */
void objects_reap(struct objects *objects);

/* When objects_reap() must be called again, ms of the monotonic clock; UINT64_MAX: when
 * objects_fd() can be read. */
uint64_t objects_deadline(const struct objects *objects);

/* Makes an object whose descriptor is a memory file, or an empty directory for OBJECT_DIRECTORY;
 * the object then owns the handle. Returns 0 or a negative errno, and then the handle is closed. */
int object_new(
	struct object **object, struct objects *objects, unsigned int class, uint32_t handle);

/* Sets the size of a memory file that will be mapped, for good: the tool cannot shrink it under our
 * feet. Returns 0 or a negative errno. */
int object_set_size(int fd, uint64_t size);

/* Whether a map has the type and sizes of the info, whose value_size is that of the kernel. Both
 * decide how much is written into the tool's memory. */
bool object_is_map_of(const struct object *map, const struct bpf_map_info *info);

/* Adds a part, which the object owns from then on: it calls `free` when it ends. */
void object_add_part(
	struct object *object, struct object_part *part, void (*free)(struct object_part *part));

/* Gives the object's descriptor to the tool as the answer to the call. The object is gone if that
 * fails. Returns CALL_ANSWERED or a negative errno. */
int64_t object_give(struct object *object, const struct call *call, bool cloexec);

/* Ends the object here and on the board. */
void object_end(struct object *object);

/* What a descriptor of the tool stands for: an object of one of the classes, or NULL. */
struct object *object_of(const struct call *call, int fd, unsigned int classes);
struct object *object_of_any(const struct call *call, int fd);

/* The object that has a ring of that handle, or NULL. */
struct object *object_of_handle(const struct objects *objects, uint32_t handle);

/* The object behind `after` (NULL: the first one), in no order, or NULL. */
struct object *object_next(const struct objects *objects, const struct object *after);

/* Tells whoever waits for the object that there is something. */
void object_wake(struct object *object);

#endif
