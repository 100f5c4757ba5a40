/* SPDX-License-Identifier: Apache-2.0 */
/* The codec of the binary protocol: it reads what it wrote, and never beyond the end. */
#include "core/messages/bpf_abi.h"
#include "core/messages/rpc.h"

#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct bytes_in in_of(const struct bytes_out *out)
{
	return (struct bytes_in){out->data, out->size, false};
}

static void test_numbers(void **state)
{
	static const uint8_t bytes[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
	struct bytes_out out = {.data = NULL};
	struct bytes_in in;

	bytes_put_u8(&out, 1);
	bytes_put_u16(&out, 0x0203);
	bytes_put_u32(&out, 0x04050607);
	bytes_put_u64(&out, 0x08090a0b0c0d0e0f);
	assert_int_equal(out.size, sizeof(bytes));
	assert_memory_equal(out.data, bytes, sizeof(bytes)); /* little-endian on every machine */
	in = in_of(&out);
	assert_int_equal(bytes_get_u8(&in), 1);
	assert_int_equal(bytes_get_u16(&in), 0x0203);
	assert_int_equal(bytes_get_u32(&in), 0x04050607);
	assert_false(bytes_get_end(&in));
	assert_int_equal(bytes_get_u64(&in), 0x08090a0b0c0d0e0f);
	assert_true(bytes_get_end(&in));
	assert_int_equal(bytes_get_u8(&in), 0);
	assert_true(in.failed);
	assert_false(bytes_get_end(&in));
	bytes_out_free(&out);
}

static void test_header(void **state)
{
	struct rpc_header header;
	struct bytes_out out = {.data = NULL};
	size_t start;

	bytes_put_u32(&out, 0); /* another message before it */
	start = rpc_begin(&out, RPC_FILE_STAT, RPC_FLAG_REPLY, 77);
	rpc_put_string(&out, "five!");
	rpc_end(&out, start);
	rpc_header_get(out.data + start, &header);
	assert_int_equal(header.length, 9);
	assert_int_equal(header.tag, 77);
	assert_int_equal(header.op, RPC_FILE_STAT);
	assert_int_equal(header.flags, RPC_FLAG_REPLY);
	bytes_out_free(&out);
}

/* Wrong lengths: just beyond the end, and near the largest numbers. */
static void test_bytes(void **state)
{
	static const uint32_t lengths[] = {5, 6, 0x7fffffff, 0x80000000, 0xfffffffb, 0xffffffff};
	struct bytes_out out = {.data = NULL};
	struct bytes_in in;
	size_t size;

	rpc_put_bytes(&out, "data", 4);
	in = in_of(&out);
	assert_memory_equal(rpc_get_bytes(&in, &size), "data", 4);
	assert_int_equal(size, 4);
	assert_true(bytes_get_end(&in));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		out.size = 0;
		bytes_put_u32(&out, lengths[i]);
		memcpy(bytes_put_room(&out, 4), "data", 4);
		in = in_of(&out);
		assert_null(rpc_get_bytes(&in, &size));
		assert_int_equal(size, 0);
		assert_true(in.failed);
	}
	bytes_out_free(&out);
}

static void test_strings(void **state)
{
	struct bytes_out out = {.data = NULL};
	struct bytes_in in;
	char text[5];

	rpc_put_string(&out, "four");
	in = in_of(&out);
	assert_true(rpc_get_string(&in, text, sizeof(text)));
	assert_string_equal(text, "four");
	in = in_of(&out);
	assert_false(rpc_get_string(&in, text, sizeof(text) - 1)); /* no room for the NUL */
	assert_string_equal(text, "");
	assert_true(in.failed);
	out.size = 0;
	rpc_put_bytes(&out, "a\0b", 3);
	in = in_of(&out);
	assert_false(rpc_get_string(&in, text, sizeof(text)));
	out.size = 0;
	rpc_put_string(&out, "");
	in = in_of(&out);
	assert_true(rpc_get_string(&in, text, sizeof(text)));
	assert_true(bytes_get_end(&in));
	bytes_out_free(&out);
}

/* A message that needs more memory than there is keeps failing until it is freed. */
static void test_no_memory(void **state)
{
	struct bytes_out out = {.data = NULL};

	bytes_put_u32(&out, 1);
	assert_null(bytes_put_room(&out, SIZE_MAX - 8));
	assert_true(out.failed);
	bytes_put_u32(&out, 2);
	assert_int_equal(out.size, 4);
	bytes_out_free(&out);
	assert_false(out.failed);
	bytes_put_u32(&out, 3);
	assert_int_equal(out.size, 4);
	bytes_out_free(&out);
}

