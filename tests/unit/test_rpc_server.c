/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the binary protocol with invalid input.
 *
 * Messages, requests, handles and paths that are invalid or not allowed; requests of all kinds, cut
 * at each byte and changed at random. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/messages/bpf_abi.h"
#include "tests/unit/rpc_test.h"
#include "tests/unit/skip.h"

#define NO_SUCH 1000 /* a handle that the session does not have */

static void put_hello(struct rpc_session *s)
{
	size_t start = request(s, RPC_HELLO);

	bytes_put_u16(&s->input, RPC_MAJOR);
	bytes_put_u16(&s->input, RPC_MINOR);
	request_end(s, start);
}

static void test_hello(void **state)
{
	struct rpc_session s;
	struct rpc_hello hello;
	size_t start;

	need_possible_cpus();
	session_begin(&s);
	put_hello(&s);
	start = request(&s, RPC_HELLO);
	bytes_put_u16(&s.input, RPC_MAJOR + 1);
	bytes_put_u16(&s.input, 0);
	request_end(&s, start);
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), 0);
	rpc_get_hello(&s.in, &hello);
	assert_true(bytes_get_end(&s.in));
	assert_int_equal(hello.major, RPC_MAJOR);
	assert_int_equal(hello.page_size, sysconf(_SC_PAGESIZE));
	assert_string_equal(hello.program, BPFD_USB_VERSION);
	assert_true(hello.monotonic_ns > 0);
	assert_int_equal(next_reply(&s), -EPROTONOSUPPORT);
	rpc_get_hello(&s.in, &hello);
	assert_true(bytes_get_end(&s.in)); /* the description follows nevertheless */
	assert_false(s.replies.size);
	session_end(&s);
}

/* Other versions than 1 are refused, and the session continues with text commands. */
static void test_other_version(void **state)
{
	static const char input[] = "BPFD_RPC 2\nBPFD_RPC 0\nexit\n";
	static const char refused[] = "START_BPFD_OUTPUT\nbpfd_rpc: ret=-93\nEND_BPFD_OUTPUT\n";
	int in = memory_file(input, strlen(input)), out = memory_file("", 0);
	struct bpfd_config config;
	char text[1000] = "", wanted[1000];
	struct bpfd *bpfd;

	bpfd_config_init(&config);
	config.paths.tracefs = config.paths.sysfs = "/nonexistent";
	assert_int_equal(bpfd_open(&bpfd, &config, in, out), 0);
	assert_int_equal(bpfd_serve(bpfd), 0);
	bpfd_close(bpfd);
	assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
	snprintf(wanted, sizeof(wanted), "STARTED_BPFD\n%s%s", refused, refused);
	assert_string_equal(text, wanted);
	close(in);
	close(out);
}

/* An invalid header ends the session, after the requests before it are answered. */
static void test_violations(void **state)
{
	static const struct rpc_header headers[] = {
		{RPC_MESSAGE_MAX + 1, 1, RPC_HELLO, 0}, {UINT32_MAX, 1, RPC_HELLO, 0},
		{4, 1, RPC_HELLO, RPC_FLAG_REPLY}, {4, 1, RPC_HELLO, 0x8000},
		{5, 1, RPC_HELLO, 0},		    /* the input ends within the message */
		{RPC_MESSAGE_MAX, 1, RPC_HELLO, 0}, /* the same, without 32 MiB of memory */
	};
	struct rpc_session s;

	need_possible_cpus();
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		session_begin(&s);
		put_hello(&s);
		rpc_header_put(bytes_put_room(&s.input, RPC_HEADER_SIZE), &headers[i]);
		bytes_put_u32(&s.input, 1);
		session_run(&s, -EPROTO);
		assert_int_equal(next_reply(&s), 0);
		assert_false(s.replies.size);
		session_end(&s);
	}
	session_begin(&s);
	bytes_put_u8(&s.input, 0); /* less than a header */
	session_run(&s, -EPROTO);
	session_end(&s);
}

