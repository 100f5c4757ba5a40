/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's log of the board: /dev/kmsg and syslog(2). */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "host-usb/run/files/log_text.h"
#include "host-usb/run/objects/records.h"
#include "tests/unit/live_test.h"
#include "tests/unit/log_capture.h"

#define HANDLE 7
#define FIRST  "5,0,0,-;Linux version of the board\n"
#define SECOND "4,1,2500000,-;two\\x0alines \\x5cx\n SUBSYSTEM=usb\n DEVICE=+usb:1-1\n"
#define THIRD  "30,2,1234567890123,c,caller=T1;third\n"

static struct board *start(void)
{
	struct board *board = live_start();

	board->run.board.minor = RPC_MINOR;
	return board;
}

static void assert_followed(struct board *board, uint32_t from)
{
	struct bytes_in in = board_asked(board, RPC_FILE_FOLLOW);
	char path[32];

	assert_true(rpc_get_string(&in, path, sizeof(path)));
	assert_string_equal(path, "/dev/kmsg");
	assert_true(bytes_get_u64(&in) >= 64 << 10);
	assert_int_equal(bytes_get_u32(&in), from);
	assert_true(bytes_get_end(&in));
}

/* As dmesg(1) reads: without waiting, after the last clear, until no record is left. */
static void tool_reads(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char data[RPC_LOG_RECORD_MAX] = "";
	struct stat st;

	MUST(fd >= 960);
	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	MUST(lseek(fd, 0, SEEK_DATA) == 0);
	MUST(lseek(fd, 1, SEEK_SET) == -1 && errno == ESPIPE);
	MUST(lseek(fd, 0, SEEK_CUR) == -1 && errno == EINVAL);
	MUST(read(fd, data, sizeof(data)) == (ssize_t)strlen(SECOND));
	MUST(memcmp(data, SECOND, strlen(SECOND)) == 0);
	MUST(read(fd, data, sizeof(data)) == (ssize_t)strlen(THIRD));
	MUST(read(fd, data, sizeof(data)) == -1 && errno == EAGAIN);
	MUST(fstat(fd, &st) == 0 && S_ISCHR(st.st_mode));
	MUST(st.st_rdev == makedev(1, 11));
	MUST(write(fd, "x", 1) == -1 || read(fd, data, sizeof(data)) == -1);
}

static void test_reads(void **state)
{
	const struct rpc_stat st = {.mode = S_IFCHR | 0644, .rdev_major = 1, .rdev_minor = 11};
	struct board *board = start();

	board_reply_ret(board, RPC_FILE_FOLLOW, HANDLE);
	/* Data of the first handle that arrives after the tool has moved on is dropped. */
	board_push(board, HANDLE, 0, FIRST, strlen(FIRST));
	board_reply_ret(board, RPC_FILE_FOLLOW, HANDLE + 1);
	board_push(board, HANDLE + 1, 0, SECOND THIRD, strlen(SECOND THIRD));
	board_reply_ret(board, RPC_RING_SYNC, 0);
	board_reply_ret(board, RPC_RING_SYNC, 0);
	rpc_put_stat(board_reply(board, RPC_FILE_STAT, 0), &st);
	board_ready(board);
	board_reply_ret(board, RPC_RING_SYNC, 0);
	assert_int_equal(run_tool(board, tool_reads), 0);
	assert_followed(board, RPC_LOG_FIRST);
	assert_closed(board, HANDLE);
	assert_followed(board, RPC_LOG_CLEARED);
	board_asked(board, RPC_RING_SYNC);
	live_stop(board);
}

/* More records than the socket holds, and more than the window: none is missing. */
#define MANY 3000

static void tool_reads_many(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	char data[RPC_LOG_RECORD_MAX];
	const struct iovec vector = {data, sizeof(data)};
	int n = 0, number;

	MUST(fd >= 960);
	while ((n % 2 ? read(fd, data, sizeof(data)) : readv(fd, &vector, 1)) > 0)
		MUST(sscanf(data, "6,%d,", &number) == 1 && number == n++);
	MUST(errno == EAGAIN && n == MANY);
}

static void test_many(void **state)
{
	static char records[MANY][256];
	struct board *board = start();
	const int piece = 500;
	uint64_t position = 0;

	for (int i = 0; i < MANY; i++) {
		memset(records[i], 'x', sizeof(records[i]));
		records[i][snprintf(records[i], 32, "6,%05d,1,-;", i)] = 'x';
		records[i][255] = '\n';
	}
	board_reply_ret(board, RPC_FILE_FOLLOW, HANDLE);
	for (int i = 0; i < MANY; i += piece) {
		board_push(board, HANDLE, position, records[i], sizeof(records[i]) * (size_t)piece);
		board_reply_ret(board, RPC_RING_SYNC, 0);
		position += sizeof(records[i]) * (uint64_t)piece;
	}
	board_reply_ret(board, RPC_RING_SYNC, 0);
	assert_int_equal(run_tool(board, tool_reads_many), 0);
	live_stop(board);
}

