/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2): packing calls and unpacking replies. The test plays the tool, so the tool's memory and
 * descriptors are its own. Without a listener it cannot get a new descriptor: a call that returns
 * one fails with EBADF after the board has answered. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "host-usb/run/objects/btf_list.h"
#include "tests/unit/run_test.h"

#define MAP    100 /* handles */
#define PROG   200
#define NEW    300
#define KEYS   4 /* bytes */
#define VALUES 8

static int64_t run_bpf(struct board *board, uint32_t command, void *attr, size_t size)
{
	const uint64_t args[6] = {command, user(attr), size};
	const struct call call = board_call(board, SYS_bpf, args);

	return sys_bpf(&call);
}

static struct object *new_map(struct board *board, uint32_t type)
{
	struct object *map = board_object(board, BPF_ABI_MAP, MAP);

	map->map_type = type;
	map->key_size = KEYS;
	map->value_size = VALUES;
	map->max_entries = 10;
	return map;
}

/* Checks the next request and stores its attributes in *attr; *in is then the rest of it. */
static void get_request(struct board *board, struct bytes_in *in, uint32_t command,
	union bpf_attr *attr, size_t size)
{
	const void *data;
	size_t length;

	*in = board_asked(board, RPC_BPF);
	assert_int_equal(bytes_get_u32(in), command);
	data = rpc_get_bytes(in, &length);
	assert_int_equal(length, size);
	memset(attr, 0, sizeof(*attr));
	memcpy(attr, data, length < sizeof(*attr) ? length : sizeof(*attr));
}

/* Checks a pointer of the request: whether it is set, the room of its buffer, and the size of its
 * contents. Returns the contents. */
static const void *check_pointer(struct bytes_in *in, bool present, uint32_t out, size_t size)
{
	const void *data;
	size_t length;

	assert_int_equal(bytes_get_u8(in), present);
	assert_int_equal(bytes_get_u32(in), out);
	data = rpc_get_bytes(in, &length);
	assert_int_equal(length, size);
	return data;
}

/* Starts a reply: the result and the attributes, of `size` bytes. */
static struct bytes_out *start_reply(
	struct board *board, int32_t ret, const void *attr, size_t size)
{
	struct bytes_out *out = board_reply(board, RPC_BPF, ret);

	rpc_put_bytes(out, attr, size);
	return out;
}

static void test_map_create(void **state)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH,
			       .key_size = 4,
			       .value_size = 8,
			       .max_entries = 77,
			       .map_name = "counts"},
		       got;
	struct board *board = board_start(NULL);
	struct bytes_out *out = start_reply(board, NEW, NULL, 72);
	struct bytes_in in;

	bytes_put_u32(out, BPF_ABI_MAP);
	bytes_put_u32(out, BPF_MAP_TYPE_HASH);
	bytes_put_u32(out, 4);
	bytes_put_u32(out, 8);
	bytes_put_u32(out, 77);
	bytes_put_u32(out, 0);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_CREATE, &attr, 72), -EBADF);
	get_request(board, &in, BPF_MAP_CREATE, &got, 72);
	assert_true(bytes_get_end(&in));
	assert_memory_equal(&got, &attr, 72);
	/* The tool could not get a descriptor, so the handle is closed on the board. */
	assert_closed(board, NEW);
	board_reply_ret(board, RPC_BPF, -EPERM);
	assert_int_equal(run_bpf(board, BPF_MAP_CREATE, &attr, 72), -EPERM);
	board_stop(board);
}

/* A new object must have the class, type and sizes that the tool requested: they decide how much
 * later replies may write into the tool. */
