/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a process under the real filter; the real supervisor answers its calls, with a fake board.
 *
 * Include after cmocka.h. */
#ifndef TESTS_UNIT_LIVE_TEST_H
#define TESTS_UNIT_LIVE_TEST_H

#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/wait.h"
#include "tests/unit/run_test.h"
#include "tests/unit/skip.h"

#include <signal.h>
#include <sys/wait.h>

static int signals; /* a signalfd */

/* For the tool: if the condition is false, exits with the line number modulo 256. */
#define MUST(condition)                         \
	do {                                    \
		if (!(condition))               \
			_exit(__LINE__ & 0xff); \
	} while (0)

/* Runs `tool` in a child under the filter until it exits. Returns what supervisor_run() returns:
 * its wait status, or a negative errno. */
static inline int run_tool(struct board *board, void (*tool)(void))
{
	int sockets[2], status;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.space = {0}};
	char byte = 0;
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	sigset_t none;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	board->run.ended = false;
	board->run.tool = fork();
	if (board->run.tool == 0) {
		int listener;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		alarm(60);
		listener = notify_install(board->run.fd_base, false);
		MUST(listener >= 0);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &listener, sizeof(listener));
		MUST(sendmsg(sockets[1], &message, 0) == 1);
		close(listener);
		tool();
		_exit(0);
	}
	close(sockets[1]);
	assert_int_equal(recvmsg(sockets[0], &message, MSG_CMSG_CLOEXEC), 1);
	memcpy(&board->run.listener, CMSG_DATA(&control.header), sizeof(int));
	status = supervisor_run(&board->run);
	close(sockets[0]);
	close(board->run.listener);
	if (status)
		print_message("# the tool ended with status 0x%x: line %d modulo 256\n", status,
			WEXITSTATUS(status));
	return status;
}

static inline struct board *live_start(void)
{
	struct board *board = board_start(NULL);

	board->run.signal_fd = signals;
	board_files(board);
	assert_int_equal(waits_new(&board->run.waits), 0);
	strcpy(board->run.board.release, "5.10.0-board");
	strcpy(board->run.board.machine, "aarch64");
	return board;
}

static inline void live_stop(struct board *board)
{
	struct waits *waits = board->run.waits;

	board_stop(board);
	waits_free(waits);
}

static inline int live_setup(void **state)
{
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	signals = supervisor_signals();
	return signals < 0 ? signals : 0;
}

/* Under ASan each test would fork while a thread runs, which may hold the allocator's lock. */
#ifdef __SANITIZE_ADDRESS__
#define LIVE_IS_SAFE false
#else
#define LIVE_IS_SAFE true
#endif

static inline bool live_is_possible(void)
{
	return LIVE_IS_SAFE && notify_check() == 0;
}

static inline void test_cannot_run(void **state)
{
	if (LIVE_IS_SAFE)
		skip_because("this kernel has no seccomp user notifications");
	skip_because("a child of a process with threads may wait forever for ASan's allocator");
}

static const struct CMUnitTest live_none[] = {
	cmocka_unit_test(test_cannot_run),
};

/* Runs an array of tests, or skips them where they cannot run. Returns as main(). */
#define live_run(tests)                                                       \
	(live_is_possible() ? cmocka_run_group_tests(tests, live_setup, NULL) \
			    : cmocka_run_group_tests(live_none, NULL, NULL))

#endif
