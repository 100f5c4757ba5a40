/* SPDX-License-Identifier: Apache-2.0 */
/* Runs processes under the real filter; the real supervisor answers their system calls. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/wait.h"
#include "host-usb/run/processes.h"
#include "tests/unit/live_test.h"

#define MAP 40

static int bpf(uint32_t command, union bpf_attr *attr, uint32_t size)
{
	return (int)syscall(SYS_bpf, command, attr, size);
}

static int create_map(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096};

	return bpf(BPF_MAP_CREATE, &attr, 72);
}

static void reply_map(struct board *board)
{
	struct bytes_out *out = board_reply(board, RPC_BPF, MAP);

	rpc_put_bytes(out, NULL, 72);
	bytes_put_u32(out, BPF_ABI_MAP);
	bytes_put_u32(out, BPF_MAP_TYPE_RINGBUF);
	bytes_put_u32(out, 0);
	bytes_put_u32(out, 0);
	bytes_put_u32(out, 4096);
	bytes_put_u32(out, 0);
	board_ready(board);
}

static void tool_uname(void)
{
	struct utsname uts;

	MUST(uname(&uts) == 0);
	MUST(strcmp(uts.release, "5.10.0-board") == 0);
	MUST(strcmp(uts.machine, "aarch64") == 0);
	MUST(create_map() == -1 && errno == EPERM);
	MUST(access("/etc/passwd", R_OK) == 0);
	MUST(access("/sys/kernel/btf/vmlinux", R_OK) == -1 && errno == ENOENT);
}

static void test_uname_and_errors(void **state)
{
	struct board *board = live_start();

	board_reply_ret(board, RPC_BPF, -EPERM);
	board_reply_ret(board, RPC_FILE_ACCESS, -ENOENT);
	assert_int_equal(run_tool(board, tool_uname), 0);
	live_stop(board);
}

/* A tool that opened, read or polled files with io_uring would get the workstation's. */
static void tool_io_uring(void)
{
	char params[256] = "";

	MUST(syscall(SYS_io_uring_setup, 8, params) == -1 && errno == ENOSYS);
	MUST(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) == -1 && errno == ENOSYS);
	MUST(syscall(SYS_io_uring_register, -1, 0, NULL, 0) == -1 && errno == ENOSYS);
}

static void test_io_uring(void **state)
{
	struct board *board = live_start();

	assert_int_equal(run_tool(board, tool_io_uring), 0);
	live_stop(board);
}

/* A duplicate and a child's copy refer to the map; dup2(2) over the last one closes it. */
static void tool_descriptors(void)
{
	int fd = create_map(), copy, status;
	pid_t child;

	MUST(fd > 2 && fd < 900);
	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	copy = dup(fd);
	close(fd);
	child = fork();
	if (child == 0) {
		union bpf_attr attr = {.map_fd = (uint32_t)copy};

		MUST(bpf(BPF_MAP_FREEZE, &attr, 4) == -1 && errno == EBUSY);
		_exit(0);
	}
	MUST(waitpid(child, &status, 0) == child && status == 0);
	MUST(dup2(STDIN_FILENO, copy) == copy);
	MUST(create_map() == -1 && errno == ENOMEM); /* the board receives CLOSE first */
}

static void test_descriptors(void **state)
{
	struct board *board = live_start();

	reply_map(board);
	board_reply_ret(board, RPC_BPF, -EBUSY);
	board_reply_ret(board, RPC_BPF, -ENOMEM);
	assert_int_equal(run_tool(board, tool_descriptors), 0);
	board_asked(board, RPC_BPF);
	board_asked(board, RPC_BPF);
	assert_closed(board, MAP);
	board_asked(board, RPC_BPF);
	assert_null(object_next(board->run.objects, NULL));
	live_stop(board);
}

static volatile sig_atomic_t alarmed;

static void on_alarm(int number)
{
	alarmed = 1;
}

/* poll(2) of a ring waits for data, the timeout or a signal. */
static void tool_poll(void)
{
	const struct sigaction act = {.sa_handler = on_alarm};
	struct pollfd polled[3] = {
		{.events = POLLIN}, {.fd = -1, .events = POLLIN}, {.events = POLLIN}};
	enum { MANY = 10000 };
	static struct pollfd many[MANY];
	int fd = create_map();
	uint64_t *memory;

	MUST(fd >= 0);
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(memory != MAP_FAILED);
	polled[0].fd = polled[2].fd = fd; /* the same descriptor twice */
	MUST(poll(polled, 3, 5000) == 2); /* data came with the reply */
	MUST(polled[0].revents == POLLIN && polled[1].revents == 0);
	MUST(polled[2].revents == POLLIN);
	for (size_t i = 0; i < MANY; i++)
		many[i].fd = i + 1 < MANY ? -1 : fd;
	many[MANY - 1].events = POLLIN;
	MUST(poll(many, MANY, 5000) == 1 && many[MANY - 1].revents == POLLIN);
	__atomic_store_n(&memory[0], 16, __ATOMIC_RELEASE); /* the consumer's position */
	MUST(poll(polled, 3, 0) == 0);
	MUST(poll(many, MANY, 0) == 0);
	MUST(poll(polled, 1, 30) == 0 && polled[0].revents == 0);
	sigaction(SIGALRM, &act, NULL);
	alarm(1);
	MUST(poll(polled, 1, 20000) == -1 && errno == EINTR && alarmed);
	alarm(60);
}