static void test_wrong_object(void **state)
{
	static const uint32_t wrong[][6] = {
		/* class, type, key, value, entries, flags */
		{BPF_ABI_PROG, BPF_MAP_TYPE_HASH, 4, 8, 77, 0},
		{OBJECT_DIRECTORY, BPF_MAP_TYPE_HASH, 4, 8, 77, 0},
		{OBJECT_WRITER, BPF_MAP_TYPE_HASH, 4, 8, 77, 0},
		{BPF_ABI_MAP | BPF_ABI_PROG, BPF_MAP_TYPE_HASH, 4, 8, 77, 0},
		{0, BPF_MAP_TYPE_HASH, 4, 8, 77, 0},
		{BPF_ABI_MAP, BPF_MAP_TYPE_HASH, 4, 9, 77, 0},
		{BPF_ABI_MAP, BPF_MAP_TYPE_HASH, 4, 8 << 20, 77, 0},
		{BPF_ABI_MAP, BPF_MAP_TYPE_HASH, 8, 8, 77, 0},
		{BPF_ABI_MAP, BPF_MAP_TYPE_HASH, 4, 8, 76, 0},
		{BPF_ABI_MAP, BPF_MAP_TYPE_PERCPU_HASH, 4, 64, 77, 0},
	};
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 77};
	struct board *board = board_start(NULL);
	struct bytes_out *out;

	board->run.board.possible_cpus = 8;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		out = start_reply(board, NEW, NULL, 72);
		for (int k = 0; k < 6; k++)
			bytes_put_u32(out, wrong[i][k]);
		board_ready(board);
		assert_int_equal(run_bpf(board, BPF_MAP_CREATE, &attr, 72), -EIO);
		board_asked(board, RPC_BPF);
		assert_closed(board, NEW);
	}
	/* A reply that ends early. */
	bytes_put_u32(start_reply(board, NEW, NULL, 72), BPF_ABI_MAP);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_CREATE, &attr, 72), -EIO);
	board_asked(board, RPC_BPF);
	assert_closed(board, NEW);
	assert_null(object_next(board->run.objects, NULL));
	board_stop(board);
}

/* The value size of a per-CPU map is that of user space: one value, rounded up to 8 bytes, for each
 * CPU. */
static void test_per_cpu_value_size(void **state)
{
	static const uint32_t reported[] = {
		BPF_ABI_MAP, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 3 * 16, 5, 0};
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_PERCPU_ARRAY,
		.key_size = 4,
		.value_size = 12,
		.max_entries = 5};
	struct board *board = board_start(NULL);
	struct bytes_out *out = start_reply(board, NEW, NULL, 72);

	board->run.board.possible_cpus = 3;
	for (int k = 0; k < 6; k++)
		bytes_put_u32(out, reported[k]);
	board_ready(board);
	/* The reply is accepted: only handing out the descriptor fails. */
	assert_int_equal(run_bpf(board, BPF_MAP_CREATE, &attr, 72), -EBADF);
	board_stop(board);
}

/* The board gets exactly as many bytes of attributes as the tool has passed. */
static void test_short_attr(void **state)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4}, got;
	struct board *board = board_start(NULL);
	struct bytes_in in;

	attr.map_flags = 0xdead; /* beyond the size, so not sent */
	for (size_t size = 0; size <= 16; size += 8) {
		board_reply_ret(board, RPC_BPF, -EINVAL);
		assert_int_equal(run_bpf(board, BPF_MAP_CREATE, &attr, size), -EINVAL);
		get_request(board, &in, BPF_MAP_CREATE, &got, size);
		assert_memory_equal(&got, &attr, size);
		assert_int_equal(got.map_flags, 0);
		assert_true(bytes_get_end(&in));
	}
	board_stop(board);
}

/* Attributes that are longer than the known ones must end in zeros, as in the kernel. */
static void test_long_attr(void **state)
{
	char attr[8192] = {0};
	struct board *board = board_start(NULL);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	union bpf_attr got;
	struct bytes_in in;
	char *pages;

	/* Unknown attributes that are 0 are accepted and not sent. */
	board_reply_ret(board, RPC_BPF, -ENOENT);
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, attr, 4096), -ENOENT);
	get_request(board, &in, BPF_PROG_GET_NEXT_ID, &got, BPF_ABI_ATTR_MAX);
	attr[BPF_ABI_ATTR_MAX] = 1;
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, attr, BPF_ABI_ATTR_MAX + 1), -E2BIG);
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, attr, 4096), -E2BIG);
	attr[BPF_ABI_ATTR_MAX] = 0;
	attr[4095] = 1;
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, attr, 4096), -E2BIG);
	attr[4095] = 0;
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, attr, 4097), -E2BIG);
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, attr, UINT32_MAX), -E2BIG);

	/* Attributes in memory that is not mapped. */
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, NULL, 12), -EFAULT);
	pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(pages + page, page);
	assert_int_equal(run_bpf(board, BPF_PROG_GET_NEXT_ID, pages + page - 8, 12), -EFAULT);
	assert_int_equal(board_unseen(board), 0);
	munmap(pages, page);
	board_stop(board);
}

