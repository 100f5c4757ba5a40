/* SPDX-License-Identifier: Apache-2.0 */
/* Perf events of tools: whose events they may count, and requests for open events. */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "tests/unit/run_test.h"

#define EVENT 100 /* handles */
#define OTHER 101

static struct board *board;
static struct object *event;

static int setup(void **state)
{
	board = board_start(NULL);
	event = board_object(board, BPF_ABI_EVENT, EVENT);
	return 0;
}

static int teardown(void **state)
{
	board_stop(board);
	return 0;
}

static int64_t request(unsigned long number, uint64_t arg)
{
	const uint64_t args[6] = {(uint64_t)event->fd, number, arg};
	const struct call call = board_call(board, SYS_ioctl, args);

	return sys_perf_ioctl(&call);
}

/* Checks the next request to the board, and returns its data. */
static const void *expect(unsigned long number, uint64_t arg, size_t *size)
{
	struct bytes_in in = board_asked(board, RPC_PERF_IOCTL);
	const void *data;

	assert_int_equal(bytes_get_u32(&in), EVENT);
	assert_int_equal(bytes_get_u32(&in), (uint32_t)number);
	assert_int_equal(bytes_get_u64(&in), arg);
	data = rpc_get_bytes(&in, size);
	assert_true(bytes_get_end(&in));
	return data;
}

/* Process 0 of the board would be bpfd, so what enables such an event is refused. */
static void test_own_event(void **state)
{
	size_t size;

	board_reply_ret(board, RPC_PERF_IOCTL, 0);
	assert_int_equal(request(PERF_EVENT_IOC_ENABLE, 0), 0);
	expect(PERF_EVENT_IOC_ENABLE, 0, &size);
	event->of_tool = true;
	assert_int_equal(request(PERF_EVENT_IOC_ENABLE, 0), -EOPNOTSUPP);
	assert_int_equal(request(PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP), -EOPNOTSUPP);
	assert_int_equal(request(PERF_EVENT_IOC_REFRESH, 1), -EOPNOTSUPP);
	assert_int_equal(board_unseen(board), 0);
	board_reply_ret(board, RPC_PERF_IOCTL, 0);
	assert_int_equal(request(PERF_EVENT_IOC_DISABLE, 0), 0);
	expect(PERF_EVENT_IOC_DISABLE, 0, &size);
}

/* Only -1 takes the ring away from an event. */
static void test_output(void **state)
{
	struct object *other = board_object(board, BPF_ABI_EVENT, OTHER),
		      *map = board_object(board, BPF_ABI_MAP, 102);
	int local = open("/dev/null", O_RDONLY);
	size_t size;

	other->format.sample_type = PERF_SAMPLE_RAW;
	board_reply_ret(board, RPC_PERF_IOCTL, 0);
	assert_int_equal(request(PERF_EVENT_IOC_SET_OUTPUT, (uint64_t)other->fd), 0);
	expect(PERF_EVENT_IOC_SET_OUTPUT, OTHER, &size);
	assert_true(other->format.mixed);
	board_reply_ret(board, RPC_PERF_IOCTL, 0);
	assert_int_equal(request(PERF_EVENT_IOC_SET_OUTPUT, UINT64_MAX), 0);
	expect(PERF_EVENT_IOC_SET_OUTPUT, UINT64_MAX, &size);
	assert_int_equal(request(PERF_EVENT_IOC_SET_OUTPUT, (uint64_t)map->fd), -EBADF);
	assert_int_equal(request(PERF_EVENT_IOC_SET_OUTPUT, (uint64_t)local), -EBADF);
	close(local);
	assert_int_equal(request(PERF_EVENT_IOC_SET_OUTPUT, (uint64_t)local), -EBADF);
	assert_int_equal(board_unseen(board), 0);
}

static void test_program(void **state)
{
	struct object *program = board_object(board, BPF_ABI_PROG, 55);
	size_t size;

	board_reply_ret(board, RPC_PERF_IOCTL, -EEXIST);
	assert_int_equal(request(PERF_EVENT_IOC_SET_BPF, (uint64_t)program->fd), -EEXIST);
	expect(PERF_EVENT_IOC_SET_BPF, 55, &size);
	assert_int_equal(request(PERF_EVENT_IOC_SET_BPF, (uint64_t)event->fd), -EBADF);
	assert_int_equal(board_unseen(board), 0);
}

