/* SPDX-License-Identifier: Apache-2.0 */
/* Infos of links. A read-only session holds no link of another session, which would keep its
 * program attached. */
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

#define ID     77
#define HANDLE 3
#define FD     100 /* the first descriptor of a link */

/* A kernel with one link. */
static struct {
	unsigned int opened;
	bool was_held; /* when it was opened again */
	bool is_gone;
	uint32_t type;
} kernel;

/* Fills in the info of a link to two functions, or of a perf event that is a number. */
static void fill(void *info, size_t size)
{
	uint64_t *addresses;

	bpf_abi_set32(info, size, 0, kernel.type);
	bpf_abi_set32(info, size, offsetof(struct bpf_link_info, id), ID);
	if (kernel.type == BPF_LINK_TYPE_PERF_EVENT) {
		bpf_abi_set32(info, size, 16, 6);
		bpf_abi_set64(info, size, 24, 5);
		return;
	}
	addresses = (uint64_t *)(uintptr_t)bpf_abi_get64(info, size, 16);
	if (kernel.type != BPF_LINK_TYPE_KPROBE_MULTI || !addresses)
		return;
	for (uint64_t i = 0; i < bpf_abi_get32(info, size, 24); i++)
		addresses[i] = 0x1000 + i;
}

static long open_link(const union bpf_attr *attr)
{
	kernel.was_held |= fcntl(FD, F_GETFD) >= 0;
	errno = ENOENT;
	if (attr->link_id != ID || (kernel.opened && kernel.is_gone))
		return -1;
	kernel.opened++;
	return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FD);
}

long syscall(long number, ...)
{
	union bpf_attr *attr;
	uint32_t command;
	va_list ap;

	va_start(ap, number);
	command = va_arg(ap, unsigned int);
	attr = va_arg(ap, union bpf_attr *);
	va_end(ap);
	errno = EINVAL;
	if (number == SYS_bpf && command == BPF_LINK_GET_FD_BY_ID)
		return open_link(attr);
	if (number != SYS_bpf || command != BPF_OBJ_GET_INFO_BY_FD)
		return -1;
	errno = EBADF;
	if (fcntl((int)attr->info.bpf_fd, F_GETFD) < 0)
		return -1;
	fill((void *)(uintptr_t)attr->info.info, attr->info.info_len);
	return 0;
}

static void put_open(struct rpc_session *s)
{
	const union bpf_attr attr = {.link_id = ID};
	size_t start = request(s, RPC_BPF);

	bytes_put_u32(&s->input, BPF_LINK_GET_FD_BY_ID);
	rpc_put_bytes(&s->input, &attr, 12);
	request_end(s, start);
}

/* Asks for the info, with the addresses of a number of functions, or without any. */
static void put_info(struct rpc_session *s, uint32_t functions)
{
	char info[48] = "";
	size_t start = request(s, RPC_INFO);

	bpf_abi_set32(info, sizeof(info), 24, functions);
	bytes_put_u32(&s->input, HANDLE);
	rpc_put_bytes(&s->input, info, sizeof(info));
	bytes_put_u8(&s->input, functions > 0);
	if (functions) {
		bytes_put_u16(&s->input, 16);
		bytes_put_u32(&s->input, functions * 8);
	}
	request_end(s, start);
}

/* Returns the info, which has `size` bytes. */
static const char *expect_info(struct rpc_session *s, size_t *size)
{
	const void *info;

	assert_int_equal(next_reply(s), 0);
	info = rpc_get_bytes(&s->in, size);
	assert_int_equal(bpf_abi_get32(info, *size, offsetof(struct bpf_link_info, id)), ID);
	return info;
}

static void begin(struct rpc_session *s, bool read_only)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.type = BPF_LINK_TYPE_TRACING;
	session_begin(s);
	s->config.read_only = read_only;
	put_open(s);
	put_info(s, 0);
	put_open(s);
	put_info(s, 0);
}

static void test_sessions(void **state)
{
	for (int read_only = 0; read_only < 2; read_only++) {
		struct rpc_session s;
		size_t size;

		begin(&s, read_only);
		session_run(&s, 0);
		assert_int_equal(next_reply(&s), HANDLE);
		expect_info(&s, &size);
		assert_int_equal(next_reply(&s), HANDLE + 1);
		expect_info(&s, &size);
		assert_int_equal(kernel.was_held, !read_only);
		assert_int_equal(kernel.opened, read_only ? 4 : 2);
		assert_int_equal(fcntl(FD, F_GETFD), -1); /* nothing is left open */
		session_end(&s);
	}
}

/* After the owner of the link is gone, so is the link. */
static void test_gone(void **state)
{
	struct rpc_session s;

	begin(&s, true);
	kernel.is_gone = true;
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), HANDLE);
	assert_int_equal(next_reply(&s), -ENOENT);
	session_end(&s);
}

/* Opens a link of this type, asks for its info with that many functions, and returns the info. */
static const char *info_of(struct rpc_session *s, uint32_t type, uint32_t functions, size_t *size)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.type = type;
	session_begin(s);
	put_open(s);
	put_info(s, functions);
	session_run(s, 0);
	assert_int_equal(next_reply(s), HANDLE);
	return expect_info(s, size);
}

/* The addresses of functions are a list; the pointer to it does not leave the board. */
static void test_functions(void **state)
{
	const uint64_t wanted[] = {0x1000, 0x1001};
	struct rpc_session s;
	const char *info;
	size_t size;

	info = info_of(&s, BPF_LINK_TYPE_KPROBE_MULTI, 2, &size);
	assert_int_equal(bpf_abi_get64(info, size, 16), 0);
	info = rpc_get_bytes(&s.in, &size);
	assert_int_equal(size, sizeof(wanted));
	assert_memory_equal(info, wanted, size);
	session_end(&s);
}

/* What is a pointer in the info of other perf events is a number here. */
static void test_plain_event(void **state)
{
	struct rpc_session s;
	const char *info;
	size_t size;

	info = info_of(&s, BPF_LINK_TYPE_PERF_EVENT, 0, &size);
	assert_int_equal(bpf_abi_get64(info, size, 24), 5);
	session_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_plain_event),
	};

	return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