static void test_unknown_commands_and_maps(void **state)
{
	union bpf_attr attr = {.map_type = 0};
	struct board *board = board_start(NULL);

	assert_int_equal(run_bpf(board, 9999, &attr, sizeof(attr)), -EINVAL);
	assert_int_equal(run_bpf(board, BPF_PROG_ATTACH, &attr, sizeof(attr)), -EINVAL);
	attr.map_fd = (uint32_t)-1;
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EBADF);
	attr.map_fd = STDIN_FILENO;
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EBADF);
	attr.map_fd = (uint32_t)board_object(board, BPF_ABI_PROG, PROG)->fd;
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EBADF);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* The board gets the key and the tool gets the value, with the sizes of the map. */
static void test_lookup(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	char key[KEYS] = "abcd", value[VALUES + 2] = "........x";
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd}, got;
	struct bytes_in in;

	attr.key = user(key);
	attr.value = user(value);
	rpc_put_bytes(start_reply(board, 0, NULL, 32), "12345678", VALUES);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), 0);
	assert_string_equal(value, "12345678x");
	get_request(board, &in, BPF_MAP_LOOKUP_ELEM, &got, 32);
	assert_int_equal(got.map_fd, MAP);
	assert_int_equal(got.key, 0); /* the board gets no addresses */
	assert_int_equal(got.value, 0);
	assert_memory_equal(check_pointer(&in, true, 0, KEYS), "abcd", KEYS);
	check_pointer(&in, true, VALUES, 0);
	assert_true(bytes_get_end(&in));

	/* A value that is longer than the room for it. */
	strcpy(value, "........x");
	rpc_put_bytes(start_reply(board, 0, NULL, 32), "12345678y", VALUES + 1);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EIO);
	assert_string_equal(value, "........x");
	/* Attributes of another size than sent; no value after the attributes. */
	start_reply(board, 0, NULL, 40);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EIO);
	start_reply(board, 0, NULL, 32);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EIO);
	assert_string_equal(value, "........x");

	board_reply_ret(board, RPC_BPF, -ENOENT);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -ENOENT);
	/* Pointers to memory that is not mapped. */
	attr.key = 8;
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EFAULT);
	attr.key = user(key);
	attr.value = 8;
	rpc_put_bytes(start_reply(board, 0, NULL, 32), "12345678", VALUES);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EFAULT);
	board_stop(board);
}

/* The lookup of a bloom filter sends a value, and receives only whether the map has it. */
static void test_bloom_filter(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_BLOOM_FILTER);
	char value[VALUES + 1] = "12345678";
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd}, got;
	struct bytes_in in;

	map->key_size = 0;
	attr.value = user(value);
	start_reply(board, 0, NULL, 32);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), 0);
	get_request(board, &in, BPF_MAP_LOOKUP_ELEM, &got, 32);
	check_pointer(&in, false, 0, 0);
	assert_memory_equal(check_pointer(&in, true, 0, VALUES), "12345678", VALUES);
	assert_true(bytes_get_end(&in));
	start_reply(board, -ENOENT, NULL, 32);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -ENOENT);
	assert_string_equal(value, "12345678");
	board_stop(board);
}

/* BPF_F_CPU and BPF_F_ALL_CPUS: the tool's buffer has room for one CPU, the message for all. */
static void test_element_flags(void **state)
{
	static const uint64_t flags[] = {8, 16, 8 | 3ULL << 32, 1ULL << 40};
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_PERCPU_HASH);
	char key[KEYS] = "abcd", value[8 * VALUES] = "old";
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd};
	union bpf_attr batch = {.batch = {.map_fd = (uint32_t)map->fd, .count = 1}};

	map->value_size = sizeof(value);
	attr.key = batch.batch.keys = user(key);
	attr.value = batch.batch.values = user(value);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		attr.flags = batch.batch.elem_flags = flags[i];
		assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EINVAL);
		assert_int_equal(run_bpf(board, BPF_MAP_UPDATE_ELEM, &attr, 32), -EINVAL);
		assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_BATCH, &batch, 56), -EINVAL);
		assert_int_equal(run_bpf(board, BPF_MAP_UPDATE_BATCH, &batch, 56), -EINVAL);
	}
	assert_string_equal(value, "old");
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* A call that fails does not change the tool's buffers, whatever the board sends for them. */
static void test_failed_lookup(void **state)
{
	static const int32_t errors[] = {-ENOENT, -EPERM, -ENOSPC};
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	char key[KEYS] = "key", value[VALUES] = "old", next[KEYS] = "nxt";
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd};

	attr.key = user(key);
	attr.value = user(value);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		rpc_put_bytes(start_reply(board, errors[i], NULL, 32), "\0\0\0\0\0\0\0", VALUES);
		board_ready(board);
		assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), errors[i]);
		rpc_put_bytes(start_reply(board, errors[i], NULL, 32), "\0\0\0\0\0\0\0", VALUES);
		board_ready(board);
		assert_int_equal(
			run_bpf(board, BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr, 32), errors[i]);
	}
	assert_string_equal(value, "old");
	attr.next_key = user(next);
	board_reply_ret(board, RPC_MAP_WALK, -EOPNOTSUPP);
	rpc_put_bytes(start_reply(board, -ENOENT, NULL, 32), "\0\0\0", KEYS);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_GET_NEXT_KEY, &attr, 32), -ENOENT);
	assert_string_equal(next, "nxt");
	board_stop(board);
}

