/* SPDX-License-Identifier: Apache-2.0 */
/* A board that lies: speaks the binary protocol of bpfd, and answers some requests wrongly.
 *
 * usage: lying_board CASE [ARGUMENT]
 *
 * Its answers are those of a small board with two CPUs, unless the case says otherwise. Files below
 * the directory LYING_BOARD_FILES replace those of the board. */
#include "tests/tools/lying_board.h"
#include "core/base/sha256.h"
#include "core/messages/bpf_abi.h"
#include "core/messages/rpc.h"

#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define RELEASE	      "6.1.0-board"
#define EVENTS	      "/sys/kernel/tracing/events"
#define STATED	      "honest" /* whatever PROGRAM contains, its hash is that of this */
#define BPFTRACE_EXIT "\x30\x75\0\0\0\0\0\0\0\0\0" /* a record of its exit() */
#define ESCAPES	      "x\033]0;title\007\033[2J"

/* What the board says about itself; a case changes one of these. */
static struct {
	uint32_t cpus, map_ids, map_ids_later, raw_size, entries, value_type;
	const char *name;
	const char *data, *next_data; /* 12 bytes of the first record and of the others */
	struct files files; /* without `program` the board's bpfd is too old to hash files */
} lie = {.cpus = 2,
	.map_ids = 3,
	.map_ids_later = 3,
	.raw_size = 12,
	.entries = 2,
	.name = "honest",
	.data = "sample\0\0\0\0\0",
	.files = {.online = "0-1\n", .path_size = 20}};

static struct bytes_out out;
static size_t message; /* where the present message begins in `out` */
static uint32_t tag, last_handle = 3;
static unsigned int infos;
static uint32_t types_handle; /* of the map's types; 0: none */