static void test_data(void **state)
{
	uint64_t value = 1234;
	struct {
		uint32_t room, count, ids[4];
	} query = {.room = 4};
	size_t size;

	board_reply_ret(board, RPC_PERF_IOCTL, 0);
	assert_int_equal(request(PERF_EVENT_IOC_PERIOD, user(&value)), 0);
	assert_memory_equal(expect(PERF_EVENT_IOC_PERIOD, user(&value), &size), &value, 8);
	rpc_put_bytes(board_reply(board, RPC_PERF_IOCTL, 0), "\5\0\0\0\0\0\0", 8);
	board_ready(board);
	assert_int_equal(request(PERF_EVENT_IOC_ID, user(&value)), 0);
	assert_int_equal(value, 5);
	rpc_put_bytes(board_reply(board, RPC_PERF_IOCTL, 0), "123456789", 9); /* too much */
	board_ready(board);
	assert_int_equal(request(PERF_EVENT_IOC_ID, user(&value)), -EIO);
	assert_int_equal(value, 5);
	query.room = 100000;
	assert_int_equal(request(PERF_EVENT_IOC_QUERY_BPF, user(&query)), -E2BIG);
	query.room = 4;
	rpc_put_bytes(board_reply(board, RPC_PERF_IOCTL, 0), "\4\0\0\0\1\0\0\0\7\0\0\0", 12);
	board_ready(board);
	assert_int_equal(request(PERF_EVENT_IOC_QUERY_BPF, user(&query)), 0);
	assert_int_equal(query.count, 1);
	assert_int_equal(query.ids[0], 7);
	board_reply_ret(board, RPC_PERF_IOCTL, 0);
	assert_int_equal(request(PERF_EVENT_IOC_SET_FILTER, user("pid > 1")), 0);
	assert_int_equal(request(PERF_EVENT_IOC_MODIFY_ATTRIBUTES, user(&value)), -ENOTTY);
	assert_int_equal(request(PERF_EVENT_IOC_PERIOD, 0), -EFAULT);
}

static int64_t open_event(struct perf_event_attr *attr, int pid, int group, uint64_t flags)
{
	const uint64_t args[6] = {user(attr), (uint64_t)pid, UINT64_MAX, (uint64_t)group, flags};
	const struct call call = board_call(board, SYS_perf_event_open, args);

	return sys_perf_event_open(&call);
}

/* Events of processes that the board does not have, and malformed ones, do not reach the board. */
static void test_refused_events(void **state)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};
	struct object *map = board_object(board, BPF_ABI_MAP, 102);

	assert_int_equal(open_event(&attr, 0, -1, 0), -ESRCH); /* enabled */
	attr.disabled = attr.enable_on_exec = 1;
	assert_int_equal(open_event(&attr, 0, -1, 0), -ESRCH);
	attr.enable_on_exec = 0;
	assert_int_equal(open_event(&attr, 0, -1, PERF_FLAG_PID_CGROUP), -EOPNOTSUPP);
	assert_int_equal(open_event(&attr, -1, map->fd, 0), -EBADF);
	attr.size = PERF_ATTR_SIZE_VER0 - 1;
	assert_int_equal(open_event(&attr, -1, -1, 0), -E2BIG);
	attr.size = 1 << 20;
	assert_int_equal(open_event(&attr, -1, -1, 0), -E2BIG);
	assert_int_equal(open_event(NULL, -1, -1, 0), -EFAULT);
	assert_int_equal(board_unseen(board), 0);
}

/* With FD_OUTPUT the records go to the ring of the other event. */
static void test_output_of_new_event(void **state)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .sample_type = PERF_SAMPLE_RAW};

	for (uint64_t flags = 0; flags <= PERF_FLAG_FD_OUTPUT; flags += PERF_FLAG_FD_OUTPUT) {
		board_reply_ret(board, RPC_PERF_OPEN, OTHER);
		open_event(&attr, -1, event->fd, flags); /* nobody takes the descriptor */
		assert_int_equal(event->format.mixed, flags != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_program, setup, teardown),
		cmocka_unit_test_setup_teardown(test_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output_of_new_event, setup, teardown),
	};

	return cmocka_run_group_tests_name("run_perf", tests, NULL, NULL);
}
