/* SPDX-License-Identifier: Apache-2.0 */
/* A tool under bpfd-run, for the fuzzer of replies.
 *
 * This process plays the tool and makes its system calls. All messages of the board are written
 * before the first call. */
#ifndef TESTS_FUZZ_TOOL_H
#define TESTS_FUZZ_TOOL_H

#include "tests/fuzz/fuzz.h"

#include "host-usb/run/client.h"
#include "host-usb/run/files/cache.h"
#include "host-usb/run/files/open.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/btf_known.h"
#include "host-usb/run/objects/btf_list.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"
#include "host-usb/run/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REPLY_FLAGS (RPC_FLAG_REPLY | RPC_FLAG_MORE)
/* Flags of a message in the input. */
#define RING_DATA 4 /* a RING_DATA message, not a reply */
#define RAW	  8 /* the rest of the input is the raw stream */

struct tool {
	struct run run;
	int in, out;
};

struct tool_map {
	uint32_t type, key_size, value_size, max_entries, flags;
};

/* A buffer of the tool, followed by bytes that the supervisor must not change. */
struct buffer {
	char data[256], guard[256];
};

static inline void buffer_init(struct buffer *buffer)
{
	memset(buffer, 'g', sizeof(*buffer));
}

/* Checks that at most the first `size` bytes were written. */
static inline void buffer_check(const struct buffer *buffer, size_t size)
{
	for (size_t i = size; i < sizeof(*buffer); i++)
		MUST(((const char *)buffer)[i] == 'g');
}

static inline uint64_t user(const void *memory)
{
	return (uint64_t)(uintptr_t)memory;
}

/* Makes messages from the input. Tags count from 1, like those of the client: one per complete
 * reply. */
static inline struct bytes_out tool_messages(const uint8_t *data, size_t size)
{
	struct bytes_in in = {data, size, false};
	struct bytes_out out = {.data = NULL};
	uint32_t tag = 1;

	while (in.size && !in.failed) {
		unsigned int flags = bytes_get_u8(&in);
		size_t length = flags & RAW ? in.size : bytes_get_u16(&in), start = 0;
		bool reply = !(flags & RING_DATA);

		length = length < in.size ? length : in.size;
		if (!(flags & RAW))
			start = rpc_begin(&out, reply ? RPC_HELLO : RPC_RING_DATA,
				reply ? (flags & RPC_FLAG_MORE) | RPC_FLAG_REPLY : 0, tag);
		if (length)
			memcpy(bytes_put_room(&out, length), in.data, length);
		if (!(flags & RAW))
			rpc_end(&out, start);
		tag += reply && !(flags & RPC_FLAG_MORE);
		in.data += length;
		in.size -= length;
	}
	return out;
}

static inline void tool_start(struct tool *tool, const uint8_t *data, size_t size)
{
	struct bytes_out out = tool_messages(data, size);
	struct client_events events;

	tree_root();
	unsetenv("XDG_CACHE_HOME"); /* no copies are kept */
	unsetenv("HOME");
	memset(&tool->run, 0, sizeof(tool->run));
	tool->run.listener = -1;
	tool->run.signal_fd = -1;
	tool->run.fd_base = 960;
	tool->run.board.possible_cpus = 4;
	tool->run.board.word_bits = 64;
	tool->run.board.minor = RPC_MINOR;
	tool->run.semaphores = true;
	tool->in = memory_file(out.data, out.size);
	tool->out = memory_file("", 0);
	bytes_out_free(&out);
	events = supervisor_events(&tool->run);
	MUST(!client_new(&tool->run.client, tool->in, tool->out, &events, NULL));
	MUST(!objects_new(&tool->run.objects, &tool->run));
	MUST(!remote_new(&tool->run.remote, tool->run.client));
	MUST(!cache_new(&tool->run.cache, tool->run.remote, &tool->run.board));
	MUST(!opener_new(&tool->run.opener, &tool->run));
}

static inline void tool_stop(struct tool *tool)
{
	objects_free(tool->run.objects);
	btf_list_free(tool->run.btf_list);
	btf_known_free(tool->run.btf_known);
	opener_free(tool->run.opener);
	cache_free(tool->run.cache);
	remote_free(tool->run.remote);
	client_free(tool->run.client);
	close(tool->in);
	close(tool->out);
}

static inline struct call tool_call(struct tool *tool, int number, const uint64_t *args)
{
	return (struct call){.run = &tool->run, .tid = getpid(), .number = number, .args = args};
}

static inline int64_t tool_bpf(struct tool *tool, int command, union bpf_attr *attr, size_t size)
{
	const uint64_t args[6] = {(uint64_t)command, user(attr), size};
	struct call call = tool_call(tool, SYS_bpf, args);

	return sys_bpf(&call);
}