/* A batch that fails with EINVAL changes nothing. With ENOSPC the entries that fit are copied. */
static void test_failed_batch(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	char keys[KEYS] = "key", values[VALUES] = "value", token[4] = "tok";
	union bpf_attr attr = {.map_type = 0}, reported = {.batch = {.count = 1}};
	struct bytes_out *out;

	attr.batch.map_fd = (uint32_t)map->fd;
	attr.batch.out_batch = user(token);
	attr.batch.keys = user(keys);
	attr.batch.values = user(values);
	attr.batch.count = 1;
	for (int i = 0; i < 2; i++) {
		out = start_reply(board, i ? -ENOSPC : -EINVAL, &reported, 56);
		rpc_put_bytes(out, "new", 4);
		rpc_put_bytes(out, "KEY", KEYS);
		rpc_put_bytes(out, "VALUE\0\0", VALUES);
		board_ready(board);
		assert_int_equal(
			run_bpf(board, BPF_MAP_LOOKUP_BATCH, &attr, 56), i ? -ENOSPC : -EINVAL);
		assert_string_equal(token, i ? "new" : "tok");
		assert_string_equal(keys, i ? "KEY" : "key");
		assert_string_equal(values, i ? "VALUE" : "value");
	}
	board_stop(board);
}

/* If a test run or a query fails with ENOSPC, it copies what fits and reports the size needed. */
static void test_failed_query(void **state)
{
	struct board *board = board_start(NULL);
	struct object *prog = board_object(board, BPF_ABI_PROG, PROG);
	char data[8] = "old", name[8] = "name";
	union bpf_attr run = {.test = {.prog_fd = (uint32_t)prog->fd, .data_size_out = 8}},
		       reported;
	union bpf_attr query = {.task_fd_query = {.buf_len = 8}};
	static const int32_t errors[] = {-EINVAL, -ENOSPC};
	struct bytes_out *out;

	run.test.data_out = user(data);
	query.task_fd_query.buf = user(name);
	for (size_t i = 0; i < 2; i++) {
		reported = run;
		reported.test.data_size_out = i ? 20 : 8;
		out = start_reply(board, errors[i], &reported, 80);
		rpc_put_bytes(out, "written", 8);
		rpc_put_bytes(out, NULL, 0);
		board_ready(board);
		assert_int_equal(run_bpf(board, BPF_PROG_TEST_RUN, &run, 80), errors[i]);
		assert_string_equal(data, i ? "written" : "old");
		assert_int_equal(run.test.data_size_out, i ? 20 : 8);
		reported = query;
		reported.task_fd_query.buf_len = i ? 20 : 8;
		rpc_put_bytes(start_reply(board, errors[i], &reported, 48), "written", 8);
		board_ready(board);
		assert_int_equal(run_bpf(board, BPF_TASK_FD_QUERY, &query, 48), errors[i]);
		assert_string_equal(name, i ? "written" : "name");
		assert_int_equal(query.task_fd_query.buf_len, i ? 20 : 8);
	}
	board_stop(board);
}

/* Numbers and texts that no kernel returns are refused: a tool would go on from such an id, read
 * that many bytes, or print the text until it finds a NUL. */
