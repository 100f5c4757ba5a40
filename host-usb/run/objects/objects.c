/* SPDX-License-Identifier: Apache-2.0 */
/* The table of objects that the tool's descriptors stand for. */
#include "host-usb/run/objects/objects.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUCKETS	    1024
#define EVENTS_SIZE 4096
#define SUSPECT_MS  200 /* how long to check an object that may be closed */
#define CHECK_MS    5	/* interval of these checks */

struct objects {
	struct run *run;
	int inotify;
	uint64_t check_ms; /* when to check the objects that may be closed; UINT64_MAX: none */
	struct object *buckets[BUCKETS]; /* hash table by inode */
};

int objects_new(struct objects **objects, struct run *run)
{
	struct objects *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->run = run;
	o->check_ms = UINT64_MAX;
	o->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (o->inotify < 0) {
		int err = -errno;

		log_error("inotify: %s; see fs.inotify.max_user_instances", strerror(-err));
		free(o);
		return err;
	}
	*objects = o;
	return 0;
}

static struct object **bucket(struct objects *objects, ino_t ino)
{
	return &objects->buckets[ino % BUCKETS];
}

static void object_free(struct object *object)
{
	while (object->parts) {
		struct object_part *part = object->parts;

		object->parts = part->next;
		part->free(part);
	}
	if (object->wake_fd >= 0)
		close(object->wake_fd);
	if (object->fd >= 0)
		close(object->fd);
	free(object->btf_info);
	free(object->path);
	free(object);
}

/* Removes the object from the table. */
static void object_unlink(struct object *object)
{
	struct object **at = bucket(object->run->objects, object->ino);

	while (*at && *at != object)
		at = &(*at)->next;
	if (*at)
		*at = object->next;
}

void object_end(struct object *object)
{
	struct run *run = object->run;

	object_unlink(object);
	if (object->watch >= 0)
		inotify_rm_watch(run->objects->inotify, object->watch);
	if (object->handle != RPC_NO_HANDLE)
		client_close_handle(run->client, object->handle);
	if (object->at_end)
		object->at_end(object);
	object_free(object);
}

void objects_free(struct objects *objects)
{
	if (!objects)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (objects->buckets[i]) {
			struct object *object = objects->buckets[i];

			objects->buckets[i] = object->next;
			object_free(object);
		}
	}
	close(objects->inotify);
	free(objects);
}

int objects_fd(const struct objects *objects)
{
	return objects->inotify;
}

static struct object *object_of_watch(const struct objects *objects, int watch)
{
	struct object *object = object_next(objects, NULL);

	while (object && object->watch != watch)
		object = object_next(objects, object);
	return object;
}

/* Returns true if the tool has closed all its descriptors. A close event alone does not show that:
 * the tool may have opened the file again through /proc/PID/fd and closed only that. The kernel
 * grants a write lease only if the file is not open elsewhere. */
static bool is_ours_alone(const struct object *object)
{
	if (object->class == OBJECT_DIRECTORY)
		return true; /* directories have no leases */
	if (fcntl(object->fd, F_SETLEASE, F_WRLCK) < 0)
		return errno != EAGAIN;
	fcntl(object->fd, F_SETLEASE, F_UNLCK);
	return true;
}

/* inotify reports a close slightly before it takes effect, so this checks objects several times. */
static void check_closed(struct objects *objects)
{
	struct object *object = object_next(objects, NULL), *next;

	objects->check_ms = UINT64_MAX;
	for (; object; object = next) {
		next = object_next(objects, object);
		if (!object->suspect_ms)
			continue;
		if (object->entered)
			object->suspect_ms = 0;
		else if (is_ours_alone(object))
			object_end(object);
		else if (clock_monotonic_ms() > object->suspect_ms)
			object->suspect_ms = 0; /* the tool has it open a second time */
		else
			objects->check_ms = clock_monotonic_ms() + CHECK_MS;
	}
}

