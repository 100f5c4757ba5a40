/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the event loop of bpfd-usb with pipes and a fake USB lane.
 *
 * The fake lane leads to a board's session in the same process. Each bridge under test is a process
 * of its own. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/link/board_session.h"
#include "host-usb/near.h"
#include "host-usb/pump.h"
#include "host-usb/signals.h"
#include "host-usb/status.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TRANSFER 4096

/* How the board behaves. */
enum board_kind {
	BOARD_ECHO,	   /* like cat: sends the input back */
	BOARD_EXIT,	   /* exits at once with status `number` */
	BOARD_SIGNAL,	   /* is killed at once by signal `number` */
	BOARD_SILENT,	   /* never answers HELLO */
	BOARD_LATE,	   /* sends garbage, then answers the second HELLO */
	BOARD_UNPLUG,	   /* the lane fails after `number` bytes of input */
	BOARD_RESET,	   /* ends the session after `number` bytes of input */
	BOARD_GARBAGE,	   /* sends a frame of unknown type after the first input */
	BOARD_FLOOD,	   /* sends `number` bytes of output, then exits with 0 */
	BOARD_NOTES,	   /* sends `number` bytes to stderr, then exits with 0 */
	BOARD_QUIET,	   /* reads input, sends no output */
	BOARD_NEVER_READS, /* reads nothing, so the window is used up */
};

struct fake {
	enum board_kind kind;
	uint64_t number;
};

/* The fake lane. The next usb_lane_handle delivers each transfer. */
struct usb_lane {
	struct fake fake;
	struct board_session *board;
	int wake;
	uint8_t out[TRANSFER], in[TRANSFER], buffer[TRANSFER];
	size_t out_len, in_len; /* 0: none in flight */
	unsigned int hellos;
	uint64_t echoed, pings;
	int err;
	bool finished;
};

static void lane_wake(const struct usb_lane *lane)
{
	uint64_t one = 1;

	assert_int_equal(write(lane->wake, &one, sizeof(one)), sizeof(one));
}

static struct usb_lane *fake_lane(const struct fake *fake)
{
	static const struct board_config config = {
		.max_transfer = TRANSFER,
		.max_send = TRANSFER,
		.window = 65536,
		.version = "test",
	};
	struct usb_lane *lane = calloc(1, sizeof(*lane));

	lane->fake = *fake;
	lane->board = board_session_new(&config);
	lane->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return lane;
}

void usb_lane_close(struct usb_lane *lane)
{
	board_session_free(lane->board);
	close(lane->wake);
	free(lane);
}

unsigned int usb_lane_interface(const struct usb_lane *lane)
{
	return 0;
}

size_t usb_lane_pollfds(struct usb_lane *lane, struct pollfd fds[static LANE_FDS_MAX])
{
	fds[0] = (struct pollfd){.fd = lane->wake, .events = POLLIN};
	return 1;
}

int usb_lane_timeout(struct usb_lane *lane)
{
	return -1;
}

const char *usb_lane_error_text(int err)
{
	return strerror(-err);
}

/* Handles the transfer from the host. */
static void board_take(struct usb_lane *lane)
{
	const struct fake *fake = &lane->fake;

	if (board_session_is_hello(lane->out, lane->out_len)) {
		lane->hellos++;
		if (fake->kind == BOARD_SILENT)
			return;
		if (fake->kind == BOARD_LATE && lane->hellos == 1) {
			memset(lane->in, 0x55, 1000);
			lane->in_len = 1000;
			return;
		}
	}
	if (board_session_receive(lane->board, lane->out, lane->out_len, clock_monotonic_ms()) ==
		BOARD_STOP)
		fprintf(stderr, "board: stopped by the host\n");
	board_session_keep(lane->board);
	if (board_session_received(lane->board) >= fake->number) {
		if (fake->kind == BOARD_UNPLUG && fake->number)
			lane->err = -ENODEV;
		if (fake->kind == BOARD_RESET)
			board_session_end(lane->board, RESET_SHUTDOWN, "for a test");
	}
}

