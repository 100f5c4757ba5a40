/* SPDX-License-Identifier: Apache-2.0 */
/* Infos of links and of the kernel's BTF: pointers and names from the board. */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "core/messages/bpf_abi.h"

#include "host-usb/run/objects/btf_list.h"
#include "tests/unit/run_test.h"

#define HANDLE 100
#define ROOM   64

/* The types of linux/bpf.h of 6.8; older headers lack the later fields. */
struct link_info {
	uint32_t type, id, prog_id, pad;
	union {
		struct {
			uint64_t name;
			uint32_t name_len;
		} tracepoint;
		struct {
			uint32_t type, pad;
			uint64_t name;
			uint32_t name_len;
		} event;
		struct {
			uint64_t addresses;
			uint32_t count, flags;
			uint64_t missed, cookies;
		} functions;
		struct {
			uint64_t path, offsets, semaphores, cookies;
			uint32_t path_size, count, flags, pid;
		} ufunctions;
	};
};

static struct board *board;

static int setup(void **state)
{
	board = board_start(NULL);
	return 0;
}

static int teardown(void **state)
{
	btf_list_free(board->run.btf_list);
	board_stop(board);
	return 0;
}

static struct object *new_link(uint32_t type)
{
	struct object *link = board_object(board, BPF_ABI_LINK, HANDLE);

	link->link_type = type;
	return link;
}

/* Begins the board's reply to a question for info. */
static struct bytes_out *reply_info(const void *info, size_t size)
{
	struct bytes_out *out = board_reply(board, RPC_INFO, 0);

	rpc_put_bytes(out, info, size);
	return out;
}

static int64_t ask(const struct object *object, void *info, size_t size)
{
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)object->fd,
				       .info_len = (uint32_t)size,
				       .info = user(info)}};
	const uint64_t args[6] = {BPF_OBJ_GET_INFO_BY_FD, user(&attr), 16};
	const struct call call = board_call(board, SYS_bpf, args);

	return sys_bpf(&call);
}

/* A tool follows a pointer that is not 0, so none is the board's. */
static void test_pointers(void **state)
{
	static const uint32_t types[] = {BPF_LINK_TYPE_RAW_TRACEPOINT, BPF_LINK_TYPE_ITER,
		BPF_LINK_TYPE_PERF_EVENT, BPF_LINK_TYPE_KPROBE_MULTI, BPF_ABI_LINK_UPROBE_MULTI};
	struct object *object;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct bpf_abi_nested *nested;
		char reported[ROOM] = "", info[ROOM] = "";
		size_t n;

		object = new_link(types[i]);
		nested = bpf_abi_nested(BPF_ABI_LINK, types[i], &n);
		assert_true(n > 0);
		for (size_t j = 0; j < n; j++)
			bpf_abi_set64(reported, ROOM, nested[j].offset, 0x123456789a);
		bpf_abi_set32(reported, ROOM, 0, types[i]);
		reply_info(reported, ROOM);
		board_ready(board);
		assert_int_equal(ask(object, info, ROOM), 0);
		for (size_t j = 0; j < n; j++)
			assert_int_equal(bpf_abi_get64(info, ROOM, nested[j].offset), 0);
		object_end(object);
	}
}

static void test_pointers_of_program(void **state)
{
	struct bpf_prog_info reported = {.map_ids = 0x1234, .line_info = 0x5678},
			     info = {.type = 0};
	struct object *object = board_object(board, BPF_ABI_PROG, HANDLE);

	info.line_info = 99; /* without a count */
	reply_info(&reported, sizeof(reported));
	board_ready(board);
	assert_int_equal(ask(object, &info, sizeof(info)), 0);
	assert_int_equal(info.map_ids, 0);
	assert_int_equal(info.line_info, 99);
	object_end(object);
}

/* A perf event without a name has a number there. */
static void test_plain_event(void **state)
{
	struct link_info reported = {
		.type = BPF_LINK_TYPE_PERF_EVENT, .event = {.type = 6, .name = 77, .name_len = 1}};
	struct object *object = new_link(BPF_LINK_TYPE_PERF_EVENT);
	struct link_info info = {.type = 0};

	reply_info(&reported, sizeof(reported));
	board_ready(board);
	assert_int_equal(ask(object, &info, sizeof(info)), 0);
	assert_int_equal(info.event.name, 77);
	object_end(object);
}

/* The board says once which type a link has. */
static void test_type(void **state)
{
	struct link_info first = {.type = BPF_LINK_TYPE_XDP},
			 second = {.type = BPF_LINK_TYPE_RAW_TRACEPOINT}, info = {.type = 0};
	struct object *object = new_link(0);

	second.tracepoint.name = 0x1234;
	reply_info(&first, sizeof(first));
	board_ready(board);
	reply_info(&second, sizeof(second));
	board_ready(board);
	assert_int_equal(ask(object, &info, sizeof(info)), -EIO);
	assert_int_equal(info.tracepoint.name, 0);
	reply_info(&first, sizeof(first));
	board_ready(board);
	assert_int_equal(ask(object, &info, sizeof(info)), 0);
	assert_int_equal(info.type, BPF_LINK_TYPE_XDP);
	object_end(object);

	object = new_link(0);
	board_reply_ret(board, RPC_INFO, -ENOENT);
	assert_int_equal(ask(object, &info, sizeof(info)), -ENOENT);
	object_end(object);
}