/* Creates a map. Returns its object, or NULL if the board's reply was not valid for one. */
static inline struct object *tool_map_object(struct tool *tool, const struct tool_map *map)
{
	union bpf_attr attr = {.map_type = map->type,
		.key_size = map->key_size,
		.value_size = map->value_size,
		.max_entries = map->max_entries,
		.map_flags = map->flags};
	struct object *object;

	if (tool_bpf(tool, BPF_MAP_CREATE, &attr, 72) != CALL_ANSWERED)
		return NULL;
	for (object = object_next(tool->run.objects, NULL); object;
		object = object_next(tool->run.objects, object))
		if (object->class == BPF_ABI_MAP && object->map_type == map->type)
			return object;
	abort();
}

/* Iterates over up to four keys. */
static inline void tool_walk(struct tool *tool, struct object *map)
{
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd};
	struct buffer next;
	char key[16];

	for (int i = 0; i < 4; i++) {
		buffer_init(&next);
		attr.key = i ? user(key) : 0;
		attr.next_key = user(&next);
		if (tool_bpf(tool, BPF_MAP_GET_NEXT_KEY, &attr, 32))
			return;
		buffer_check(&next, map->key_size);
		memcpy(key, next.data, sizeof(key));
	}
}

static inline void tool_lookup(struct tool *tool, struct object *map)
{
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd};
	const char key[16] = {1};
	struct buffer value;

	buffer_init(&value);
	attr.key = user(key);
	attr.value = user(&value);
	tool_bpf(tool, BPF_MAP_LOOKUP_ELEM, &attr, 32);
	buffer_check(&value, map->value_size);
}

static inline void tool_batch(struct tool *tool, struct object *map)
{
	struct buffer keys, values, out;
	union bpf_attr attr;

	buffer_init(&keys);
	buffer_init(&values);
	buffer_init(&out);
	memset(&attr, 0, sizeof(attr));
	attr.batch.out_batch = user(&out);
	attr.batch.keys = user(&keys);
	attr.batch.values = user(&values);
	attr.batch.count = 3;
	attr.batch.map_fd = (uint32_t)map->fd;
	tool_bpf(tool, BPF_MAP_LOOKUP_BATCH, &attr, 56);
	MUST(attr.batch.count <= 3);
	buffer_check(&keys, 3 * map->key_size);
	buffer_check(&values, 3 * map->value_size);
	buffer_check(&out, map->key_size > 4 ? map->key_size : 4);
}

/* Gets the info of an object, with a list and a name if its class has them. */
static inline void tool_info(struct tool *tool, struct object *object)
{
	struct bpf_prog_info prog = {
		.xlated_prog_len = 64, .nr_map_ids = 4, .nr_func_info = 2, .func_info_rec_size = 8};
	struct bpf_btf_info btf = {.btf_size = 64, .name_len = 16};
	union bpf_attr attr = {.map_fd = 0};
	struct buffer info, list, name, functions;
	size_t size = 80;

	buffer_init(&info);
	buffer_init(&list);
	buffer_init(&name);
	buffer_init(&functions);
	prog.func_info = user(&functions);
	prog.xlated_prog_insns = btf.btf = user(&list);
	prog.map_ids = btf.name = user(&name);
	if (object->class == BPF_ABI_PROG)
		memcpy(&info, &prog, size = sizeof(prog));
	else if (object->class == BPF_ABI_BTF)
		memcpy(&info, &btf, size = sizeof(btf));
	else
		memset(&info, 0, size);
	attr.info.bpf_fd = (uint32_t)object->fd;
	attr.info.info_len = (uint32_t)size;
	attr.info.info = user(&info);
	tool_bpf(tool, BPF_OBJ_GET_INFO_BY_FD, &attr, 16);
	buffer_check(&info, size);
	buffer_check(&list, 64);
	buffer_check(&name, 16);
	buffer_check(&functions, 16);
}

static inline void tool_ioctl(
	struct tool *tool, struct object *event, uint64_t request, size_t size)
{
	uint64_t args[6] = {(uint64_t)event->fd, request, 0};
	struct call call = tool_call(tool, SYS_ioctl, args);
	struct buffer data;

	buffer_init(&data);
	args[2] = user(&data);
	memset(&data, 0, size);
	data.data[0] = 2; /* room for two ids of PERF_EVENT_IOC_QUERY_BPF */
	sys_ioctl(&call);
	buffer_check(&data, size);
}