/* Plays the board's process, as its kind says. */
static void board_work(struct usb_lane *lane, struct transfer *t)
{
	const struct fake *fake = &lane->fake;
	size_t room = board_session_room(lane->board, t), len;
	const uint8_t *input = board_session_input(lane->board, &len);
	uint64_t left = fake->number - lane->echoed;
	enum frame_type type = fake->kind == BOARD_NOTES ? FRAME_NOTE : FRAME_DATA;

	if (!board_session_is_open(lane->board) || lane->finished)
		return;
	if (fake->kind == BOARD_FLOOD || fake->kind == BOARD_NOTES) {
		len = left < room ? (size_t)left : room;
		memset(link_payload(t), 'f', len);
		board_session_put(lane->board, t, type, len);
		lane->echoed += len;
		lane->finished = lane->echoed == fake->number;
		if (lane->finished)
			board_session_exit(lane->board, 0, 0);
		return;
	}
	if (fake->kind == BOARD_EXIT || fake->kind == BOARD_SIGNAL) {
		board_session_exit(lane->board, fake->kind == BOARD_EXIT ? (int)fake->number : 0,
			fake->kind == BOARD_SIGNAL ? (int)fake->number : 0);
		lane->finished = true;
		return;
	}
	if (fake->kind == BOARD_NEVER_READS)
		return;
	if (fake->kind == BOARD_QUIET)
		board_session_consume(lane->board, len);
	len = len < room ? len : room;
	if (len > 0 && fake->kind != BOARD_QUIET) {
		memcpy(link_payload(t), input, len);
		board_session_put(lane->board, t, FRAME_DATA, len);
		board_session_consume(lane->board, len);
		if (fake->kind == BOARD_GARBAGE)
			link_payload(t)[-FRAME_HEADER] = 0x7f; /* the type of the frame */
	}
	if (board_session_input_ended(lane->board)) {
		board_session_exit(lane->board, 0, 0);
		lane->finished = true;
	}
}

int usb_lane_handle(struct usb_lane *lane)
{
	struct transfer t;
	uint64_t count;

	if (read(lane->wake, &count, sizeof(count)) < 0)
		count = 0;
	if (lane->out_len > 0) {
		board_take(lane);
		lane->out_len = 0;
		lane_wake(lane);
	}
	if (lane->in_len > 0)
		return 0;
	board_session_begin(lane->board, &t, lane->in);
	board_work(lane, &t);
	if (lane->fake.kind == BOARD_GARBAGE && t.len > 0 && board_session_received(lane->board))
		lane->in[0] = 0x7f;
	lane->in_len = board_session_finish(lane->board, &t);
	if (lane->in_len > 0 || board_session_pending(lane->board))
		lane_wake(lane);
	return 0;
}

int usb_lane_receive(struct usb_lane *lane, const uint8_t **data, size_t *len)
{
	if (lane->in_len == 0)
		return lane->err;
	*data = lane->in;
	*len = lane->in_len;
	return 1;
}

void usb_lane_release(struct usb_lane *lane)
{
	lane->in_len = 0;
	lane_wake(lane);
}

uint8_t *usb_lane_buffer(struct usb_lane *lane)
{
	return lane->out_len == 0 && !lane->err ? lane->buffer : NULL;
}

void usb_lane_send(struct usb_lane *lane, size_t len)
{
	assert_true(len < TRANSFER && len % TRANSFER_QUANTUM != 0);
	memcpy(lane->out, lane->buffer, len);
	lane->out_len = len;
	lane_wake(lane);
}

bool usb_lane_sending(const struct usb_lane *lane)
{
	return lane->out_len > 0;
}

/* A bridge under test, and our ends of its pipes. */
struct bridge {
	pid_t pid;
	int in, out, err;
	char text[8192]; /* its stderr */
};

static void bridge_child(
	const struct fake *fake, const int in[2], const int out[2], const int err[2])
{
	struct pump_options options = {.transfer = TRANSFER, .lease_ms = 1000};
	struct pump_counts counts;
	struct tty tty;
	int status;

	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
		close(err[i]);
	}
	signal(SIGINT, SIG_DFL); /* a shell without job control ignores it in background jobs */
	signal(SIGQUIT, SIG_DFL);
	alarm(60);
	log_open("bpfd-usb", LOG_DEBUG);
	tty_init(&tty, STDIN_FILENO);
	options.tty = &tty;
	options.signal_fd = signals_open();
	options.lane = fake_lane(fake);
	options.near = near_stdio_new(&tty);
	status = pump_run(&options, &counts);
	usb_lane_close(options.lane);
	close(options.signal_fd);
	if (status < 0)
		signals_die(-status);
	_exit(status);
}

static void bridge_start(struct bridge *b, enum board_kind kind, uint64_t number)
{
	struct fake fake = {kind, number};
	int in[2], out[2], err[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	fflush(NULL);
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0)
		bridge_child(&fake, in, out, err);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	b->in = in[1];
	b->out = out[0];
	b->err = err[0];
}