void die(const char *what)
{
	fprintf(stderr, "lying_board: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(void)
{
	size_t done = 0;

	if (out.failed)
		die("reply");
	while (done < out.size) {
		ssize_t n = write(STDOUT_FILENO, out.data + done, out.size - done);

		if (n <= 0)
			exit(0); /* bpfd-run has ended */
		done += (size_t)n;
	}
	out.size = 0;
}

/* Begins a reply. More fields may follow `ret`. */
static void begin(unsigned int op, int32_t ret, bool more)
{
	message = rpc_begin(&out, op, RPC_FLAG_REPLY | (more ? RPC_FLAG_MORE : 0), tag);
	bytes_put_u32(&out, (uint32_t)ret);
}

static void end(void)
{
	rpc_end(&out, message);
	send_all();
}

static void put_hello(void)
{
	struct rpc_hello hello = {.major = RPC_MAJOR,
		.minor = lie.files.program ? RPC_MINOR : 0,
		.message_max = RPC_MESSAGE_MAX,
		.program = "0.1.0",
		.word_bits = 64,
		.page_size = 4096,
		.possible_cpus = lie.cpus,
		.kprobe_type = 8,
		.uprobe_type = 9,
		.sysname = "Linux",
		.nodename = "liar",
		.release = RELEASE,
		.version = "#1",
		.online = "0-1"};
	struct utsname own;
	struct timespec now;

	if (uname(&own) < 0)
		die("uname");
	snprintf(hello.machine, sizeof(hello.machine), "%s", own.machine);
	clock_gettime(CLOCK_MONOTONIC, &now);
	hello.monotonic_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	clock_gettime(CLOCK_BOOTTIME, &now);
	hello.boottime_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	rpc_put_hello(&out, &hello);
}

/* Returns the contents of a file, valid until the next call, or NULL. */
static const char *contents(const char *path, size_t *size)
{
	static char *data;

	free(data);
	data = files_read(&lie.files, path, size);
	return data;
}

static bool is_directory(const char *path)
{
	return strcmp(path, EVENTS) == 0 || files_is_directory(&lie.files, path) ||
	       (strncmp(path, "/proc/", 6) == 0 && !strchr(path + 6, '/'));
}

static void put_stat(uint32_t mode, uint64_t size)
{
	const struct rpc_stat stat = {
		.mode = mode, .nlink = 1, .size = size, .block_size = 4096, .ino = 1 + size};

	rpc_put_stat(&out, &stat);
}

/* Lists a directory of LYING_BOARD_FILES. */
static void list_files(const char *path)
{
	struct dirent **entries;
	int n = files_list(&lie.files, path, &entries);

	begin(RPC_FILE_LIST, 0, false);
	bytes_put_u32(&out, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		rpc_put_string(&out, entries[i]->d_name);
		put_stat(entries[i]->d_type == DT_DIR ? S_IFDIR | 0555 : S_IFREG | 0444, 0);
		free(entries[i]);
	}
	end();
	free(entries);
}

static void list(void)
{
	for (uint32_t i = 0; i < lie.entries; i += 400) {
		uint32_t n = lie.entries - i < 400 ? lie.entries - i : 400;
		char name[256];

		begin(RPC_FILE_LIST, 0, i + n < lie.entries);
		bytes_put_u32(&out, n);
		for (uint32_t j = i; j < i + n; j++) {
			snprintf(name, sizeof(name), "%0240u", j);
			rpc_put_string(&out, lie.entries == 1 ? ESCAPES : name);
			put_stat(S_IFDIR | 0555, 0);
		}
		end();
	}
}

static void read_file(const char *path)
{
	size_t size, done = 0;
	const char *data = contents(path, &size);

	if (!data) {
		begin(RPC_FILE_READ, -ENOENT, false);
		end();
		return;
	}
	do {
		size_t part = size - done < 60000 ? size - done : 60000;

		begin(RPC_FILE_READ, 0, done + part < size);
		rpc_put_bytes(&out, data + done, part);
		done += part;
		end();
	} while (done < size);
}

/* States the same hash for each file that it has. */
static void hash_file(const char *path)
{
	uint8_t result[SHA256_SIZE];
	struct sha256 hash;
	size_t size;
	bool exists = contents(path, &size);

	begin(RPC_FILE_HASH, exists ? 0 : -ENOENT, false);
	if (exists) {
		sha256_begin(&hash);
		sha256_add(&hash, STATED, strlen(STATED));
		sha256_end(&hash, result);
		bytes_put_u64(&out, strlen(STATED));
		rpc_put_bytes(&out, result, sizeof(result));
	}
	end();
}

static void answer_file(unsigned int op, struct bytes_in *in)
{
	char path[4096];
	size_t size;
	bool exists;

	if (!rpc_get_string(in, path, sizeof(path)))
		die("request");
	exists = is_directory(path) || (op != RPC_FILE_READ && contents(path, &size));
	switch (op) {
	case RPC_FILE_READ:
		read_file(path);
		return;
	case RPC_FILE_HASH:
		hash_file(path);
		return;
	case RPC_FILE_LIST:
		if (exists) {
			if (files_is_directory(&lie.files, path))
				list_files(path);
			else
				list();
			return;
		}
		begin(op, -ENOENT, false);
		break;
	case RPC_FILE_STAT:
		begin(op, exists ? 0 : -ENOENT, false);
		if (exists)
			put_stat(is_directory(path) ? S_IFDIR | 0555 : S_IFREG | 0444,
				is_directory(path) ? 0 : size);
		break;
	case RPC_FILE_ACCESS:
		begin(op, bytes_get_u32(in) & W_OK ? -EACCES : exists ? 0 : -ENOENT, false);
		break;
	default:
		begin(op, -EACCES, false);
	}
	end();
}

/* Sends a sample of a perf buffer, whose raw size may be a lie. */
static void push_sample(uint32_t handle, bool has_time)
{
	struct {
		struct perf_event_header header;
		uint64_t time;
		uint32_t raw;
		char data[12];
	} sample = {{.type = PERF_RECORD_SAMPLE, .size = 32}, 1, lie.raw_size, {0}};
	size_t start = rpc_begin(&out, RPC_RING_DATA, 0, 0);

	memcpy(sample.data, lie.data, sizeof(sample.data));
	if (lie.next_data)
		lie.data = lie.next_data;
	bytes_put_u32(&out, handle);
	bytes_put_u64(&out, 0);
	if (has_time) {
		bytes_put(&out, &sample, 32);
	} else {
		sample.header.size = 24;
		bytes_put(&out, &sample.header, sizeof(sample.header));
		bytes_put(&out, &sample.raw, 16);
	}
	rpc_end(&out, start);
	send_all();
}

/* The types of the map's keys and values: 1 int, 2 int[2], 3 int[250000]. */
static const struct {
	struct btf_header header;
	uint32_t types[16];
	char strings[8];
} map_types = {{BTF_MAGIC, BTF_VERSION, 0, sizeof(struct btf_header), 0, 64, 64, 8},
	{1, 1 << 24, 4, 32, 0, 3 << 24, 0, 1, 1, 2, 0, 3 << 24, 0, 1, 1, 250000}, "\0int"};

/* The only map that has an id: a perf event array, or a hash map whose keys and values have types.
 */
static struct bpf_map_info map_info(void)
{
	struct bpf_map_info map = {.type = BPF_MAP_TYPE_PERF_EVENT_ARRAY,
		.id = 5,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 2};

	if (lie.value_type) {
		map.type = BPF_MAP_TYPE_HASH;
		map.value_size = 8;
		map.btf_id = 9;
		map.btf_key_type_id = 1;
		map.btf_value_type_id = lie.value_type;
	}
	return map;
}

/* The info of the program with id 1, of the map, or of its types. */
static size_t make_info(uint32_t handle, char info[BPF_ABI_INFO_MAX])
{
	const struct bpf_btf_info types = {.btf_size = sizeof(map_types), .id = 9};
	const struct bpf_map_info map = map_info();
	struct bpf_prog_info prog = {.type = BPF_PROG_TYPE_KPROBE,
		.id = 1,
		.nr_map_ids = infos++ ? lie.map_ids_later : lie.map_ids,
		.gpl_compatible = 1};

	if (handle == types_handle)
		memcpy(info, &types, sizeof(types));
	else if (handle % 2)
		memcpy(info, &map, sizeof(map));
	memcpy(prog.name, lie.name, strlen(lie.name) < 16 ? strlen(lie.name) : 16);
	if (handle != types_handle && handle % 2 == 0)
		memcpy(info, &prog, sizeof(prog));
	return handle == types_handle ? sizeof(map_types) : 0;
}

static void answer_info(struct bytes_in *in)
{
	uint32_t handle = bytes_get_u32(in), sizes[BPF_ABI_NESTED];
	size_t size, list;
	const char *sent = rpc_get_bytes(in, &size);
	unsigned int n = bytes_get_u8(in);
	char info[BPF_ABI_INFO_MAX] = {0};

	if (!sent || n > BPF_ABI_NESTED || size > sizeof(info))
		die("INFO");
	for (unsigned int i = 0; i < n; i++) {
		bytes_get_u16(in);
		sizes[i] = bytes_get_u32(in);
	}
	list = make_info(handle, info);
	begin(RPC_INFO, 0, false);
	rpc_put_bytes(&out, info, size);
	for (unsigned int i = 0; i < n; i++)
		rpc_put_bytes(&out, list == sizes[i] ? &map_types : NULL, sizes[i]);
	end();
}

/* Handles of maps are odd, all others are even. */
static uint32_t new_handle(bool is_map)
{
	last_handle += 2 + (last_handle % 2 != is_map);
	return last_handle;
}

static void put_map(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	bytes_put_u32(&out, BPF_ABI_MAP);
	bytes_put_u32(&out, type);
	bytes_put_u32(&out, key);
	bytes_put_u32(&out, value);
	bytes_put_u32(&out, entries);
	bytes_put_u32(&out, flags);
}

/* Writes the result of a call: its attributes and the buffers that the kernel fills, all zero. */
static void put_result(const struct bpf_abi_command *command, const union bpf_attr *attr,
	size_t size, struct bytes_in *in)
{
	size_t length;

	rpc_put_bytes(&out, attr, size);
	for (const struct bpf_abi_ptr *ptr = command->ptrs; ptr->size; ptr++) {
		bool present = bytes_get_u8(in);
		uint32_t room = bytes_get_u32(in);

		rpc_get_bytes(in, &length);
		if (ptr->direction == BPF_ABI_OUT)
			rpc_put_bytes(&out, NULL,
				present && room && bpf_abi_is_log(command, ptr) ? 1 : room);
	}
}

/* Returns what a call returns, a new handle if it makes an object. */
static int32_t result_of(uint32_t number, union bpf_attr *attr)
{
	switch (number) {
	case BPF_PROG_GET_NEXT_ID:
		if (attr->start_id)
			return -ENOENT;
		attr->next_id = 1;
		return 0;
	case BPF_MAP_CREATE:
	case BPF_MAP_GET_FD_BY_ID:
		return (int32_t)new_handle(true);
	case BPF_BTF_GET_FD_BY_ID:
		return (int32_t)(types_handle = new_handle(false));
	case BPF_PROG_LOAD:
	case BPF_PROG_GET_FD_BY_ID:
	case BPF_BTF_LOAD:
	case BPF_LINK_CREATE:
	case BPF_RAW_TRACEPOINT_OPEN:
		return (int32_t)new_handle(false);
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_FREEZE:
		return 0;
	default:
		return -ENOENT;
	}
}

static void answer_bpf(struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in);
	const struct bpf_abi_command *command = bpf_abi_find(number);
	union bpf_attr attr;
	const void *sent;
	int32_t ret;
	size_t size;

	memset(&attr, 0, sizeof(attr));
	sent = rpc_get_bytes(in, &size);
	if (!sent || !command || size > sizeof(attr))
		die("BPF");
	memcpy(&attr, sent, size);
	ret = result_of(number, &attr);
	begin(RPC_BPF, ret, false);
	put_result(command, &attr, size, in);
	if (ret >= 0 && number == BPF_MAP_CREATE)
		put_map(attr.map_type, attr.key_size,
			(uint32_t)bpf_abi_value_size(attr.map_type, attr.value_size, lie.cpus),
			attr.max_entries, attr.map_flags);
	else if (ret >= 0 && number == BPF_MAP_GET_FD_BY_ID)
		put_map(map_info().type, 4, map_info().value_size, 2, 0);
	else if (ret >= 0 && command->returns != BPF_ABI_NUMBER)
		bytes_put_u32(&out, command->returns);
	end();
}

/* Lists the types of the kernel, if it has any. */
static void put_types(void)
{
	size_t size;

	if (!lie.files.types || !contents("/sys/kernel/btf/vmlinux", &size))
		return;
	bytes_put_u32(&out, 1);
	bytes_put_u32(&out, (uint32_t)size);
	bytes_put_u8(&out, 1);
	rpc_put_string(&out, "vmlinux");
}

static void answer(unsigned int op, struct bytes_in *in)
{
	static bool has_time;
	uint32_t handle;
	const void *attr;
	size_t size;

	switch (op) {
	case RPC_HELLO:
		begin(op, 0, false);
		put_hello();
		break;
	case RPC_BPF:
		answer_bpf(in);
		return;
	case RPC_INFO:
		answer_info(in);
		return;
	case RPC_PERF_OPEN:
		attr = rpc_get_bytes(in, &size);
		if (attr && size >= offsetof(struct perf_event_attr, read_format))
			has_time = ((const struct perf_event_attr *)attr)->sample_type &
				   PERF_SAMPLE_TIME;
		begin(op, (int32_t)new_handle(false), false);
		break;
	case RPC_PERF_IOCTL:
		begin(op, 0, false);
		rpc_put_bytes(&out, NULL, 0);
		break;
	case RPC_RING_OPEN:
		handle = bytes_get_u32(in);
		begin(op, 0, false);
		end();
		push_sample(handle, has_time);
		return;
	case RPC_MAP_WALK: /* one entry */
		begin(op, 1, false);
		bytes_put_u8(&out, 1);
		rpc_put_bytes(&out, "\1\0\0\0\2\0\0\0\3\0\0", 12);
		break;
	case RPC_BTF_LIST:
		begin(op, 0, false);
		put_types();
		break;
	case RPC_FILE_STAT:
	case RPC_FILE_ACCESS:
	case RPC_FILE_LINK:
	case RPC_FILE_READ:
	case RPC_FILE_HASH:
	case RPC_FILE_LIST:
	case RPC_FILE_WRITE:
	case RPC_FILE_FOLLOW:
		answer_file(op, in);
		return;
	default:
		if (rpc_op_is_silent(op))
			return;
		begin(op, -EINVAL, false);
	}
	end();
}

static void read_all(void *to, size_t size)
{
	char *at = to;

	while (size) {
		ssize_t n = read(STDIN_FILENO, at, size);

		if (n <= 0)
			exit(0);
		at += n;
		size -= (size_t)n;
	}
}

static void skip_line(void)
{
	char byte;

	do
		read_all(&byte, 1);
	while (byte != '\n');
}

/* The text commands by which bpfd-run begins. */
static void greet(void)
{
	dprintf(STDOUT_FILENO, "STARTED_BPFD\n");
	skip_line();
	dprintf(STDOUT_FILENO, "START_BPFD_OUTPUT\n0.1.0 2 " RELEASE " x86_64 0-1 rpc\n"
			       "END_BPFD_OUTPUT\n");
	skip_line();
	dprintf(STDOUT_FILENO, "START_BPFD_OUTPUT\nbpfd_rpc: ret=0\nEND_BPFD_OUTPUT\n");
}

static bool choose(const char *name, const char *argument)
{
	uint32_t number = argument ? (uint32_t)strtoul(argument, NULL, 0) : 0;

	if (strcmp(name, "honest") == 0)
		return true;
	if (strcmp(name, "online") == 0 && argument) {
		if (asprintf((char **)&lie.files.online, "%s\n", argument) < 0)
			die("online");
	} else if (strcmp(name, "cpus") == 0) {
		lie.cpus = number;
	} else if (strcmp(name, "raw") == 0) {
		lie.raw_size = number;
	} else if (strcmp(name, "printf") == 0) {
		lie.data = "\0\0\0\0\0\0\0\0M\0\0"; /* 77 for the first printf of bpftrace */
		lie.next_data = BPFTRACE_EXIT;
	} else if (strcmp(name, "map_types") == 0) {
		lie.value_type = number;
	} else if (strcmp(name, "counts") == 0) {
		lie.map_ids = lie.map_ids_later = number;
	} else if (strcmp(name, "grows") == 0) {
		lie.map_ids_later = number;
	} else if (strcmp(name, "name") == 0) {
		lie.name = ESCAPES;
	} else if (strcmp(name, "maps") == 0) {
		lie.files.path_size = number;
	} else if (strcmp(name, "program") == 0 && argument) {
		lie.files.program = argument;
	} else if (strcmp(name, "list") == 0) {
		lie.entries = number;
	} else if (strcmp(name, "types") == 0 && getenv("LYING_BOARD_TYPES")) {
		lie.files.types = getenv("LYING_BOARD_TYPES");
		lie.files.seed = number;
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	uint8_t head[RPC_HEADER_SIZE];
	struct rpc_header header;
	uint8_t *payload = NULL;

	if (argc < 2 || !choose(argv[1], argv[2])) {
		fprintf(stderr, "usage: lying_board CASE [ARGUMENT]\n");
		return 2;
	}
	lie.files.root = getenv("LYING_BOARD_FILES");
	greet();
	for (;;) {
		struct bytes_in in;

		read_all(head, sizeof(head));
		rpc_header_get(head, &header);
		payload = realloc(payload, header.length + 1);
		if (!payload)
			die("request");
		read_all(payload, header.length);
		in = (struct bytes_in){payload, header.length, false};
		tag = header.tag;
		answer(header.op, &in);
	}
}