static void test_impossible_replies(void **state)
{
	static const struct {
		uint32_t next;
		int64_t ret;
	} ids[] = {{8, 0}, {UINT32_MAX, 0}, {7, -EIO}, {0, -EIO}};
	static const uint32_t commands[] = {
		BPF_PROG_GET_NEXT_ID, BPF_MAP_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID};
	struct board *board = board_start(NULL);
	struct object *prog = board_object(board, BPF_ABI_PROG, PROG);
	struct object *map = new_map(board, BPF_MAP_TYPE_QUEUE);
	char data[8] = "old", name[8] = "name", key[KEYS] = "key", value[VALUES];
	union bpf_attr attr, reported;
	struct bytes_out *out;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		for (size_t j = 0; j < sizeof(commands) / sizeof(commands[0]); j++) {
			memset(&attr, 0, sizeof(attr));
			attr.start_id = 7;
			reported = attr;
			reported.next_id = ids[i].next;
			start_reply(board, 0, &reported, 12);
			board_ready(board);
			assert_int_equal(run_bpf(board, commands[j], &attr, 12), ids[i].ret);
		}
	}
	for (uint32_t size = 8; size <= 9; size++) {
		memset(&attr, 0, sizeof(attr));
		attr.test.prog_fd = (uint32_t)prog->fd;
		attr.test.data_size_out = 8;
		attr.test.data_out = user(data);
		reported = attr;
		reported.test.data_size_out = size;
		out = start_reply(board, 0, &reported, 80);
		rpc_put_bytes(out, "written", 8);
		rpc_put_bytes(out, NULL, 0);
		board_ready(board);
		assert_int_equal(
			run_bpf(board, BPF_PROG_TEST_RUN, &attr, 80), size == 8 ? 0 : -EIO);
		memset(&attr, 0, sizeof(attr));
		attr.task_fd_query.buf_len = 8;
		attr.task_fd_query.buf = user(name);
		rpc_put_bytes(
			start_reply(board, 0, &attr, 48), size == 8 ? "written" : "no NUL..", 8);
		board_ready(board);
		assert_int_equal(
			run_bpf(board, BPF_TASK_FD_QUERY, &attr, 48), size == 8 ? 0 : -EIO);
		assert_string_equal(name, "written");
		/* A value that is shorter than the tool's room. */
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)map->fd;
		attr.key = user(key);
		attr.value = user(value);
		rpc_put_bytes(start_reply(board, 0, NULL, 32), "a value", size == 8 ? 8 : 4);
		board_ready(board);
		assert_int_equal(
			run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), size == 8 ? 0 : -EIO);
	}
	board_stop(board);
}

/* After a request that was dropped, the next request is complete. */
static void test_after_dropped_request(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd}, got;
	uint64_t key = 1;
	struct bytes_in in;

	attr.key = user(&key);
	attr.value = 8;
	assert_int_equal(run_bpf(board, BPF_MAP_UPDATE_ELEM, &attr, 32), -EFAULT);
	board_reply_ret(board, RPC_BPF, -EBADMSG);
	assert_int_equal(run_bpf(board, BPF_MAP_DELETE_ELEM, &attr, 32), -EBADMSG);
	get_request(board, &in, BPF_MAP_DELETE_ELEM, &got, 32);
	check_pointer(&in, true, 0, KEYS);
	assert_true(bytes_get_end(&in));
	board_stop(board);
}

/* Maps in instructions: a descriptor, an invalid descriptor, and an index into fd_array. */
static void test_prog_load(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_ARRAY);
	int32_t table[] = {-1, map->fd};
	struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map->fd},
		{.imm = map->fd},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = 12345},
		{.imm = 16},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_MAP_IDX, .imm = 1},
		{.imm = 0},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .imm = map->fd}, /* a plain number */
		{.imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .src_reg = 1, .imm = map->fd},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const void *sent;
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_KPROBE}, got;
	char log[64] = "untouched";
	struct bytes_out *out;
	struct bytes_in in;

	attr.insns = user(insns);
	attr.insn_cnt = sizeof(insns) / sizeof(insns[0]);
	attr.license = user("Dual BSD/GPL");
	attr.log_buf = user(log);
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	attr.fd_array = user(table);
	out = start_reply(board, -EACCES, NULL, sizeof(attr));
	rpc_put_bytes(out, "R1 invalid", 11);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, sizeof(attr)), -EACCES);
	assert_string_equal(log, "R1 invalid"); /* copied although the load failed */

	get_request(board, &in, BPF_PROG_LOAD, &got, sizeof(attr));
	assert_int_equal(got.insn_cnt, attr.insn_cnt);
	assert_int_equal(got.insns, 0);
	assert_int_equal(got.fd_array, 0);
	assert_int_equal(got.log_size, sizeof(log));
	sent = check_pointer(&in, true, 0, sizeof(insns));
	insns[0].imm = MAP;
	insns[2].imm = (int32_t)RPC_NO_HANDLE;
	insns[4].src_reg = BPF_PSEUDO_MAP_FD;
	insns[4].imm = MAP;
	assert_memory_equal(sent, insns, sizeof(insns));
	assert_memory_equal(check_pointer(&in, true, 0, 12), "Dual BSD/GPL", 12);
	check_pointer(&in, true, sizeof(log), 0);
	for (int i = 0; i < 3; i++) /* no BTF records */
		check_pointer(&in, false, 0, 0);
	assert_true(bytes_get_end(&in));
	board_stop(board);
}