static void test_structures(void **state)
{
	struct rpc_stat stat = {.mode = 0100644,
				.size = 1ULL << 40,
				.mtime_s = -1,
				.ctime_ns = 999999999,
				.rdev_minor = 7},
			stat_back;
	struct rpc_hello hello = {.major = 1, .page_size = 4096, .online = "0-3", .boot_id = "x"},
			 hello_back;
	struct bytes_out out = {.data = NULL};
	struct bytes_in in;

	rpc_put_stat(&out, &stat);
	in = in_of(&out);
	memset(&stat_back, 0, sizeof(stat_back));
	rpc_get_stat(&in, &stat_back);
	assert_true(bytes_get_end(&in));
	assert_int_equal(stat_back.size, stat.size);
	assert_int_equal(stat_back.mtime_s, -1);
	assert_int_equal(stat_back.ctime_ns, 999999999);
	assert_int_equal(stat_back.rdev_minor, 7);
	out.size = 0;
	rpc_put_hello(&out, &hello);
	for (size_t size = 0; size <= out.size; size++) {
		in = (struct bytes_in){out.data, size, false};
		rpc_get_hello(&in, &hello_back);
		assert_int_equal(in.failed, size < out.size);
	}
	assert_string_equal(hello_back.online, "0-3");
	assert_string_equal(hello_back.boot_id, "x");
	bytes_out_free(&out);
}

static void test_names(void **state)
{
	assert_string_equal(rpc_op_name(RPC_HELLO), "HELLO");
	assert_string_equal(rpc_op_name(RPC_BTF_LIST), "BTF_LIST");
	assert_string_equal(rpc_op_name(RPC_FILE_HASH), "FILE_HASH");
	assert_null(rpc_op_name(0));
	assert_null(rpc_op_name(RPC_RING_SYNC + 1));
	assert_true(rpc_op_is_silent(RPC_CLOSE));
	assert_true(rpc_op_is_silent(RPC_RING_CREDIT));
	assert_false(rpc_op_is_silent(RPC_HELLO));
	assert_false(rpc_op_is_silent(RPC_RING_DATA));
	assert_false(rpc_op_is_silent(RPC_RING_SYNC + 1));
}

/* The table of bpf(2): its fields are within the known attributes, and its lists end. */
static void test_abi(void **state)
{
	for (uint32_t number = 0; number < 64; number++) {
		const struct bpf_abi_command *command = bpf_abi_find(number);

		if (!command)
			continue;
		assert_string_equal(bpf_abi_name(number), command->name);
		assert_true(command->end <= BPF_ABI_ATTR_MAX);
		assert_int_equal(command->ptrs[BPF_ABI_PTRS].size, BPF_ABI_END);
		assert_int_equal(command->fds[BPF_ABI_FDS].classes, 0);
		for (int i = 0; command->ptrs[i].size; i++)
			assert_true(command->ptrs[i].offset + 8 <= command->end);
		for (int i = 0; command->fds[i].classes; i++)
			assert_true(command->fds[i].offset + 4 <= command->end);
	}
	assert_null(bpf_abi_find(BPF_OBJ_GET_INFO_BY_FD));
	assert_null(bpf_abi_find(UINT32_MAX));
}

static void test_abi_sizes(void **state)
{
	const struct bpf_abi_command *batch = bpf_abi_find(BPF_MAP_LOOKUP_BATCH);
	union bpf_attr attr = {.batch = {.count = UINT32_MAX}};

	assert_int_equal(bpf_abi_ptr_size(batch, &batch->ptrs[2], &attr, sizeof(attr), 4, 8),
		4ULL * UINT32_MAX);
	assert_true(bpf_abi_ptr_size(batch, &batch->ptrs[3], &attr, sizeof(attr), 4, 1ULL << 40) ==
		    UINT64_MAX);
	assert_int_equal(bpf_abi_ptr_size(batch, &batch->ptrs[1], &attr, sizeof(attr), 2, 8), 4);
	/* The attributes end before the count, so it is 0. */
	assert_int_equal(bpf_abi_ptr_size(batch, &batch->ptrs[2], &attr, 16, 4, 8), 0);
}

/* Flags that change the size of a value are unknown, in whatever part of the attributes they are.
 */
