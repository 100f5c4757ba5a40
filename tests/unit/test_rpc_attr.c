/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of bpf(2), cut at each byte, as a fake kernel receives them.
 *
 * No number that the client wrote reaches the kernel as a pointer or a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "core/messages/bpf_abi.h"
#include "tests/unit/rpc_test.h"

#define ATTR_BYTES 144 /* to the end of the longest command's fields */
#define FD_FIRST   100 /* the first descriptor of a map; handles are smaller */
#define MAP_HANDLE 3
#define NO_HANDLE  1
#define ADDRESS	   0xa5a5a5a5a5a5a5a5ULL

/* The last call after the first, by which each session makes a map. */
static struct {
	unsigned int calls;
	uint32_t command;
	uint8_t attr[BPF_ABI_ATTR_MAX];
	uint64_t looked_up; /* the 8 bytes that `value` of a lookup points to */
} kernel;

long syscall(long number, ...)
{
	const void *attr;
	uint32_t command;
	size_t size;
	va_list ap;

	va_start(ap, number);
	command = va_arg(ap, unsigned int);
	attr = va_arg(ap, const void *);
	size = va_arg(ap, size_t);
	va_end(ap);
	errno = EINVAL;
	if (number != SYS_bpf || command == BPF_OBJ_GET_INFO_BY_FD)
		return -1;
	assert_true(size <= sizeof(kernel.attr));
	if (!kernel.calls++ && command == BPF_MAP_CREATE)
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FD_FIRST);
	kernel.command = command;
	memset(kernel.attr, 0, sizeof(kernel.attr));
	memcpy(kernel.attr, attr, size);
	if (command == BPF_MAP_LOOKUP_ELEM && ((const union bpf_attr *)attr)->value)
		kernel.looked_up =
			*(const uint64_t *)(uintptr_t)((const union bpf_attr *)attr)->value;
	return -1;
}

/* Requests a call. Pointer number `present` points to 0 bytes, the others are NULL; -1: all are. */
static void put_call(struct rpc_session *s, const struct bpf_abi_command *command, const void *attr,
	size_t size, int present)
{
	size_t start = request(s, RPC_BPF);

	bytes_put_u32(&s->input, command->number);
	rpc_put_bytes(&s->input, attr, size);
	for (int i = 0; command->ptrs[i].size != BPF_ABI_END; i++) {
		bytes_put_u8(&s->input, i == present);
		bytes_put_u32(&s->input, 0);
		rpc_put_bytes(&s->input, NULL, 0);
	}
	request_end(s, start);
}

static void begin(struct rpc_session *s)
{
	const union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 16};

	memset(&kernel, 0, sizeof(kernel));
	kernel.command = UINT32_MAX;
	session_begin(s);
	put_call(s, bpf_abi_find(BPF_MAP_CREATE), &attr, 20, -1);
}

static void put64(void *attr, size_t offset, uint64_t value)
{
	memcpy((char *)attr + offset, &value, sizeof(value));
}

static void put32(void *attr, size_t offset, uint32_t value)
{
	memcpy((char *)attr + offset, &value, sizeof(value));
}

/* Fills in a hostile client's attributes: an address in each pointer, the map's handle where a map
 * is allowed, elsewhere a descriptor of the process that is not a handle of the session. */
static void fill(const struct bpf_abi_command *command, void *attr)
{
	for (int i = 0; command->ptrs[i].size != BPF_ABI_END; i++)
		put64(attr, command->ptrs[i].offset, ADDRESS);
	for (const struct bpf_abi_fd *fd = command->fds; fd->classes; fd++)
		put32(attr, fd->offset, fd->classes & BPF_ABI_MAP ? MAP_HANDLE : NO_HANDLE);
}

static void check_kernel(const struct bpf_abi_command *command)
{
	assert_int_equal(kernel.command, command->number);
	for (int i = 0; command->ptrs[i].size != BPF_ABI_END; i++)
		assert_int_equal(
			bpf_abi_get64(kernel.attr, sizeof(kernel.attr), command->ptrs[i].offset),
			0);
	for (const struct bpf_abi_fd *fd = command->fds; fd->classes; fd++) {
		uint32_t number = bpf_abi_get32(kernel.attr, sizeof(kernel.attr), fd->offset);

		assert_true(number >= FD_FIRST || (fd->optional && !number));
	}
}

static void cut_command(const struct bpf_abi_command *command)
{
	uint8_t attr[ATTR_BYTES] = {0};
	struct rpc_session s;

	assert_true(command->end <= sizeof(attr));
	fill(command, attr);
	for (size_t size = 0; size <= command->end; size++) {
		begin(&s);
		put_call(&s, command, attr, size, -1);
		session_run(&s, 0);
		if (kernel.command == command->number)
			check_kernel(command);
		else /* the attributes end before the map, so the kernel is not called */
			assert_true(command->map && size < command->map + 3U);
		session_end(&s);
	}
}

static void test_commands(void **state)
{
	unsigned int count = 0;

	for (uint32_t number = 0; number < 100; number++) {
		const struct bpf_abi_command *command = bpf_abi_find(number);

		if (!command || (!command->fds[0].classes && !command->ptrs[0].size))
			continue;
		count++;
		cut_command(command);
	}
	assert_int_equal(count, 22);
}