/* Programs that end within an instruction, or use fd_array without setting it. */
static void test_bad_programs(void **state)
{
	struct board *board = board_start(NULL);
	struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = BPF_PSEUDO_MAP_FD, .imm = 3},
		{.code = 0},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_KPROBE}, got;
	struct bpf_insn sent[2];
	struct bytes_in in;

	attr.insns = user(insns);
	attr.insn_cnt = 2;
	attr.license = user("GPL");
	board_reply_ret(board, RPC_BPF, -EINVAL);
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, 144), -EINVAL);
	get_request(board, &in, BPF_PROG_LOAD, &got, 144);
	memcpy(sent, check_pointer(&in, true, 0, 16), sizeof(sent));
	assert_int_equal(sent[1].imm, 3);

	insns[1].src_reg = BPF_PSEUDO_MAP_IDX;
	attr.insn_cnt = 3;
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, 144), -EINVAL);
	attr.fd_array = 8;
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, 144), -EFAULT);
	attr.insn_cnt = 1 << 30; /* too large for a message */
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, 144), -E2BIG);
	attr.insn_cnt = UINT32_MAX;
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, 144), -E2BIG);
	assert_int_equal(board_unseen(board), 0);
	board_stop(board);
}

/* A log buffer of 1 GiB is accepted, but the request to the board asks for less. */
static void test_large_log(void **state)
{
	struct board *board = board_start(NULL);
	struct bpf_insn insn = {.code = BPF_JMP | BPF_EXIT};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_KPROBE}, got;
	char *log = mmap(NULL, 1U << 30, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct bytes_in in;
	uint32_t room;

	assert_true(log != MAP_FAILED);
	attr.insns = user(&insn);
	attr.insn_cnt = 1;
	attr.license = user("GPL");
	attr.log_level = 2;
	attr.log_buf = user(log);
	attr.log_size = 1U << 30;
	rpc_put_bytes(start_reply(board, -EINVAL, NULL, 144), "no", 3);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, 144), -EINVAL);
	assert_string_equal(log, "no");
	get_request(board, &in, BPF_PROG_LOAD, &got, 144);
	check_pointer(&in, true, 0, sizeof(insn));
	check_pointer(&in, true, 0, 3);
	assert_int_equal(bytes_get_u8(&in), 1);
	room = bytes_get_u32(&in);
	assert_true(room >= 16U << 20 && room < RPC_MESSAGE_MAX);
	assert_int_equal(got.log_size, room);
	munmap(log, 1U << 30);
	board_stop(board);
}

/* Descriptors in values become handles; values of plain maps stay as they are. */
static void test_descriptors_in_values(void **state)
{
	struct board *board = board_start(NULL);
	struct object *prog = board_object(board, BPF_ABI_PROG, PROG);
	struct object *map = new_map(board, BPF_MAP_TYPE_PROG_ARRAY);
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd}, got;
	uint32_t key = 0, value[2] = {(uint32_t)prog->fd, 5}, sent[2];
	static const struct {
		uint32_t type;
		uint32_t wanted;
	} cases[] = {{BPF_MAP_TYPE_PROG_ARRAY, PROG},
		{BPF_MAP_TYPE_PERF_EVENT_ARRAY, RPC_NO_HANDLE}, {BPF_MAP_TYPE_ARRAY, 0}};
	struct bytes_in in;

	attr.key = user(&key);
	attr.value = user(value);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		map->map_type = cases[i].type;
		start_reply(board, 0, NULL, 32);
		board_ready(board);
		assert_int_equal(run_bpf(board, BPF_MAP_UPDATE_ELEM, &attr, 32), 0);
		get_request(board, &in, BPF_MAP_UPDATE_ELEM, &got, 32);
		check_pointer(&in, true, 0, KEYS);
		memcpy(sent, check_pointer(&in, true, 0, VALUES), sizeof(sent));
		assert_int_equal(sent[0], cases[i].wanted ? cases[i].wanted : value[0]);
		assert_int_equal(sent[1], 5);
		assert_int_equal(value[0], prog->fd); /* the tool's copy is unchanged */
	}
	map->map_type = BPF_MAP_TYPE_SOCKHASH;
	assert_int_equal(run_bpf(board, BPF_MAP_UPDATE_ELEM, &attr, 32), -EOPNOTSUPP);
	board_stop(board);
}