static void test_abi_element_flags(void **state)
{
	static const struct {
		uint32_t command;
		size_t offset;
	} cases[] = {
		{BPF_MAP_LOOKUP_ELEM, offsetof(union bpf_attr, flags)},
		{BPF_MAP_UPDATE_ELEM, offsetof(union bpf_attr, flags)},
		{BPF_MAP_LOOKUP_AND_DELETE_ELEM, offsetof(union bpf_attr, flags)},
		{BPF_MAP_DELETE_ELEM, offsetof(union bpf_attr, flags)},
		{BPF_MAP_LOOKUP_BATCH, offsetof(union bpf_attr, batch.elem_flags)},
		{BPF_MAP_LOOKUP_AND_DELETE_BATCH, offsetof(union bpf_attr, batch.elem_flags)},
		{BPF_MAP_UPDATE_BATCH, offsetof(union bpf_attr, batch.elem_flags)},
		{BPF_MAP_DELETE_BATCH, offsetof(union bpf_attr, batch.elem_flags)},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bpf_abi_command *command = bpf_abi_find(cases[i].command);

		for (unsigned int bit = 0; bit < 64; bit++) {
			union bpf_attr attr = {.map_fd = 0};

			bpf_abi_set64(&attr, sizeof(attr), cases[i].offset, 1ULL << bit);
			assert_int_equal(
				bpf_abi_element_flags_known(command, &attr, sizeof(attr)), bit < 3);
			/* Attributes that end within the flags, or before them. */
			assert_int_equal(
				bpf_abi_element_flags_known(command, &attr, cases[i].offset + 1),
				bit < 3 || bit > 7);
			assert_true(bpf_abi_element_flags_known(command, &attr, cases[i].offset));
		}
	}
	/* In other commands these bytes are something else. */
	union bpf_attr other = {.flags = UINT64_MAX};

	assert_true(
		bpf_abi_element_flags_known(bpf_abi_find(BPF_PROG_LOAD), &other, sizeof(other)));
}

static void test_abi_names(void **state)
{
	assert_string_equal(bpf_abi_name(BPF_PROG_BIND_MAP), "PROG_BIND_MAP");
	assert_string_equal(bpf_abi_name(36), "TOKEN_CREATE");
	assert_string_equal(bpf_abi_name(37), "PROG_STREAM_READ_BY_FD");
	assert_string_equal(bpf_abi_name(38), "PROG_ASSOC_STRUCT_OPS");
	assert_null(bpf_abi_name(9999));
}

/* Numbers that are not whole within the attributes are read as 0 and not written. */
static void test_abi_numbers(void **state)
{
	uint8_t attr[12] = {0};

	bpf_abi_set32(attr, sizeof(attr), 8, 7);
	assert_int_equal(bpf_abi_get32(attr, sizeof(attr), 8), 7);
	bpf_abi_set32(attr, sizeof(attr), 9, 1);
	bpf_abi_set64(attr, sizeof(attr), 5, 1);
	assert_int_equal(bpf_abi_get32(attr, sizeof(attr), 8), 7);
	bpf_abi_set64(attr, sizeof(attr), 4, 1ULL << 40);
	assert_true(bpf_abi_get64(attr, sizeof(attr), 4) == 1ULL << 40);
	assert_int_equal(bpf_abi_get32(attr, sizeof(attr), 9), 0);
	assert_int_equal(bpf_abi_get64(attr, sizeof(attr), 5), 0);
}

/* The verifier's log is the only pointer that PROG_LOAD writes to. */
static void test_abi_log(void **state)
{
	const struct bpf_abi_command *load = bpf_abi_find(BPF_PROG_LOAD);
	const struct bpf_abi_command *lookup = bpf_abi_find(BPF_MAP_LOOKUP_ELEM);

	for (int i = 0; load->ptrs[i].size; i++)
		assert_int_equal(bpf_abi_is_log(load, &load->ptrs[i]),
			load->ptrs[i].offset == offsetof(union bpf_attr, log_buf));
	for (int i = 0; lookup->ptrs[i].size; i++)
		assert_false(bpf_abi_is_log(lookup, &lookup->ptrs[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_structures),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_abi),
		cmocka_unit_test(test_abi_sizes),
		cmocka_unit_test(test_abi_element_flags),
		cmocka_unit_test(test_abi_names),
		cmocka_unit_test(test_abi_numbers),
		cmocka_unit_test(test_abi_log),
	};

	return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