/* As "dmesg -W" reads: from the end, and waits. A duplicate of the descriptor is as good. */
static void tool_waits(void)
{
	int fd = open("/dev/kmsg", O_RDONLY), copy = dup(fd), status;
	struct pollfd polled = {.fd = copy, .events = POLLIN};
	char data[RPC_LOG_RECORD_MAX];
	pid_t child;

	MUST(fd >= 960 && copy >= 0 && copy < 960);
	MUST(lseek(fd, 0, SEEK_END) == 0);
	MUST(poll(&polled, 1, 0) == 0);
	child = fork();
	if (child == 0) {
		usleep(100000);
		_exit(access("/proc/version", R_OK)); /* its reply comes after a record */
	}
	MUST(read(fd, data, sizeof(data)) == (ssize_t)strlen(THIRD));
	MUST(waitpid(child, &status, 0) == child && status == 0);
	MUST(access("/proc/version", R_OK) == 0);
	MUST(poll(&polled, 1, 10000) == 1 && polled.revents == POLLIN);
	MUST(read(copy, data, sizeof(data)) == (ssize_t)strlen(FIRST));
}

static void test_waits(void **state)
{
	struct board *board = start();

	board_reply_ret(board, RPC_FILE_FOLLOW, HANDLE);
	board_reply_ret(board, RPC_FILE_FOLLOW, HANDLE);
	board_reply_ret(board, RPC_RING_SYNC, 0);
	board_push(board, HANDLE, 0, THIRD, strlen(THIRD));
	board_reply_ret(board, RPC_FILE_ACCESS, 0);
	board_push(board, HANDLE, strlen(THIRD), FIRST, strlen(FIRST));
	board_reply_ret(board, RPC_FILE_ACCESS, 0);
	assert_int_equal(run_tool(board, tool_waits), 0);
	assert_followed(board, RPC_LOG_FIRST);
	assert_closed(board, HANDLE);
	assert_followed(board, RPC_LOG_END);
	live_stop(board);
}

#define TEXT                                             \
	"<5>[    0.000000] Linux version of the board\n" \
	"<4>[    2.500000] two\n"                        \
	"<4>[    2.500000] lines \\x\n"                  \
	"<30>[1234567.890123] third\n"

static void tool_syslog(void)
{
	char text[1024];
	int size = klogctl(10, NULL, 0);

	MUST(size == 65536);
	MUST(klogctl(3, text, sizeof(text)) == (int)strlen(TEXT));
	MUST(memcmp(text, TEXT, strlen(TEXT)) == 0);
	MUST(klogctl(3, text, 50) == 27 && memcmp(text, "<30>", 4) == 0);
	MUST(klogctl(3, text, 10) == 0);
	MUST(klogctl(3, NULL, 10) == -1 && errno == EINVAL);
	MUST(klogctl(5, NULL, 0) == -1 && errno == EPERM);
	MUST(klogctl(2, text, 10) == -1 && errno == EPERM);
	MUST(klogctl(8, NULL, 1) == -1 && errno == EPERM);
	MUST(klogctl(1, NULL, 0) == 0 && klogctl(0, NULL, 0) == 0);
	MUST(open("/proc/kmsg", O_RDONLY) == -1 && errno == EACCES);
	MUST(open("/dev/kmsg", O_WRONLY) == -1 && errno == EACCES);
}

static void test_syslog(void **state)
{
	struct board *board = start();
	const char *log;

	for (int i = 0; i < 4; i++) {
		board_reply_ret(board, RPC_FILE_FOLLOW, HANDLE);
		board_push(board, HANDLE, 0, FIRST SECOND THIRD, strlen(FIRST SECOND THIRD));
		board_reply_ret(board, RPC_RING_SYNC, 0);
		rpc_put_string(board_reply(board, RPC_FILE_READ, 0), "Y\n");
		board_ready(board);
	}
	board_reply_ret(board, RPC_FILE_ACCESS, -EACCES);
	log_begin();
	assert_int_equal(run_tool(board, tool_syslog), 0);
	log = log_end();
	assert_followed(board, RPC_LOG_CLEARED);
	assert_non_null(strstr(log, ": syslog: action 5 is not supported"));
	assert_non_null(strstr(log, ": syslog: action 2 is not supported"));
	assert_non_null(strstr(log, ": syslog: action 8 is not supported"));
	assert_non_null(strstr(log, ": /proc/kmsg: "));
	assert_non_null(strstr(log, ": /dev/kmsg: the board does not allow writing"));
	live_stop(board);
}