static void test_unknown(void **state)
{
	static const unsigned int ops[] = {0, RPC_RING_DATA, RPC_RING_SYNC + 1, 0x7fff, 0xffff};
	struct rpc_session s;

	need_possible_cpus();
	session_begin(&s);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t start = request(&s, ops[i]);

		rpc_put_string(&s.input, "whatever");
		request_end(&s, start);
	}
	put_hello(&s);
	session_run(&s, 0);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		assert_int_equal(next_reply(&s), -ENOSYS);
		assert_true(bytes_get_end(&s.in));
	}
	assert_int_equal(next_reply(&s), 0);
	session_end(&s);
}

/* Requests a call of bpf(2) whose pointers are all NULL. */
static void put_bpf(struct rpc_session *s, uint32_t cmd, const void *attr, size_t size)
{
	const struct bpf_abi_command *command = bpf_abi_find(cmd);
	size_t start = request(s, RPC_BPF);

	bytes_put_u32(&s->input, cmd);
	rpc_put_bytes(&s->input, attr, size);
	for (int i = 0; command && command->ptrs[i].size; i++) {
		bytes_put_u8(&s->input, 0);
		bytes_put_u32(&s->input, 0);
		rpc_put_bytes(&s->input, NULL, 0);
	}
	request_end(s, start);
}

/* Writes a well-formed request of an operation, for a handle or a path that the client may not use.
 */
static void put_each(struct rpc_session *s, unsigned int op)
{
	static const uint8_t zeroes[PERF_ATTR_SIZE_VER0];
	const union bpf_attr attr = {.map_fd = NO_SUCH};
	struct bytes_out *out = &s->input;
	size_t start;

	if (op == RPC_BPF) {
		put_bpf(s, BPF_MAP_LOOKUP_ELEM, &attr, 32);
		return;
	}
	start = request(s, op);
	switch (op) {
	case RPC_HELLO:
		bytes_put_u32(out, RPC_MAJOR);
		break;
	case RPC_INFO:
		bytes_put_u32(out, NO_SUCH);
		rpc_put_bytes(out, zeroes, 40);
		bytes_put_u8(out, 1);
		bytes_put_u16(out, 8);
		bytes_put_u32(out, 4);
		break;
	case RPC_CLOSE:
		bytes_put_u32(out, NO_SUCH);
		break;
	case RPC_MAP_WALK:
		bytes_put_u32(out, NO_SUCH);
		bytes_put_u8(out, 1);
		rpc_put_bytes(out, zeroes, 4);
		bytes_put_u32(out, 1000);
		break;
	case RPC_MAP_SYNC:
		bytes_put_u32(out, NO_SUCH);
		bytes_put_u8(out, 0);
		bytes_put_u32(out, 1);
		bytes_put_u32(out, 8);
		bytes_put_u64(out, 1);
		break;
	case RPC_PERF_OPEN:
		rpc_put_bytes(out, zeroes, sizeof(zeroes));
		bytes_put_u32(out, 0);
		bytes_put_u32(out, 0);
		bytes_put_u32(out, NO_SUCH);
		bytes_put_u64(out, 0);
		bytes_put_u8(out, 1);
		rpc_put_string(out, "function");
		break;
	case RPC_PERF_IOCTL:
		bytes_put_u32(out, NO_SUCH);
		bytes_put_u32(out, PERF_EVENT_IOC_ENABLE);
		bytes_put_u64(out, 0);
		rpc_put_bytes(out, zeroes, 8);
		break;
	case RPC_RING_OPEN:
		bytes_put_u32(out, NO_SUCH);
		bytes_put_u64(out, 4096);
		bytes_put_u64(out, 4096);
		break;
	case RPC_RING_SYNC:
		bytes_put_u32(out, NO_SUCH);
		break;
	case RPC_RING_CREDIT:
		bytes_put_u32(out, NO_SUCH);
		bytes_put_u64(out, 4096);
		break;
	case RPC_FILE_STAT:
	case RPC_FILE_ACCESS:
	case RPC_FILE_REMOVE:
	case RPC_FILE_MKDIR:
		rpc_put_string(out, "/etc/shadow");
		bytes_put_u32(out, 0);
		break;
	case RPC_FILE_RENAME:
		rpc_put_string(out, "/etc/shadow");
		rpc_put_string(out, "/etc/shadow-");
		bytes_put_u32(out, 0);
		break;
	case RPC_FILE_LINK:
	case RPC_FILE_LIST:
	case RPC_FILE_HASH:
		rpc_put_string(out, "/etc/shadow");
		break;
	case RPC_FILE_READ:
	case RPC_FILE_FOLLOW:
		rpc_put_string(out, "/etc/shadow");
		bytes_put_u64(out, 10);
		break;
	case RPC_FILE_WRITE:
		rpc_put_string(out, "/etc/shadow");
		bytes_put_u32(out, RPC_APPEND);
		rpc_put_bytes(out, "data", 4);
		break;
	}
	request_end(s, start);
}