/* Collects stderr. Returns the exit status, or minus the number of the signal it died of. */
static int bridge_end(struct bridge *b)
{
	size_t len = 0;
	int status;
	ssize_t n;

	if (b->in >= 0)
		close(b->in);
	while ((n = read(b->err, b->text + len, sizeof(b->text) - 1 - len)) > 0)
		len += (size_t)n;
	b->text[len] = '\0';
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	close(b->err);
	if (b->out >= 0)
		close(b->out);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void assert_logged(const struct bridge *b, const char *what)
{
	if (!strstr(b->text, what))
		fail_msg("\"%s\" is not in: %s", what, b->text);
}

static size_t read_all(int fd)
{
	char buffer[4096];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		total += (size_t)n;
	return total;
}

static void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

/* Half-close: all of the input comes back in order after the end of the input. */
static void test_echo(void **state)
{
	static char input[300000], output[sizeof(input) + 1];
	struct bridge b;
	size_t sent = 0, got = 0;
	ssize_t n;

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)(i * 7919 >> 3);
	bridge_start(&b, BOARD_ECHO, 0);
	fcntl(b.in, F_SETFL, O_NONBLOCK);
	while (sent < sizeof(input)) {
		n = write(b.in, input + sent, sizeof(input) - sent);
		sent += n > 0 ? (size_t)n : 0;
		n = read(b.out, output + got, 10000);
		assert_true(n > 0);
		got += (size_t)n;
	}
	close(b.in);
	b.in = -1;
	while ((n = read(b.out, output + got, sizeof(output) - got)) > 0)
		got += (size_t)n;
	assert_int_equal(bridge_end(&b), 0);
	assert_int_equal(got, sizeof(input));
	assert_memory_equal(input, output, sizeof(input));
}

static void check_exit(enum board_kind kind, uint64_t number, int status, const char *message)
{
	struct bridge b;

	bridge_start(&b, kind, number);
	assert_int_equal(bridge_end(&b), status);
	assert_logged(&b, message);
}

static void test_status(void **state)
{
	check_exit(BOARD_EXIT, 0, 0, "session open");
	check_exit(BOARD_EXIT, 42, 42, "session open");
	check_exit(BOARD_EXIT, 249, 249, "session open");
	check_exit(BOARD_EXIT, 255, 249, "exit status 255 is shown as 249");
	check_exit(BOARD_SIGNAL, SIGKILL, 128 + SIGKILL, "killed by signal 9");
	check_exit(BOARD_SIGNAL, 200, 249, "killed by signal 200");
}