/* Tools make room for as many as the first reply says. */
static void test_counts(void **state)
{
	static const struct {
		uint32_t type;
		size_t at;
		uint32_t most;
	} counts[] = {
		{BPF_LINK_TYPE_RAW_TRACEPOINT, offsetof(struct link_info, tracepoint.name_len),
			4096},
		{BPF_LINK_TYPE_PERF_EVENT, offsetof(struct link_info, event.name_len), 4096},
		{BPF_LINK_TYPE_KPROBE_MULTI, offsetof(struct link_info, functions.count), 1 << 20},
		{BPF_ABI_LINK_UPROBE_MULTI, offsetof(struct link_info, ufunctions.count), 1 << 20},
		{BPF_ABI_LINK_UPROBE_MULTI, offsetof(struct link_info, ufunctions.path_size), 4096},
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (uint32_t more = 0; more < 2; more++) {
			struct link_info reported = {.type = counts[i].type}, info = {.type = 0};
			struct object *object = new_link(counts[i].type);

			bpf_abi_set32(
				&reported, sizeof(reported), counts[i].at, counts[i].most + more);
			reply_info(&reported, sizeof(reported));
			board_ready(board);
			assert_int_equal(ask(object, &info, sizeof(info)), more ? -EIO : 0);
			object_end(object);
		}
}

static void test_functions(void **state)
{
	uint64_t addresses[2] = {0, 0}, sent[2] = {0xffffffff81000000, 0xffffffff81000100};
	struct link_info reported = {
		.type = BPF_LINK_TYPE_KPROBE_MULTI, .functions = {.count = 2, .missed = 5}};
	struct link_info info = {.functions = {.addresses = user(addresses), .count = 2}};
	struct object *object = new_link(BPF_LINK_TYPE_KPROBE_MULTI);

	rpc_put_bytes(reply_info(&reported, sizeof(reported)), sent, sizeof(sent));
	board_ready(board);
	assert_int_equal(ask(object, &info, sizeof(info)), 0);
	assert_memory_equal(addresses, sent, sizeof(sent));
	assert_int_equal(info.functions.addresses, user(addresses));
	assert_int_equal(info.functions.missed, 5);
	object_end(object);
}

/* Names from the board that a tool prints as they are. */
static const struct {
	const char *name;
	size_t size;
	bool good;
} names[] = {{"sched_switch", 13, true}, {"/usr/lib/l\303\251", 13, true}, {"", 1, true},
	{"cut", 3, false}, {"\33[2J", 5, false}, {"a\nb", 4, false}, {"\302\233", 3, false},
	{"name\0\33[2J", 10, true}};

static void test_names_of_links(void **state)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct link_info reported = {
			.type = BPF_LINK_TYPE_RAW_TRACEPOINT, .tracepoint = {.name_len = 32}};
		char name[32] = "";
		struct link_info info = {.tracepoint = {.name = user(name), .name_len = 32}};
		struct object *object = new_link(BPF_LINK_TYPE_RAW_TRACEPOINT);

		rpc_put_bytes(
			reply_info(&reported, sizeof(reported)), names[i].name, names[i].size);
		board_ready(board);
		assert_int_equal(ask(object, &info, sizeof(info)), names[i].good ? 0 : -EIO);
		assert_string_equal(name, names[i].good ? names[i].name : "");
		object_end(object);
	}
}

/* The kernel's BTF by its descriptor: the board is asked once. */
static void test_names_of_types(void **state)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bpf_btf_info reported = {.btf_size = 1000, .id = 7, .kernel_btf = 1};
		char name[32] = "";
		struct bpf_btf_info info = {.name = user(name), .name_len = 32};
		struct object *object = board_object(board, BPF_ABI_BTF, HANDLE);

		rpc_put_bytes(
			reply_info(&reported, sizeof(reported)), names[i].name, names[i].size);
		board_ready(board);
		assert_int_equal(ask(object, &info, sizeof(info)), names[i].good ? 0 : -EIO);
		assert_string_equal(name, names[i].good ? names[i].name : "");
		if (names[i].good) {
			info = (struct bpf_btf_info){.id = 0};
			assert_int_equal(ask(object, &info, sizeof(info)), 0);
			assert_int_equal(info.btf_size, 1000);
			assert_int_equal(info.id, 7);
		}
		object_end(object);
	}
}

static void test_size_of_types(void **state)
{
	for (uint32_t more = 0; more < 2; more++) {
		struct bpf_btf_info reported = {.btf_size = (64 << 20) + more, .kernel_btf = 1};
		struct bpf_btf_info info = {.id = 0};
		struct object *object = board_object(board, BPF_ABI_BTF, HANDLE);

		rpc_put_bytes(reply_info(&reported, sizeof(reported)), "vmlinux", 8);
		board_ready(board);
		assert_int_equal(ask(object, &info, sizeof(info)), more ? -EIO : 0);
		object_end(object);
	}
}

/* The same in the list of all BTF. Without a list the board is asked for each. */
static void test_list_of_types(void **state)
{
	static const struct {
		uint32_t size;
		const char *name;
	} bad[] = {{1000, "\33[2J"}, {(64 << 20) + 1, "vmlinux"}};
	uint32_t next;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes_out *out = board_reply(board, RPC_BTF_LIST, 0);

		bytes_put_u32(out, 1);
		bytes_put_u32(out, bad[i].size);
		bytes_put_u8(out, 1);
		rpc_put_string(out, bad[i].name);
		board_ready(board);
		assert_int_equal(btf_list_next(&board->run, 0, &next), CALL_CONTINUE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pointers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pointers_of_program, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plain_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_type, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_of_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_of_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_size_of_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list_of_types, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