static void test_poll(void **state)
{
	static const uint32_t record[4] = {8};
	struct board *board = live_start();

	reply_map(board);
	board_push(board, MAP, 0, record, sizeof(record));
	board_reply_ret(board, RPC_RING_OPEN, 0);
	assert_int_equal(run_tool(board, tool_poll), 0);
	live_stop(board);
}

static void tool_files(void)
{
	char data[32] = "";
	struct stat st;
	int fd = open("/proc/version", O_RDONLY), directory;

	MUST(fd >= 0 && fd < 900);
	MUST(read(fd, data, sizeof(data)) == 12 && strcmp(data, "Linux board\n") == 0);
	MUST(write(fd, "x", 1) == -1);
	close(fd);
	directory = open("/sys/kernel/tracing", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(directory >= 960);
	MUST(syscall(SYS_fstat, directory, &st) == 0 && st.st_ino == 4242);
	MUST(openat(directory, "nothing", O_RDONLY) == -1 && errno == ENOENT);
}

static void test_files(void **state)
{
	const struct rpc_stat st = {.mode = S_IFDIR | 0700, .ino = 4242};
	struct board *board = live_start();

	rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "Linux board\n");
	board_ready(board);
	for (int i = 0; i < 2; i++) {
		rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
		board_ready(board);
	}
	board_reply_ret(board, RPC_FILE_READ, -ENOENT);
	assert_int_equal(run_tool(board, tool_files), 0);
	live_stop(board);
}

/* Reads a directory to its end. Returns the number of entries with this name. */
static int entries_of(DIR *directory, const char *name)
{
	const struct dirent *entry;
	int n = 0;

	while ((entry = readdir(directory)))
		n += strcmp(entry->d_name, name) == 0;
	return n;
}

/* Reads a directory through a duplicate, like Python's os.scandir(fd), and again from the start. */
static void tool_duplicate(void)
{
	int fd = open("/sys/kernel/tracing", O_RDONLY | O_DIRECTORY | O_CLOEXEC), copy = dup(fd);
	DIR *directory;

	MUST(fd >= 960 && copy >= 0 && copy < 960);
	directory = fdopendir(copy);
	MUST(directory);
	MUST(entries_of(directory, "events") == 1);
	MUST(entries_of(directory, "events") == 0);
	rewinddir(directory);
	MUST(entries_of(directory, "events") == 1);
	rewinddir(directory);
	closedir(directory);
	directory = fdopendir(fd);
	MUST(directory);
	MUST(entries_of(directory, "events") == 1);
	closedir(directory);
	/* A directory of the workstation. */
	directory = opendir("/");
	MUST(directory);
	MUST(entries_of(directory, "etc") == 1);
	rewinddir(directory);
	MUST(entries_of(directory, "etc") == 1);
	closedir(directory);
}

static void test_duplicated_directory(void **state)
{
	const struct rpc_stat st = {.mode = S_IFDIR | 0700, .ino = 5};
	struct board *board = live_start();
	struct bytes_out *out;

	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
	out = board_reply(board, RPC_FILE_LIST, 0);
	bytes_put_u32(out, 1);
	rpc_put_string(out, "events");
	rpc_put_stat(out, &st);
	board_ready(board);
	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st); /* of fdopendir(3) */
	board_ready(board);
	assert_int_equal(run_tool(board, tool_duplicate), 0);
	live_stop(board);
}

/* Two processes open /proc/self/fd/N and close it many times. The supervisor tests whether the map
 * is still open; the opens must neither end the map nor disturb the supervisor. */
