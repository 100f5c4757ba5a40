/* SPDX-License-Identifier: Apache-2.0 */
/* A read-only session holds no link of another session, which would keep its program attached. */
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
} kernel;

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
	struct bpf_link_info info = {.type = BPF_LINK_TYPE_TRACING, .id = ID};
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
	if (attr->info.info_len > sizeof(info))
		attr->info.info_len = sizeof(info);
	memcpy((void *)(uintptr_t)attr->info.info, &info, attr->info.info_len);
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

static void put_info(struct rpc_session *s)
{
	static const char empty[16];
	size_t start = request(s, RPC_INFO);

	bytes_put_u32(&s->input, HANDLE);
	rpc_put_bytes(&s->input, empty, sizeof(empty));
	bytes_put_u8(&s->input, 0);
	request_end(s, start);
}

static void expect_info(struct rpc_session *s)
{
	const void *info;
	size_t size;

	assert_int_equal(next_reply(s), 0);
	info = rpc_get_bytes(&s->in, &size);
	assert_int_equal(bpf_abi_get32(info, size, offsetof(struct bpf_link_info, id)), ID);
}

static void begin(struct rpc_session *s, bool read_only)
{
	memset(&kernel, 0, sizeof(kernel));
	session_begin(s);
	s->config.read_only = read_only;
	put_open(s);
	put_info(s);
	put_open(s);
	put_info(s);
}

static void test_sessions(void **state)
{
	for (int read_only = 0; read_only < 2; read_only++) {
		struct rpc_session s;

		begin(&s, read_only);
		session_run(&s, 0);
		assert_int_equal(next_reply(&s), HANDLE);
		expect_info(&s);
		assert_int_equal(next_reply(&s), HANDLE + 1);
		expect_info(&s);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