static bool is_silent(unsigned int op)
{
	return op == RPC_CLOSE || op == RPC_RING_CREDIT;
}

static int wanted(unsigned int op)
{
	if (op == RPC_HELLO)
		return 0;
	/* Where code may be read, other files do not exist. */
	if (op == RPC_FILE_STAT || op == RPC_FILE_ACCESS || op == RPC_FILE_READ ||
		op == RPC_FILE_HASH)
		return -ENOENT;
	return op >= RPC_FILE_STAT && op != RPC_RING_SYNC ? -EACCES : -EBADF;
}

static void test_not_owned(void **state)
{
	struct rpc_session s;

	need_possible_cpus();
	session_begin(&s);
	for (unsigned int op = RPC_HELLO; op <= RPC_RING_SYNC; op++)
		if (op != RPC_RING_DATA && op != RPC_BTF_LIST)
			put_each(&s, op);
	session_run(&s, 0);
	for (unsigned int op = RPC_HELLO; op <= RPC_RING_SYNC; op++) {
		if (op == RPC_RING_DATA || op == RPC_BTF_LIST || is_silent(op))
			continue;
		assert_int_equal(next_reply(&s), wanted(op));
	}
	assert_false(s.replies.size);
	session_end(&s);
}

/* Each request, cut at each byte and with one byte more, gets an error and nothing else. */
static void test_cut(void **state)
{
	struct rpc_session s, whole;
	unsigned int count, answered;

	need_possible_cpus();
	for (unsigned int op = RPC_HELLO; op <= RPC_RING_SYNC; op++) {
		if (op == RPC_RING_DATA)
			continue;
		session_begin(&whole);
		put_each(&whole, op);
		session_begin(&s);

		const uint8_t *payload = whole.input.data + strlen(RPC_COMMAND) + RPC_HEADER_SIZE;
		size_t size = whole.input.size - strlen(RPC_COMMAND) - RPC_HEADER_SIZE;

		for (size_t cut = 0; cut < size; cut++) {
			size_t start = request(&s, op);

			memcpy(bytes_put_room(&s.input, cut), payload, cut);
			request_end(&s, start);
		}
		put_each(&s, op);
		s.input.data[s.input.size - size - RPC_HEADER_SIZE]++; /* its length */
		bytes_put_u8(&s.input, 0);
		put_hello(&s);
		session_run(&s, 0);
		count = is_silent(op) ? 0 : (unsigned int)size + 1;
		for (answered = 0; answered < count; answered++)
			assert_int_equal(next_reply(&s), -EBADMSG);
		assert_int_equal(next_reply(&s), 0); /* HELLO */
		assert_false(s.replies.size);
		session_end(&s);
		session_end(&whole);
	}
}