/* A present pointer must be whole within the attributes. */
static void test_present(void **state)
{
	for (uint32_t number = 0; number < 100; number++) {
		const struct bpf_abi_command *command = bpf_abi_find(number);
		uint8_t attr[ATTR_BYTES] = {0};

		for (int i = 0; command && command->ptrs[i].size != BPF_ABI_END; i++) {
			struct rpc_session s;

			begin(&s);
			for (size_t cut = 0; cut < sizeof(uint64_t); cut++)
				put_call(&s, command, attr, command->ptrs[i].offset + cut, i);
			session_run(&s, 0);
			assert_int_equal(next_reply(&s), MAP_HANDLE);
			for (size_t cut = 0; cut < sizeof(uint64_t); cut++)
				assert_int_equal(next_reply(&s), -EBADMSG);
			assert_int_equal(kernel.calls, 1);
			session_end(&s);
		}
	}
}

/* A table of descriptors is refused, even if the attributes hold only a part of its address. */
static void test_fd_array(void **state)
{
	const size_t offset = offsetof(union bpf_attr, fd_array);
	uint8_t attr[ATTR_BYTES] = {0};
	struct rpc_session s;

	put64(attr, offset, ADDRESS);
	begin(&s);
	for (size_t cut = 1; cut <= sizeof(uint64_t); cut++)
		put_call(&s, bpf_abi_find(BPF_PROG_LOAD), attr, offset + cut, -1);
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), MAP_HANDLE);
	for (size_t cut = 1; cut <= sizeof(uint64_t); cut++)
		assert_int_equal(next_reply(&s), -EINVAL);
	assert_int_equal(kernel.calls, 1);
	session_end(&s);
}

/* The session charges a cut field of a size as the kernel sees it: with zeroes at its end. */
static void test_charge(void **state)
{
	const union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 0x00ffffff};
	struct rpc_session s;

	begin(&s);
	s.config.limits.memory = 1 << 20;
	put_call(&s, bpf_abi_find(BPF_MAP_CREATE), &attr, 15, -1);
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), MAP_HANDLE);
	assert_int_equal(next_reply(&s), -ENOMEM);
	assert_int_equal(kernel.calls, 1);
	session_end(&s);
}

/* Requests the lookup of a value without a key: its bytes are in the request, or room for them. */
static void put_lookup(struct rpc_session *s, uint64_t flags, const uint64_t *in, uint32_t room)
{
	const union bpf_attr attr = {.map_fd = MAP_HANDLE, .flags = flags};
	size_t start = request(s, RPC_BPF);

	bytes_put_u32(&s->input, BPF_MAP_LOOKUP_ELEM);
	rpc_put_bytes(&s->input, &attr, 32);
	bytes_put_u8(&s->input, 0);
	bytes_put_u32(&s->input, 0);
	rpc_put_bytes(&s->input, NULL, 0);
	bytes_put_u8(&s->input, 1);
	bytes_put_u32(&s->input, room);
	rpc_put_bytes(&s->input, in, in ? sizeof(*in) : 0);
	request_end(s, start);
}

/* The kernel reads the value of a lookup in a bloom filter, and returns only a result. */
static void test_bloom_filter(void **state)
{
	const union bpf_attr attr = {.map_type = BPF_MAP_TYPE_BLOOM_FILTER,
		.key_size = 0,
		.value_size = 8,
		.max_entries = 16};
	const uint64_t value = 0x1122334455667788;
	struct rpc_session s;
	size_t size;

	memset(&kernel, 0, sizeof(kernel));
	session_begin(&s);
	put_call(&s, bpf_abi_find(BPF_MAP_CREATE), &attr, 20, -1);
	put_lookup(&s, 0, NULL, 8); /* as from a host that does not know it */
	put_lookup(&s, 0, &value, 0);
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), MAP_HANDLE);
	assert_int_equal(next_reply(&s), -EBADMSG);
	assert_int_equal(next_reply(&s), -EINVAL);
	rpc_get_bytes(&s.in, &size);
	assert_int_equal(size, 32);
	assert_true(bytes_get_end(&s.in));
	assert_int_equal(kernel.calls, 2);
	assert_true(kernel.looked_up == value);
	session_end(&s);
}

/* With flags of one CPU the kernel would read or write another number of bytes. */
static void test_element_flags(void **state)
{
	struct rpc_session s;

	begin(&s);
	for (unsigned int bit = 0; bit < 64; bit++)
		put_lookup(&s, 1ULL << bit, NULL, 8);
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), MAP_HANDLE);
	for (unsigned int bit = 0; bit < 64; bit++) {
		size_t size;

		assert_int_equal(next_reply(&s), -EINVAL);
		rpc_get_bytes(&s.in, &size);
		assert_int_equal(size, bit < 3 ? 32 : 0); /* 32: from the kernel */
	}
	assert_int_equal(kernel.calls, 4);
	session_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_present),
		cmocka_unit_test(test_fd_array),
		cmocka_unit_test(test_charge),
		cmocka_unit_test(test_bloom_filter),
		cmocka_unit_test(test_element_flags),
	};

	return cmocka_run_group_tests_name("rpc attributes", tests, NULL, NULL);
}