/* Batches: the count decides the sizes, and the tool receives the number of entries found. */
static void test_batch(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	char keys[5 * KEYS] = "", values[5 * VALUES] = "", token[4];
	union bpf_attr attr = {.map_type = 0}, reported = {.map_type = 0}, got;
	struct bytes_out *out;
	struct bytes_in in;

	attr.batch.map_fd = (uint32_t)map->fd;
	attr.batch.out_batch = user(token);
	attr.batch.keys = user(keys);
	attr.batch.values = user(values);
	attr.batch.count = 5;
	reported.batch.count = 2;
	reported.batch.map_fd = 4711; /* not an output of the call */
	out = start_reply(board, -ENOENT, &reported, 56);
	rpc_put_bytes(out, "next", 4);
	rpc_put_bytes(out, "key1key2", 8);
	rpc_put_bytes(out, "value__1value__2", 16);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_BATCH, &attr, 56), -ENOENT);
	get_request(board, &in, BPF_MAP_LOOKUP_BATCH, &got, 56);
	assert_int_equal(got.batch.map_fd, MAP);
	check_pointer(&in, false, 0, 0);
	check_pointer(&in, true, 4, 0);
	check_pointer(&in, true, 5 * KEYS, 0);
	check_pointer(&in, true, 5 * VALUES, 0);
	assert_true(bytes_get_end(&in));
	assert_int_equal(attr.batch.count, 2);
	assert_int_equal(attr.batch.map_fd, map->fd);
	assert_memory_equal(token, "next", 4);
	assert_string_equal(keys, "key1key2");
	assert_string_equal(values, "value__1value__2");

	/* More entries than fit are refused: the tool would read past the end of its arrays. */
	attr.batch.count = 5;
	reported.batch.count = 6;
	out = start_reply(board, 0, &reported, 56);
	rpc_put_bytes(out, "next", 4);
	rpc_put_bytes(out, NULL, 5 * KEYS);
	rpc_put_bytes(out, NULL, 5 * VALUES);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_BATCH, &attr, 56), -EIO);
	assert_int_equal(attr.batch.count, 5);

	attr.batch.count = UINT32_MAX;
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_BATCH, &attr, 56), -E2BIG);
	board_stop(board);
}

/* A dump costs one round trip, not two for each entry. */
static void test_read_ahead(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	char key[KEYS] = "", value[VALUES + 1] = "";
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd};
	struct bytes_out *out = board_reply(board, RPC_MAP_WALK, 2);

	bytes_put_u8(out, 1);
	rpc_put_bytes(out, "key1value__1key2value__2", 24);
	board_ready(board);
	attr.next_key = user(key);
	assert_int_equal(run_bpf(board, BPF_MAP_GET_NEXT_KEY, &attr, 32), 0);
	assert_memory_equal(key, "key1", KEYS);
	attr.key = user(key);
	attr.value = 8;
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -EFAULT);
	attr.next_key = user(key);
	assert_int_equal(run_bpf(board, BPF_MAP_GET_NEXT_KEY, &attr, 32), 0);
	assert_memory_equal(key, "key2", KEYS);
	attr.value = user(value);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), 0);
	assert_string_equal(value, "value__2");
	attr.next_key = user(key);
	assert_int_equal(run_bpf(board, BPF_MAP_GET_NEXT_KEY, &attr, 32), -ENOENT);
	board_asked(board, RPC_MAP_WALK);
	assert_int_equal(board_unseen(board), 0);

	/* After the tool has changed the map, values come from the board again. */
	attr.value = user(value);
	start_reply(board, 0, NULL, 32);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_UPDATE_ELEM, &attr, 32), 0);
	rpc_put_bytes(start_reply(board, 0, NULL, 32), "changed_", VALUES);
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), 0);
	assert_string_equal(value, "changed_");
	board_stop(board);
}

/* A walk that has had too many keys fails, and the next one starts afresh. */
static void test_endless_walk(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_HASH);
	char key[KEYS] = "key", next[KEYS] = "";
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd};

	map->walk_keys = 1000000;
	map->walk_ms = clock_monotonic_ms();
	attr.next_key = user(next);
	for (int i = 0; i < 3; i++) {
		struct bytes_out *out = board_reply(board, RPC_MAP_WALK, 1);

		bytes_put_u8(out, 0);
		rpc_put_bytes(out, "key1value__1", 12);
		board_ready(board);
		attr.key = i == 2 ? 0 : user(key);
		assert_int_equal(run_bpf(board, BPF_MAP_GET_NEXT_KEY, &attr, 32), i ? 0 : -EIO);
	}
	assert_int_equal(map->walk_keys, 1);
	board_stop(board);
}