static void test_hello_again(void **state)
{
	struct bridge b;
	char byte;

	bridge_start(&b, BOARD_LATE, 0);
	assert_int_equal(write(b.in, "x", 1), 1);
	assert_int_equal(read(b.out, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(bridge_end(&b), 0);
}

static void test_silent(void **state)
{
	check_exit(BOARD_SILENT, 0, STATUS_LOST, "the board does not answer");
}

static void test_lost(void **state)
{
	struct bridge b;

	bridge_start(&b, BOARD_UNPLUG, 5);
	assert_int_equal(write(b.in, "12345", 5), 5);
	assert_int_equal(read_all(b.out), 5);
	assert_int_equal(bridge_end(&b), STATUS_LOST);
	assert_logged(&b, strerror(ENODEV));
	assert_logged(&b, "5 bytes sent, 0 of them consumed by the board, 5 received, 5 written");
}

static void test_reset(void **state)
{
	struct bridge b;

	bridge_start(&b, BOARD_RESET, 5);
	assert_int_equal(write(b.in, "12345", 5), 5);
	assert_int_equal(bridge_end(&b), STATUS_LOST);
	assert_logged(&b, "the board's daemon exits: for a test");
	assert_logged(&b, "5 bytes sent");
}

static void test_garbage(void **state)
{
	struct bridge b;

	bridge_start(&b, BOARD_GARBAGE, 0);
	assert_int_equal(write(b.in, "12345", 5), 5);
	assert_int_equal(bridge_end(&b), STATUS_LOST);
	assert_logged(&b, "broke the protocol: malformed frame");
	assert_logged(&b, "board: stopped by the host");
}

/* stdout is blocked for longer than the lease: pings keep the session alive. */
static void test_blocked_stdout(void **state)
{
	struct bridge b;

	bridge_start(&b, BOARD_FLOOD, 1000000);
	sleep_ms(2500);
	assert_int_equal(read_all(b.out), 1000000);
	assert_int_equal(bridge_end(&b), 0);
}

/* A full stderr that is not read does not block the session forever. */
static void test_blocked_stderr(void **state)
{
	struct bridge b;
	int status;

	bridge_start(&b, BOARD_NOTES, 1000000);
	assert_int_equal(waitpid(b.pid, &status, 0), b.pid);
	assert_int_equal(status, 0);
	assert_true(read_all(b.err) > 32768);
	close(b.in);
	close(b.out);
	close(b.err);
}

/* The window is used up: the rest of stdin stays with its writer, and the session continues. */
static void test_no_credit(void **state)
{
	static char block[65536];
	size_t taken = 0;
	struct bridge b;
	ssize_t n;

	bridge_start(&b, BOARD_NEVER_READS, 0);
	fcntl(b.in, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 30; i++) {
		n = write(b.in, block, sizeof(block));
		taken += n > 0 ? (size_t)n : 0;
		sleep_ms(50);
	}
	assert_true(taken > 65536 && taken <= 2 * 65536); /* the window and the pipe */
	kill(b.pid, SIGTERM);
	assert_int_equal(bridge_end(&b), -SIGTERM);
}

static void test_stdout_closed(void **state)
{
	struct bridge b;
	char byte;

	bridge_start(&b, BOARD_QUIET, 0);
	assert_int_equal(write(b.in, "x", 1), 1);
	close(b.out); /* noticed without any output */
	b.out = -1;
	assert_int_equal(bridge_end(&b), -SIGPIPE);
	assert_logged(&b, "stdout: closed by its reader");

	bridge_start(&b, BOARD_FLOOD, 1000000);
	assert_int_equal(read(b.out, &byte, 1), 1);
	close(b.out);
	b.out = -1;
	assert_int_equal(bridge_end(&b), -SIGPIPE);
}

static void check_signal(enum board_kind kind, int number)
{
	struct bridge b;

	bridge_start(&b, kind, 0);
	sleep_ms(100);
	kill(b.pid, number);
	assert_int_equal(bridge_end(&b), -number);
}

static void test_signals(void **state)
{
	check_signal(BOARD_ECHO, SIGINT);
	check_signal(BOARD_ECHO, SIGHUP);
	check_signal(BOARD_SILENT, SIGTERM);
}

/* Ctrl-Z and fg. The bridge has its own process group: in an orphaned one SIGTSTP does nothing. */
static void test_stopped(void **state)
{
	struct bridge b;
	char byte;
	int status;

	bridge_start(&b, BOARD_ECHO, 0);
	setpgid(b.pid, b.pid);
	assert_int_equal(write(b.in, "x", 1), 1);
	assert_int_equal(read(b.out, &byte, 1), 1);
	kill(b.pid, SIGTSTP);
	assert_int_equal(waitpid(b.pid, &status, WUNTRACED), b.pid);
	assert_true(WIFSTOPPED(status));
	kill(b.pid, SIGCONT);
	assert_int_equal(write(b.in, "y", 1), 1);
	assert_int_equal(read(b.out, &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(bridge_end(&b), 0);
}

/* The bridge is stopped for longer than the lease: the board's silence meanwhile does not count. */
static void test_stopped_for_long(void **state)
{
	struct bridge b;
	char byte;

	bridge_start(&b, BOARD_ECHO, 0);
	assert_int_equal(write(b.in, "x", 1), 1);
	assert_int_equal(read(b.out, &byte, 1), 1);
	sleep_ms(100); /* until no transfer is on its way to the bridge */
	kill(b.pid, SIGSTOP);
	sleep_ms(1500);
	kill(b.pid, SIGCONT);
	assert_int_equal(write(b.in, "y", 1), 1);
	assert_int_equal(read(b.out, &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(bridge_end(&b), 0);
}

static void test_full_disk(void **state)
{
	int status, in[2], out[2], err[2];
	struct fake fake = {BOARD_FLOOD, 100000};
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(err), 0);
	out[0] = open("/dev/null", O_RDONLY);
	out[1] = open("/dev/full", O_WRONLY);
	pid = fork();
	if (pid == 0)
		bridge_child(&fake, in, out, err);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), STATUS_LOST);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
		close(err[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_hello_again),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_blocked_stdout),
		cmocka_unit_test(test_blocked_stderr),
		cmocka_unit_test(test_no_credit),
		cmocka_unit_test(test_stdout_closed),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_stopped_for_long),
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