/* Loads a program with a log, creates a link, and gets the info of both. */
static inline void tool_load(struct tool *tool)
{
	const struct bpf_insn insns[2] = {{.code = 0xb7}, {.code = 0x95}};
	union bpf_attr attr = {.prog_type = 1, .insn_cnt = 2, .log_level = 1, .log_size = 64};
	struct object *object;
	struct buffer log;

	buffer_init(&log);
	attr.insns = user(insns);
	attr.license = user("GPL");
	attr.log_buf = user(&log);
	tool_bpf(tool, BPF_PROG_LOAD, &attr, 128);
	buffer_check(&log, 64);
	object = object_next(tool->run.objects, NULL);
	if (!object)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)object->fd;
	attr.link_create.attach_type = 41;
	tool_bpf(tool, BPF_LINK_CREATE, &attr, 24);
	for (; object; object = object_next(tool->run.objects, object))
		tool_info(tool, object);
}

static inline void tool_btf(struct tool *tool)
{
	union bpf_attr attr;
	uint32_t id = 0;

	for (int i = 0; i < 4; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
		if (tool_bpf(tool, BPF_BTF_GET_NEXT_ID, &attr, 12))
			return;
		MUST(attr.next_id > id || !tool->run.btf_list);
		id = attr.next_id;
		memset(&attr, 0, sizeof(attr));
		attr.btf_id = id;
		if (tool_bpf(tool, BPF_BTF_GET_FD_BY_ID, &attr, 12) == CALL_ANSWERED)
			tool_info(tool, object_next(tool->run.objects, NULL));
	}
}

/* Opens a perf event, maps its ring and uses two ioctls. */
static inline void tool_event(struct tool *tool)
{
	const struct perf_event_attr attr = {.type = 1, .size = sizeof(attr), .config = 10};
	uint64_t args[6] = {user(&attr), (uint64_t)-1, 0, (uint64_t)-1, 0, 0};
	struct call call = tool_call(tool, SYS_perf_event_open, args);
	struct object *object;

	sys_perf_event_open(&call);
	object = object_next(tool->run.objects, NULL);
	while (object && object->class != BPF_ABI_EVENT)
		object = object_next(tool->run.objects, object);
	if (!object)
		return;
	memcpy(args, (uint64_t[6]){0, 2 * 4096, 3, 1, (uint64_t)object->fd, 0}, sizeof(args));
	sys_mmap(&call);
	tool_ioctl(tool, object, PERF_EVENT_IOC_ID, sizeof(uint64_t));
	tool_ioctl(tool, object, PERF_EVENT_IOC_QUERY_BPF, 4 * sizeof(uint32_t));
}

/* Reads the kernel's log. */
static inline void tool_log(struct tool *tool)
{
	struct buffer text;
	const uint64_t args[6] = {3, user(&text), 64};
	struct call call = tool_call(tool, SYS_syslog, args);

	buffer_init(&text);
	sys_syslog(&call);
	buffer_check(&text, 64);
}

/* Changes files of the board. */
static inline void tool_change(struct remote *remote)
{
	remote_remove(remote, "/sys/fs/bpf/map", false);
	remote_mkdir(remote, "/sys/fs/bpf/new", 0700);
	remote_rename(remote, "/sys/fs/bpf/a", "/sys/fs/bpf/b", 0);
	remote_write(remote, "/sys/kernel/tracing/kprobe_events", "p f", 3);
}

/* Does one of the operations of tools on files of the board. */
static inline void tool_files(struct tool *tool, unsigned int what)
{
	struct remote *remote = tool->run.remote;
	const struct call call = tool_call(tool, SYS_readlink, NULL);
	struct listing *listing;
	struct rpc_stat stat;
	char target[PATH_MAX];
	uint8_t hash[SHA256_SIZE];
	uint64_t size;
	static const char *const files[] = {"/sys/kernel/tracing/events/a/b/format",
		"/sys/kernel/tracing/available_filter_functions", "/sys/kernel/btf/module",
		"/sys/devices/system/cpu/online", "/proc/42/maps"};
	int fd = -1;

	switch (what % 13) {
	case 0:
		remote_stat(remote, "/sys/kernel/btf/vmlinux", what & 8, &stat);
		remote_access(remote, "/proc/1", 0);
		break;
	case 1:
		if (remote_link(&call, "/proc/1/ns/mnt", target, sizeof(target)) >= 0)
			MUST(strlen(target) < sizeof(target));
		break;
	case 2:
		if (!remote_list(remote, "/sys/kernel", &listing))
			listing_put(listing);
		remote_stat(remote, "/sys/kernel/mm", false, &stat);
		break;
	case 3:
		fd = open_file(tool->run.opener, "/proc/kallsyms");
		break;
	case 4:
		fd = open_file(tool->run.opener, "/sys/kernel/tracing/available_events");
		break;
	case 5:
		tool_change(remote);
		break;
	case 6:
		remote_hash(remote, "/bin/sh", hash, &size);
		break;
	case 7:
		tool_log(tool);
		break;
	default:
		fd = open_file(tool->run.opener, files[what % 13 - 8]);
	}
	if (fd >= 0)
		close(fd);
}

#endif
