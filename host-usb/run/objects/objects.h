/* SPDX-License-Identifier: Apache-2.0 */
/* Objects: what the tool's descriptors stand for on the board.
 *
 * In the tool, each map, program, event or file of the board is a descriptor of one of our memory
 * files. We recognize it by its inode, so duplicated, inherited and passed descriptors all mean the
 * same object. The object ends when its last descriptor is closed and its last mapping is gone;
 * inotify reports that. */
#ifndef HOST_USB_RUN_OBJECTS_OBJECTS_H
#define HOST_USB_RUN_OBJECTS_OBJECTS_H

#include "core/messages/bpf_abi.h"
#include "host-usb/run/objects/records.h"
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

/* Classes of objects in addition to those of bpf_abi.h. */
#define OBJECT_DIRECTORY 256  /* `path` is a directory of the board */
#define OBJECT_WRITER	 512  /* `path` is a file of the board, open for writing */
#define OBJECT_STREAM	 1024 /* a pipe or socket with the contents of a file of the board */

/* Data that another module keeps with an object. It is the first member of the module's struct. */
struct object_part {
	struct object_part *next;
	void (*free)(struct object_part *part);
};

struct object {
	struct object *next; /* in the hash chain */
	struct run *run;
	unsigned int class;
	uint32_t handle; /* on the board; RPC_NO_HANDLE if there is none */
	dev_t dev;	 /* device and inode of the memory file or directory */
	ino_t ino;
	int fd;		     /* our own descriptor of the memory file */
	int watch;	     /* the inotify watch */
	uint64_t suspect_ms; /* it may be closed: check until this time; 0: it is open */
	int wake_fd;	     /* eventfd that replaces it in the tool's epoll sets; -1: none */
	struct object_part *parts;

	/* Called after the tool has closed the object and its handle was closed. May be NULL. */
	void (*at_end)(struct object *object);

	bool of_tool; /* an event of the tool itself, which the board cannot count */

	/* Maps. */
	uint32_t map_type, key_size, max_entries, map_flags;
	uint64_t value_size; /* bytes in user space: all CPUs together in per-CPU maps */
	bool frozen;
	uint64_t walk_keys, walk_ms;   /* see key_walk.c */
	struct read_ahead *read_ahead; /* entries read ahead, or NULL */
	struct stacks *stacks;	       /* fetched stacks of a stack trace map, or NULL */
	struct mirror *mirror;	       /* of a mapped array, or NULL */

	uint32_t link_type;		 /* enum bpf_link_type; 0 until the board was asked */
	uint32_t counts[BPF_ABI_NESTED]; /* of the info's lists, as the tool knows them; 0: not */
	struct bpf_btf_info *btf_info; /* of BTF named by `path`; NULL until the board was asked */
	struct tool_ring *ring;	       /* an event's or map's ring, which the board fills */
	struct record_format format;   /* of an event's samples */

	/* Files. */
	char *path;
	struct directory *directory; /* the listing that the tool reads; NULL before it reads */
	bool entered;		     /* the directory may be a working directory: it never ends */
};

/* Makes an empty table of objects. Returns 0 or a negative errno. */
int objects_new(struct objects **objects, struct run *run);

/* Frees the table and all objects. Sends nothing to the board. */
void objects_free(struct objects *objects);

/* The descriptor to poll: it is readable after the tool has closed something. */
int objects_fd(const struct objects *objects);

/* Ends the objects that the tool has closed. */
void objects_reap(struct objects *objects);

/* Returns when objects_reap() must be called again, in milliseconds of clock_monotonic_ms();
 * UINT64_MAX if it need not be called before objects_fd() is readable. */
uint64_t objects_deadline(const struct objects *objects);

/* Makes an object with a memory file, or with an empty directory for OBJECT_DIRECTORY. The object
 * owns the handle. Returns 0, or a negative errno after closing the handle. */
int object_new(
	struct object **object, struct objects *objects, unsigned int class, uint32_t handle);

/* Makes a memory file at least `size` bytes long, and seals it so that the tool cannot shrink it
 * while we have it mapped. Returns 0 or a negative errno. */
int object_set_size(int fd, uint64_t size);

/* Returns true if the map has the type and sizes that `info` reports; its value_size is the
 * kernel's, for one CPU. A board that contradicts itself could make us write beyond the tool's
 * buffers. */
bool object_is_map_of(const struct object *map, const struct bpf_map_info *info);

/* From now on the tool's descriptor `fd` stands for the object, instead of the memory file.
 * Returns 0 or a negative errno. */
int object_stands_for(struct object *object, int fd);

/* Adds a part. The object owns it from then on, and calls `free` when it ends. */
void object_add_part(
	struct object *object, struct object_part *part, void (*free)(struct object_part *part));

/* Answers the call with a descriptor of the object. Returns CALL_ANSWERED, or a negative errno
 * after ending the object. */
int64_t object_give(struct object *object, const struct call *call, bool cloexec);

/* Ends the object here and closes its handle on the board. */
void object_end(struct object *object);

/* Return the object that a descriptor of the tool stands for; NULL: none, or an object of none of
 * the classes. */
struct object *object_of(const struct call *call, int fd, unsigned int classes);
struct object *object_of_any(const struct call *call, int fd);

/* Returns the directory of the board that is the working directory of the tool's thread, or NULL.
 */
struct object *object_of_cwd(const struct call *call);

/* Returns the object whose ring has this handle, or NULL. */
struct object *object_of_handle(const struct objects *objects, uint32_t handle);

/* Iterates over all objects, in no order. Returns the object after `after`; for NULL the first one;
 * NULL at the end. */
struct object *object_next(const struct objects *objects, const struct object *after);

/* Wakes the tool if it waits for the object in poll(2) or an epoll set. */
void object_wake(struct object *object);

#endif