static void tool_reopens(void)
{
	int fd = create_map(), status;
	union bpf_attr attr = {.map_fd = (uint32_t)fd};
	char path[64];
	pid_t child;

	MUST(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	child = fork();
	for (int i = 0; i < 2000; i++) {
		int other = open(path, O_RDWR);

		MUST(other >= 0);
		close(other);
	}
	if (child == 0)
		_exit(0);
	MUST(waitpid(child, &status, 0) == child && status == 0);
	MUST(bpf(BPF_MAP_FREEZE, &attr, 4) == -1 && errno == EBUSY);
}

static void test_reopens_descriptor(void **state)
{
	struct board *board = live_start();

	reply_map(board);
	board_reply_ret(board, RPC_BPF, -EBUSY);
	assert_int_equal(run_tool(board, tool_reopens), 0);
	live_stop(board);
}

/* A signal to end makes the supervisor give up a silent board, unless the tool ignores that signal,
 * as under nohup(1). */
static void tool_ignores(void)
{
	signal(SIGHUP, SIG_IGN);
	kill(getppid(), SIGHUP);
	usleep(100000);
}

static void tool_handles(void)
{
	const struct sigaction act = {.sa_handler = on_alarm};

	sigaction(SIGHUP, &act, NULL);
	kill(getppid(), SIGHUP);
	while (!alarmed)
		usleep(1000);
}

static void test_signal_to_end(void **state)
{
	struct board *board = live_start();

	assert_int_equal(run_tool(board, tool_ignores), 0);
	assert_false(board->run.ending);
	assert_int_equal(run_tool(board, tool_handles), 0);
	assert_true(board->run.ending);
	live_stop(board);
}

/* When the link is lost, the call fails and the supervisor ends the tool. */
static void tool_lost(void)
{
	MUST(create_map() == -1);
	pause();
}

static void test_link_lost(void **state)
{
	struct board *board = live_start();

	shutdown(board->end, SHUT_RDWR);
	assert_int_equal(run_tool(board, tool_lost), -125);
	assert_int_equal(waitpid(board->run.tool, NULL, WNOHANG), -1); /* already reaped */
	live_stop(board);
}

static void wait_long(void)
{
	alarm(60);
	for (;;)
		pause();
}

/* Has a child that ignores SIGTERM, and an orphaned grandchild. */
static void tool_lost_with_children(void)
{
	if (fork() == 0) {
		signal(SIGTERM, SIG_IGN);
		wait_long();
	}
	if (fork() == 0) {
		if (fork() == 0)
			wait_long();
		_exit(0);
	}
	MUST(wait(NULL) > 0);
	MUST(create_map() == -1);
	pause();
}

/* Runs the tool. Returns true if all its processes have exited by then. Each holds a pipe open; the
 * kernel closes it slightly after it releases the filter, so wait up to 1 s. */
static bool run_tool_with_children(struct board *board, void (*tool)(void), int wanted)
{
	struct pollfd end = {.events = 0};
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(run_tool(board, tool), wanted);
	close(ends[1]);
	end.fd = ends[0];
	assert_true(poll(&end, 1, 1000) >= 0);
	close(ends[0]);
	return end.revents & POLLHUP;
}

static void lose_link(void *arg)
{
	const struct board *board = arg;

	shutdown(board->end, SHUT_RDWR);
}

static void test_link_lost_with_children(void **state)
{
	struct board *board = live_start();

	board->before = lose_link;
	board->arg = board;
	board_reply_ret(board, RPC_BPF, MAP);
	assert_true(run_tool_with_children(board, tool_lost_with_children, -125));
	live_stop(board);
}

/* A background process of the tool continues to run after the tool has exited. */
static void tool_leaves_background_process(void)
{
	if (fork() == 0)
		wait_long();
}

static void test_background_process(void **state)
{
	struct board *board = live_start();
	int status;

	assert_false(run_tool_with_children(board, tool_leaves_background_process, 0));
	processes_kill(SIGKILL);
	assert_true(wait(&status) > 0);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	live_stop(board);
}

/* Delays the reply by 20 s of data for an unknown ring, and sends SIGTERM meanwhile. */
static void send_forever(void *arg)
{
	const struct timespec step = {.tv_nsec = 20000000};
	const struct board *board = arg;
	struct bytes_out out = {.data = NULL};
	size_t start = rpc_begin(&out, RPC_RING_DATA, 0, 0);

	bytes_put_u32(&out, MAP + 1);
	bytes_put_u64(&out, 0);
	rpc_end(&out, start);
	kill(getpid(), SIGTERM);
	for (int i = 0; i < 1000; i++) {
		if (send(board->end, out.data, out.size, MSG_NOSIGNAL) < 0)
			break;
		nanosleep(&step, NULL);
	}
	bytes_out_free(&out);
}

static void tool_signalled(void)
{
	const struct sigaction act = {.sa_handler = on_alarm};

	sigaction(SIGTERM, &act, NULL);
	MUST(create_map() == -1 && alarmed);
	for (alarmed = 0; !alarmed;) /* the second SIGTERM: the link is lost */
		usleep(1000);
}

/* A board that sends data forever must not keep the tool from ending. */
static void test_board_sends_forever(void **state)
{
	struct board *board = live_start();

	board->before = send_forever;
	board->arg = board;
	board_reply_ret(board, RPC_BPF, -EPERM);
	assert_int_equal(run_tool(board, tool_signalled), -125);
	live_stop(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uname_and_errors),
		cmocka_unit_test(test_io_uring),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_duplicated_directory),
		cmocka_unit_test(test_reopens_descriptor),
		cmocka_unit_test(test_signal_to_end),
		cmocka_unit_test(test_link_lost),
		cmocka_unit_test(test_link_lost_with_children),
		cmocka_unit_test(test_background_process),
		cmocka_unit_test(test_board_sends_forever),
	};
	return live_run(tests);
}