void objects_reap(struct objects *objects)
{
	char events[EVENTS_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	struct object *object;
	ssize_t n;

	while ((n = read(objects->inotify, events, sizeof(events))) > 0) {
		for (char *at = events; at < events + n; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			object =
				event->mask & IN_CLOSE ? object_of_watch(objects, event->wd) : NULL;
			if (!object)
				continue;
			object->suspect_ms = clock_monotonic_ms() + SUSPECT_MS;
			objects->check_ms = 0;
		}
	}
	if (objects->check_ms != UINT64_MAX)
		check_closed(objects);
}

uint64_t objects_deadline(const struct objects *objects)
{
	return objects->check_ms;
}

/* Returns an empty directory that is already unlinked. $TMPDIR may be missing or full. */
static int open_directory(void)
{
	const char *const parents[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};
	char path[4096] = "";
	int fd, err = 0;

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		if (!parents[i] || snprintf(path, sizeof(path), "%s/bpfd-run.XXXXXX", parents[i]) >=
					   (int)sizeof(path))
			continue;
		if (mkdtemp(path))
			break;
		err = err ? err : -errno;
		path[0] = 0;
	}
	if (!path[0]) {
		log_error("no place for a temporary directory: %s; set TMPDIR", strerror(-err));
		return err;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	rmdir(path);
	return fd;
}

/* The names are the kernel's, because bpftool reads the links in /proc/self/fd. */
static const char *memory_name(unsigned int class)
{
	switch (class) {
	case BPF_ABI_MAP:
		return "anon_inode:bpf-map";
	case BPF_ABI_PROG:
		return "anon_inode:bpf-prog";
	case BPF_ABI_BTF:
		return "anon_inode:btf";
	case BPF_ABI_LINK:
		return "anon_inode:bpf_link";
	case BPF_ABI_EVENT:
		return "anon_inode:[perf_event]";
	default:
		return "bpfd:file";
	}
}

static int open_memory(unsigned int class)
{
	int first = memfd_create(memory_name(class), MFD_CLOEXEC | MFD_ALLOW_SEALING), fd;
	char path[64];

	if (first < 0)
		return -errno;
	/* Only a file opened by open(2) counts as a writer of the inode: see is_ours_alone(). */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", first);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(first);
	return fd;
}

/* The file can still grow: after the board has refused a mapping the tool may try another size. */
int object_set_size(int fd, uint64_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || ((uint64_t)st.st_size < size && ftruncate(fd, (off_t)size) < 0) ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return -errno;
	return 0;
}

int object_new(struct object **object, struct objects *objects, unsigned int class, uint32_t handle)
{
	struct object *o = calloc(1, sizeof(*o)), **at;
	char path[64];
	struct stat st;
	int err = -ENOMEM;

	if (!o)
		goto err_close;
	*o = (struct object){
		.run = objects->run, .class = class, .handle = handle, .watch = -1, .wake_fd = -1};
	o->fd = class == OBJECT_DIRECTORY ? open_directory() : open_memory(class);
	err = o->fd;
	if (o->fd < 0)
		goto err_free;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", o->fd);
	if (fstat(o->fd, &st) < 0) {
		err = -errno;
		goto err_free;
	}
	o->watch = inotify_add_watch(objects->inotify, path, IN_CLOSE);
	if (o->watch < 0) {
		err = -errno;
		log_error("inotify: %s; see fs.inotify.max_user_watches", strerror(errno));
		goto err_free;
	}
	o->dev = st.st_dev;
	o->ino = st.st_ino;
	at = bucket(objects, o->ino);
	o->next = *at;
	*at = o;
	*object = o;
	return 0;

err_free:
	object_free(o);
err_close:
	if (handle != RPC_NO_HANDLE)
		client_close_handle(objects->run->client, handle);
	return err;
}

int object_stands_for(struct object *object, int fd)
{
	struct object **at;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	object_unlink(object);
	object->dev = st.st_dev;
	object->ino = st.st_ino;
	at = bucket(object->run->objects, object->ino);
	object->next = *at;
	*at = object;
	return 0;
}

void object_add_part(
	struct object *object, struct object_part *part, void (*free)(struct object_part *part))
{
	part->free = free;
	part->next = object->parts;
	object->parts = part;
}

bool object_is_map_of(const struct object *map, const struct bpf_map_info *info)
{
	/* The kernel rounds up to a multiple of the CPUs if each CPU has an LRU list. */
	uint32_t cpus = map->run->board.possible_cpus;
	bool rounded = (map->map_type == BPF_MAP_TYPE_LRU_HASH ||
			       map->map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH) &&
		       map->max_entries - info->max_entries + cpus - 1 < 2 * cpus - 1;

	return map->map_type == info->type && map->key_size == info->key_size &&
	       map->value_size == bpf_abi_value_size(info->type, info->value_size, cpus) &&
	       (rounded || map->max_entries == info->max_entries);
}

/* The tool gets a file of its own on the same inode, not a duplicate of our descriptor, which stays
 * open. So inotify reports the tool's last close. */
int64_t object_give(struct object *object, const struct call *call, bool cloexec)
{
	bool seen = object->class & (OBJECT_DIRECTORY | OBJECT_WRITER);
	int flags = object->class == OBJECT_DIRECTORY ? O_RDONLY | O_DIRECTORY : O_RDWR;
	char path[64];
	int64_t ret;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	/* This fails for an unlinked directory on some file systems. */
	fd = open(path, flags | O_CLOEXEC);
	ret = fd < 0 ? -errno : notify_give_fd(call, fd, cloexec, seen);
	if (ret != CALL_ANSWERED)
		object_end(object);
	if (fd >= 0)
		close(fd); /* if the tool did not get it, inotify reports this as the close */
	return ret;
}

static struct object *find(const struct call *call, int fd)
{
	struct object *object;
	struct stat st;
	int err = memory_stat_fd(call, fd, &st);

	/* Without access to a descriptor, as of a set-user-ID program, the call is a local one. */
	if (err && err != -ENOENT && err != -ESRCH && err != -EACCES)
		call->run->lookup_error = err;
	if (err)
		return NULL;
	object = *bucket(call->run->objects, st.st_ino);
	while (object && (object->ino != st.st_ino || object->dev != st.st_dev))
		object = object->next;
	return object;
}

struct object *object_of_any(const struct call *call, int fd)
{
	return fd < 0 ? NULL : find(call, fd);
}

struct object *object_of_cwd(const struct call *call)
{
	struct object *object = find(call, AT_FDCWD);

	return object && object->class == OBJECT_DIRECTORY ? object : NULL;
}

struct object *object_of(const struct call *call, int fd, unsigned int classes)
{
	struct object *object = object_of_any(call, fd);

	return object && object->class & classes ? object : NULL;
}

struct object *object_of_handle(const struct objects *objects, uint32_t handle)
{
	struct object *object = object_next(objects, NULL);

	while (object && !(object->ring && object->handle == handle))
		object = object_next(objects, object);
	return object;
}

struct object *object_next(const struct objects *objects, const struct object *after)
{
	size_t i = 0;

	if (after) {
		if (after->next)
			return after->next;
		i = after->ino % BUCKETS + 1;
	}
	for (; i < BUCKETS; i++)
		if (objects->buckets[i])
			return objects->buckets[i];
	return NULL;
}

void object_wake(struct object *object)
{
	const uint64_t one = 1;

	if (object->wake_fd >= 0 && write(object->wake_fd, &one, sizeof(one)) < 0)
		log_debug("wake-up: %s", strerror(errno));
}
