/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with descriptors of their own, and threads whose process's first thread has exited: calls
 * act on the descriptors of the thread, or are refused where the kernel cannot reach them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "tests/unit/live_test.h"
#include "tests/unit/log_capture.h"

#define MAP	     40
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#define WAIT_MS	     2000

static bool is_supported; /* the kernel gives access to the descriptors of each thread */
static int ring, set;	  /* descriptors of the tool */

/* Makes a ring buffer that has a record. */
static void make_ring(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096};

	ring = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, 72);
	MUST(ring >= 0);
	MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0) != MAP_FAILED);
}

static bool has_event(void)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, 0) == 1;
}

/* Adds the ring to this thread's set, and polls it together with one end of a pipe. */
static void use_ring(bool is_reached)
{
	struct pollfd polled[2] = {{.events = POLLIN}, {.events = POLLIN}};
	struct epoll_event event = {.events = EPOLLIN};
	int ends[2], n;

	n = epoll_ctl(set, EPOLL_CTL_ADD, ring, &event);
	MUST(is_reached ? n == 0 : n == -1 && errno == EOPNOTSUPP);
	MUST(has_event() == is_reached);
	MUST(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	polled[0].fd = ends[0];
	polled[1].fd = ring;
	n = poll(polled, 2, WAIT_MS);
	MUST(is_reached ? n == 2 && polled[0].revents == POLLIN && polled[1].revents == POLLIN
			: n == -1 && errno == EOPNOTSUPP);
}

static sem_t ready, go;

/* In the two tables of descriptors the same number means two sets. */
static void *be_thread_with_own_table(void *arg)
{
	MUST(unshare(CLONE_FILES) == 0);
	set = epoll_create1(EPOLL_CLOEXEC);
	sem_post(&ready);
	sem_wait(&go);
	use_ring(is_supported);
	return NULL;
}

static void tool_own_table(void)
{
	pthread_t thread;

	make_ring();
	sem_init(&ready, 0, 0);
	sem_init(&go, 0, 0);
	MUST(pthread_create(&thread, NULL, be_thread_with_own_table, NULL) == 0);
	sem_wait(&ready);
	MUST(epoll_create1(EPOLL_CLOEXEC) == set);
	sem_post(&go);
	MUST(pthread_join(thread, NULL) == 0);
	MUST(!has_event());
}

static void *be_thread_that_stays(void *arg)
{
	char state = 0, path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	while (state != 'Z') {
		file = fopen(path, "re");
		MUST(file && fgets(line, sizeof(line), file));
		fclose(file);
		state = strrchr(line, ')')[2];
		sched_yield();
	}
	use_ring(is_supported);
	exit(0);
}

static void tool_first_thread_exits(void)
{
	pthread_t thread;

	make_ring();
	set = epoll_create1(EPOLL_CLOEXEC);
	MUST(pthread_create(&thread, NULL, be_thread_that_stays, NULL) == 0);
	syscall(SYS_exit, 0);
}

static void *be_thread(void *arg)
{
	use_ring(true);
	return NULL;
}

static void tool_shared_table(void)
{
	pthread_t thread;

	make_ring();
	set = epoll_create1(EPOLL_CLOEXEC);
	MUST(pthread_create(&thread, NULL, be_thread, NULL) == 0);
	MUST(pthread_join(thread, NULL) == 0);
}

/* Runs the tool. The board makes a ring buffer and sends one record. Returns the log. */
static const char *run(void (*tool)(void))
{
	static const uint32_t record[4] = {8};
	struct board *board = live_start();
	struct bytes_out *out = board_reply(board, RPC_BPF, MAP);
	const char *log;
	int status;

	rpc_put_bytes(out, NULL, 72);
	bytes_put_u32(out, BPF_ABI_MAP);
	bytes_put_u32(out, BPF_MAP_TYPE_RINGBUF);
	bytes_put_u32(out, 0);
	bytes_put_u32(out, 0);
	bytes_put_u32(out, 4096);
	bytes_put_u32(out, 0);
	board_ready(board);
	board_push(board, MAP, 0, record, sizeof(record));
	board_reply_ret(board, RPC_RING_OPEN, 0);
	log_begin();
	status = run_tool(board, tool);
	log = log_end();
	assert_int_equal(status, 0);
	live_stop(board);
	return log;
}

static void check_log(const char *log, bool is_refused)
{
	if (is_refused)
		assert_non_null(strstr(log, "not supported: a thread with descriptors of its own"));
	else
		assert_string_equal(log, "");
}

static void test_own_table(void **state)
{
	check_log(run(tool_own_table), !is_supported);
}

static void test_first_thread_exits(void **state)
{
	check_log(run(tool_first_thread_exits), !is_supported);
}

static void test_shared_table(void **state)
{
	check_log(run(tool_shared_table), false);
}

/* The rest of the tests run as on a kernel before 6.9. */
static void test_older_kernel(void **state)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	assert_non_null(filter);
	assert_int_equal(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), __NR_pidfd_open, 1,
				 SCMP_A1_32(SCMP_CMP_MASKED_EQ, PIDFD_THREAD, PIDFD_THREAD)),
		0);
	assert_int_equal(seccomp_load(filter), 0);
	seccomp_release(filter);
	is_supported = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_table),
		cmocka_unit_test(test_first_thread_exits),
		cmocka_unit_test(test_shared_table),
		cmocka_unit_test(test_older_kernel),
		cmocka_unit_test(test_own_table),
		cmocka_unit_test(test_first_thread_exits),
		cmocka_unit_test(test_shared_table),
	};
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), PIDFD_THREAD);

	is_supported = pidfd >= 0;
	close(pidfd);
	return live_run(tests);
}