static void tool_old(void)
{
	char text[64];

	MUST(open("/dev/kmsg", O_RDONLY) == -1 && errno == EPERM);
	MUST(klogctl(3, text, sizeof(text)) == -1 && errno == EPERM);
}

/* A board that cannot do it is not replaced by the workstation. */
static void test_old_board(void **state)
{
	struct board *board = start();
	const char *log;

	board->run.board.minor = 0;
	strcpy(board->run.board.program, "0.0.9");
	log_begin();
	assert_int_equal(run_tool(board, tool_old), 0);
	log = log_end();
	assert_non_null(
		strstr(log, "/dev/kmsg: reading: the board's bpfd (version 0.0.9) cannot do this"));
	live_stop(board);
}

static void tool_malformed(void)
{
	char data[RPC_LOG_RECORD_MAX];
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	MUST(fd >= 960);
	MUST(read(fd, data, sizeof(data)) == -1 && errno == EIO);
	pause();
}

/* A record that no kernel writes ends the session. */
static void test_malformed(void **state)
{
	struct board *board = start();

	board_reply_ret(board, RPC_FILE_FOLLOW, HANDLE);
	board_push(board, HANDLE, 0, "6,1,1,-;\033[2J\n", 12);
	board_reply_ret(board, RPC_RING_SYNC, 0);
	assert_int_equal(run_tool(board, tool_malformed), -125);
	live_stop(board);
}

static void test_records(void **state)
{
	static const char *const malformed[] = {"", "\n", "x,1,1,-;x\n", " A=b\n", "6,1,1,-;x",
		"6,1,1,-;x\n A=b", "6,1,1,-;\t\n", "6,1,1,-;\x7f\n", "6,1,1,-;\xc3\xbc\n"};
	char longest[RPC_LOG_RECORD_MAX + 2];

	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		assert_int_equal(record_log_size(malformed[i], strlen(malformed[i])), 0);
	assert_int_equal(record_log_size(SECOND THIRD, strlen(SECOND THIRD)), strlen(SECOND));
	assert_true(records_fit_log(FIRST SECOND THIRD, strlen(FIRST SECOND THIRD)));
	assert_false(records_fit_log(FIRST "x\n", strlen(FIRST "x\n")));
	memset(longest, '1', sizeof(longest));
	longest[RPC_LOG_RECORD_MAX - 1] = '\n';
	assert_int_equal(record_log_size(longest, sizeof(longest)), RPC_LOG_RECORD_MAX);
	longest[RPC_LOG_RECORD_MAX - 1] = '1';
	longest[RPC_LOG_RECORD_MAX] = '\n';
	assert_int_equal(record_log_size(longest, sizeof(longest)), 0);
}

static void expect_text(const char *records, bool times, const char *wanted)
{
	char *text;
	size_t size;

	assert_int_equal(log_text(records, strlen(records), times, &text, &size), 0);
	assert_int_equal(size, strlen(wanted));
	assert_memory_equal(text, wanted, size);
	free(text);
}

static void test_text(void **state)
{
	const char *text = "<1>a\n<2>bb\n<3>c\n";
	size_t size = strlen(text);

	expect_text(FIRST SECOND THIRD, true, TEXT);
	expect_text(FIRST, false, "<5>Linux version of the board\n");
	expect_text("", true, "");
	expect_text("6,1\n", true, "");
	expect_text("6;x\n A=;\n", true, "");
	expect_text("6,1,1,-;\\\n", false, "<6>\\\n");
	expect_text("6,1,1,-;\\x4\n", false, "<6>\\x4\n");
	expect_text("6,1,1,-;a\\xc3\\xbc\\x41\n", false,
		"<6>a\xc3\xbc"
		"A\n");
	assert_ptr_equal(log_text_end(text, &size, 100), text);
	assert_int_equal(size, 16);
	assert_ptr_equal(log_text_end(text, &size, 11), text + 5);
	assert_int_equal(size, 11);
	size = 16;
	assert_ptr_equal(log_text_end(text, &size, 10), text + 11);
	assert_int_equal(size, 5);
	size = 16;
	assert_string_equal(log_text_end(text, &size, 4), "");
	assert_int_equal(size, 0);
	size = 16;
	assert_string_equal(log_text_end(text, &size, 0), "");
	assert_int_equal(size, 0);
}

int main(void)
{
	const struct CMUnitTest pure[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_text),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_old_board),
		cmocka_unit_test(test_malformed),
	};
	int failed = cmocka_run_group_tests_name("kernel log", pure, NULL, NULL);

	return failed + live_run(tests);
}