/* Descriptors of the process, and other numbers, are not handles. */
static void test_descriptors(void **state)
{
	static const uint32_t numbers[] = {
		0, 1, 2, 3, 4, 5, 100, 0x7fffffff, 0x80000000, UINT32_MAX};
	size_t count = sizeof(numbers) / sizeof(numbers[0]);
	struct rpc_session s;

	session_begin(&s);
	for (size_t i = 0; i < count; i++) {
		const union bpf_attr attr = {.map_fd = numbers[i]};
		size_t start = request(&s, RPC_RING_OPEN);

		bytes_put_u32(&s.input, numbers[i]);
		bytes_put_u64(&s.input, 4096);
		bytes_put_u64(&s.input, 0);
		request_end(&s, start);
		start = request(&s, RPC_CLOSE);
		bytes_put_u32(&s.input, numbers[i]);
		request_end(&s, start);
		put_bpf(&s, BPF_MAP_DELETE_ELEM, &attr, 32);
	}
	session_run(&s, 0);
	for (size_t i = 0; i < 2 * count; i++)
		assert_int_equal(next_reply(&s), -EBADF);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD) < 0, 0);
	session_end(&s);
}

/* Attributes with unknown fields, and commands that the protocol does not carry. */
static void test_bpf_refused(void **state)
{
	static const uint32_t cmds[] = {BPF_PROG_ATTACH, BPF_ITER_CREATE, BPF_OBJ_GET_INFO_BY_FD};
	uint8_t attr[BPF_ABI_ATTR_MAX + 1] = {0};
	const uint64_t fd_array = 1;
	const uint32_t iterator = 28;
	struct rpc_session s;

	session_begin(&s);
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		put_bpf(&s, cmds[i], attr, 32);
	put_bpf(&s, 12345, attr, 32);
	put_bpf(&s, BPF_MAP_CREATE, attr, sizeof(attr));
	attr[BPF_ABI_ATTR_MAX - 1] = 1;
	put_bpf(&s, BPF_MAP_CREATE, attr, BPF_ABI_ATTR_MAX);
	attr[BPF_ABI_ATTR_MAX - 1] = 0;
	memcpy(attr + offsetof(union bpf_attr, fd_array), &fd_array, sizeof(fd_array));
	put_bpf(&s, BPF_PROG_LOAD, attr, 144);
	memset(attr, 0, sizeof(attr));
	memcpy(attr + offsetof(union bpf_attr, link_create.attach_type), &iterator, 4);
	put_bpf(&s, BPF_LINK_CREATE, attr, 32);
	session_run(&s, 0);
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		assert_int_equal(next_reply(&s), -EOPNOTSUPP);
	assert_int_equal(next_reply(&s), -EINVAL);
	assert_int_equal(next_reply(&s), -E2BIG);
	assert_int_equal(next_reply(&s), -E2BIG);
	assert_int_equal(next_reply(&s), -EINVAL);
	assert_int_equal(next_reply(&s), -EOPNOTSUPP);
	session_end(&s);
}

/* A map beyond the session's memory is refused without a call to the kernel. */
static void test_budget(void **state)
{
	const union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1 << 20};
	struct rpc_session s;

	session_begin(&s);
	s.config.limits.memory = 1 << 20;
	put_bpf(&s, BPF_MAP_CREATE, &attr, 20);
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), -ENOMEM);
	session_end(&s);
}

static uint32_t random_number(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Requests with some bytes changed: the session ends normally in any case. */
static void test_random(void **state)
{
	uint32_t seed = 2463534242;
	struct rpc_session s;

	for (int round = 0; round < 300; round++) {
		session_begin(&s);
		s.config.limits.memory = 16 << 20;
		for (int i = 0; i < 40; i++) {
			unsigned int op = 1 + random_number(&seed) % RPC_RING_SYNC;
			size_t start = s.input.size, size;

			if (op == RPC_RING_DATA)
				continue;
			put_each(&s, op);
			size = s.input.size - start - RPC_HEADER_SIZE;
			for (uint32_t n = size ? random_number(&seed) % 4 : 0; n; n--)
				s.input.data[start + RPC_HEADER_SIZE +
					     random_number(&seed) % size] =
					(uint8_t)random_number(&seed);
		}
		put_hello(&s);
		session_run(&s, 0);
		session_end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_not_owned),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_bpf_refused),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("rpc server", tests, NULL, NULL);
}