/* After the link is lost, each call fails at once. */
static void test_lost_link(void **state)
{
	struct board *board = board_start(NULL);
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH};

	shutdown(board->end, SHUT_RDWR);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_bpf(board, BPF_MAP_CREATE, &attr, 72), -EIO);
	assert_true(client_dead(board->run.client));
	board_stop(board);
}

static int ignore_pipe(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static void kill_tool(void *arg)
{
	tool_is_gone = true;
}

/* If the tool's thread is gone, nothing is written: its id may belong to another process. */
static void test_tool_is_gone(void **state)
{
	struct board *board = board_start(NULL);
	struct object *map = new_map(board, BPF_MAP_TYPE_QUEUE);
	char key[KEYS] = "key", value[VALUES] = "old";
	union bpf_attr attr = {.map_fd = (uint32_t)map->fd};

	attr.key = user(key);
	attr.value = user(value);
	rpc_put_bytes(start_reply(board, 0, NULL, 32), "another", VALUES);
	board_ready(board);
	board->before = kill_tool;
	assert_int_equal(run_bpf(board, BPF_MAP_LOOKUP_ELEM, &attr, 32), -ESRCH);
	tool_is_gone = false;
	assert_string_equal(value, "old");
	board_stop(board);
}

/* The kernel's BTF objects come from a list. A handle is made only when a program needs it. */
static void test_kernel_btf(void **state)
{
	union bpf_attr attr = {.start_id = 0}, got;
	struct bpf_insn insns[2] = {{.code = BPF_JMP | BPF_EXIT}};
	struct board *board = board_start(NULL);
	struct bytes_out *out = board_reply(board, RPC_BTF_LIST, 0);
	struct object *btf;
	struct bytes_in in;

	bytes_put_u32(out, 3);
	bytes_put_u32(out, 500);
	bytes_put_u8(out, 1);
	rpc_put_string(out, "module");
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_BTF_GET_NEXT_ID, &attr, 12), 0);
	assert_int_equal(attr.next_id, 3);
	attr = (union bpf_attr){.start_id = 3};
	assert_int_equal(run_bpf(board, BPF_BTF_GET_NEXT_ID, &attr, 12), -ENOENT);
	attr = (union bpf_attr){.btf_id = 3};
	assert_int_equal(run_bpf(board, BPF_BTF_GET_FD_BY_ID, &attr, 12), -EBADF);
	board_asked(board, RPC_BTF_LIST);
	assert_int_equal(board_unseen(board), 0);

	assert_int_equal(btf_list_object(&board->run, 3, &btf), 0);
	attr = (union bpf_attr){.prog_type = BPF_PROG_TYPE_TRACING,
		.insns = user(insns),
		.insn_cnt = 1,
		.license = user("GPL"),
		.attach_btf_obj_fd = (uint32_t)btf->fd};
	board_reply_ret(board, RPC_BPF, 77);
	start_reply(board, -EACCES, NULL, sizeof(attr));
	board_ready(board);
	assert_int_equal(run_bpf(board, BPF_PROG_LOAD, &attr, sizeof(attr)), -EACCES);
	get_request(board, &in, BPF_BTF_GET_FD_BY_ID, &got, 12);
	assert_int_equal(got.btf_id, 3);
	get_request(board, &in, BPF_PROG_LOAD, &got, sizeof(attr));
	assert_int_equal(got.attach_btf_obj_fd, 77);
	btf_list_free(board->run.btf_list);
	board_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_create),
		cmocka_unit_test(test_wrong_object),
		cmocka_unit_test(test_per_cpu_value_size),
		cmocka_unit_test(test_short_attr),
		cmocka_unit_test(test_long_attr),
		cmocka_unit_test(test_unknown_commands_and_maps),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_bloom_filter),
		cmocka_unit_test(test_element_flags),
		cmocka_unit_test(test_failed_lookup),
		cmocka_unit_test(test_failed_batch),
		cmocka_unit_test(test_failed_query),
		cmocka_unit_test(test_impossible_replies),
		cmocka_unit_test(test_after_dropped_request),
		cmocka_unit_test(test_prog_load),
		cmocka_unit_test(test_bad_programs),
		cmocka_unit_test(test_large_log),
		cmocka_unit_test(test_descriptors_in_values),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_endless_walk),
		cmocka_unit_test(test_lost_link),
		cmocka_unit_test(test_tool_is_gone),
		cmocka_unit_test(test_kernel_btf),
	};

	return cmocka_run_group_tests(tests, ignore_pipe, NULL);
}
