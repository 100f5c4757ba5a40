/* SPDX-License-Identifier: Apache-2.0 */
/* Tests reading and writing shared descriptors without waiting or changing them. */
#include "host-usb/fd_stream.h"
#include "host-usb/notes.h"
#include "host-usb/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/skip.h"

static char block[64 * 1024];

/* If a call waits, the test fails instead of hanging. */
static int start_clock(void **state)
{
	alarm(60);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static void fill(struct fd_stream *stream, size_t *total)
{
	ssize_t n;

	while ((n = fd_stream_write(stream, block, sizeof(block))) > 0)
		*total += (size_t)n;
	assert_int_equal(n, -EAGAIN);
}

static size_t drain(struct fd_stream *stream)
{
	static char buffer[sizeof(block)];
	size_t total = 0;
	ssize_t n;

	while ((n = fd_stream_read(stream, buffer, sizeof(buffer))) > 0)
		total += (size_t)n;
	assert_true(n == -EAGAIN || n == 0);
	return total;
}

/* Fills, drains and ends a pair of descriptors that have O_NONBLOCK off. */
static void check_pair(int in_fd, int out_fd)
{
	struct fd_stream *in = fd_stream_new(in_fd, O_RDONLY),
			 *out = fd_stream_new(out_fd, O_WRONLY);
	size_t written = 0;

	assert_non_null(in);
	assert_non_null(out);
	assert_int_equal(drain(in), 0);
	fill(out, &written);
	assert_true(written > 0);
	assert_int_equal(drain(in), written);
	written = 0;
	fill(out, &written);
	assert_int_equal(drain(in), written);
	assert_int_equal(fcntl(in_fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(out_fd, F_GETFL) & O_NONBLOCK, 0);
	fd_stream_free(out);
	close(out_fd);
	assert_int_equal(fd_stream_read(in, block, 1), 0);
	fd_stream_free(in);
	close(in_fd);
}

static void test_pipe(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	check_pair(fds[0], fds[1]);
}

static void test_socket(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	check_pair(fds[0], fds[1]);
}

static void test_already_nonblocking(void **state)
{
	struct fd_stream *in, *out;
	size_t written = 0;
	int fds[2];

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	in = fd_stream_new(fds[0], O_RDONLY);
	out = fd_stream_new(fds[1], O_WRONLY);
	assert_int_equal(fd_stream_fd(out), fds[1]);
	fill(out, &written);
	assert_int_equal(drain(in), written);
	fd_stream_free(in);
	fd_stream_free(out);
	close(fds[0]);
	close(fds[1]);
}

/* Without permission to open the pipe again, it is polled. */
static void polled_pipe(void)
{
	struct fd_stream *in, *out;
	size_t written = 0;
	int fds[2];

	if (pipe(fds) < 0 || fchmod(fds[0], 0) < 0)
		_exit(10);
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(11);
	in = fd_stream_new(fds[0], O_RDONLY);
	out = fd_stream_new(fds[1], O_WRONLY);
	if (fd_stream_fd(in) != fds[0] || fd_stream_fd(out) != fds[1])
		_exit(12);
	while (fd_stream_write(out, block, sizeof(block)) > 0)
		written += 4096;
	if (written != 65536 || drain(in) != written)
		_exit(13);
	fd_stream_free(in);
	fd_stream_free(out);
	_exit(0);
}

static void test_pipe_polled(void **state)
{
	int status;
	pid_t pid;

	if (getuid() != 0)
		skip_because("needs root");
	pid = fork();
	if (pid == 0)
		polled_pipe();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_file(void **state)
{
	char path[] = "/tmp/test_fd_stream.XXXXXX";
	int fd = mkstemp(path);
	struct fd_stream *stream = fd_stream_new(fd, O_WRONLY);

	unlink(path);
	/* The write uses the shared offset, so it does not overwrite what another process wrote. */
	assert_int_equal(write(fd, "12", 2), 2);
	assert_int_equal(fd_stream_write(stream, "345", 3), 3);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
	fd_stream_free(stream);
	close(fd);
}

static void test_errors(void **state)
{
	struct fd_stream *stream;
	int fds[2], fd;

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	stream = fd_stream_new(fds[1], O_WRONLY);
	assert_int_equal(fd_stream_write(stream, "x", 1), -EPIPE);
	fd_stream_free(stream);
	close(fds[1]);

	fd = open("/dev/full", O_WRONLY);
	stream = fd_stream_new(fd, O_WRONLY);
	assert_int_equal(fd_stream_write(stream, "x", 1), -ENOSPC);
	fd_stream_free(stream);
	close(fd);

	stream = fd_stream_new(fd, O_RDONLY); /* closed */
	assert_int_equal(fd_stream_read(stream, block, 1), -EBADF);
	fd_stream_free(stream);
	fd_stream_free(NULL);
}

static int open_pty(int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (master < 0)
		skip_because("/dev/pts is not mounted");
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(*slave >= 0);
	return master;
}

/* A line longer than the limit of canonical mode passes, and no call waits. */
static void test_tty(void **state)
{
	struct termios before = {0}, during, after = {0};
	size_t total = 0, sent = 0;
	struct fd_stream *in, *out;
	int slave, master;
	struct tty tty;
	ssize_t n;

	master = open_pty(&slave);
	tcgetattr(slave, &before);
	tty_init(&tty, slave);
	assert_true(tty.is_terminal);
	tty_raw(&tty);
	tty_raw(&tty);
	tcgetattr(slave, &during);
	assert_true(tty_may_read(&tty));
	assert_int_equal(during.c_lflag & (ICANON | ECHO), 0);
	assert_int_equal(during.c_iflag & ICRNL, 0);
	assert_int_equal(during.c_lflag & ISIG, before.c_lflag & ISIG);

	in = fd_stream_new(slave, O_RDONLY);
	out = fd_stream_new(slave, O_WRONLY);
	memset(block, 'x', sizeof(block));
	while (total < 1000000) {
		n = write(master, block, 10000);
		sent += n > 0 ? (size_t)n : 0;
		while ((n = fd_stream_read(in, block, sizeof(block))) > 0)
			total += (size_t)n;
		assert_int_equal(n, -EAGAIN);
	}
	assert_int_equal(total, sent);
	assert_int_equal(read(master, block, 1), -1); /* no echo */
	total = 0;
	fill(out, &total);
	assert_true(total > 0);
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	fd_stream_free(in);
	fd_stream_free(out);

	tty_restore(&tty);
	tcgetattr(slave, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	tty_restore(&tty);
	close(slave);
	close(master);
}

static void test_tty_not_a_terminal(void **state)
{
	struct tty tty;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	tty_init(&tty, fds[0]);
	assert_false(tty.is_terminal);
	assert_true(tty_may_read(&tty));
	tty_raw(&tty);
	tty_restore(&tty);
	close(fds[0]);
	close(fds[1]);
}

/* A background job neither changes the terminal nor is stopped. */
static void background(int slave)
{
	struct termios before = {0}, after = {0};
	struct tty tty;
	int status;
	pid_t pid;

	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		_exit(10);
	pid = fork();
	if (pid > 0) {
		waitpid(pid, &status, WUNTRACED);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 11);
	}
	setpgid(0, 0);
	tcgetattr(slave, &before);
	tty_init(&tty, slave);
	tty_raw(&tty);
	tcgetattr(slave, &after);
	tty_restore(&tty);
	if (tty_may_read(&tty))
		_exit(13);
	_exit(memcmp(&before, &after, sizeof(before)) ? 12 : 0);
}

static void test_tty_background(void **state)
{
	int slave, master = open_pty(&slave), status;
	pid_t pid = fork();

	if (pid == 0)
		background(slave);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(slave);
	close(master);
}

/* If stderr is full, notes wait for a second, then are dropped until it takes some again. */
/* Messages of the board must not control a terminal, wherever they are cut. */
static void test_notes_terminal(void **state)
{
	static const char text[] = "a\tb\33[2J\r\n\303\244\302\233m\177\0z",
			  shown[] = "a\tb?[2J\r\r\n\303\244\302?m??z";
	char got[sizeof(shown)];
	int slave, master = open_pty(&slave);

	for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
		struct notes *notes = notes_new(slave);

		assert_int_equal(notes_write(notes, text, cut, 1000), cut);
		assert_int_equal(notes_write(notes, text + cut, sizeof(text) - 1 - cut, 1000),
			sizeof(text) - 1 - cut);
		for (size_t done = 0; done < sizeof(shown) - 1;) {
			ssize_t n = read(master, got + done, sizeof(got) - done);

			assert_true(n > 0 || (n < 0 && errno == EAGAIN)); /* it arrives later */
			done += n > 0 ? (size_t)n : 0;
		}
		assert_memory_equal(got, shown, sizeof(shown) - 1);
		notes_free(notes);
	}
	close(slave);
	close(master);
}

static void test_notes_full_stderr(void **state)
{
	struct notes *notes;
	struct fd_stream *in;
	size_t total = 0;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	notes = notes_new(fds[1]);
	in = fd_stream_new(fds[0], O_RDONLY);
	assert_true(notes_deadline(notes) == UINT64_MAX);
	while (notes_write(notes, block, 4096, 1000) == 4096)
		total += 4096;
	assert_true(notes_deadline(notes) == 2000);
	assert_int_equal(notes_write(notes, block, 100, 1999), 0);
	assert_int_equal(notes_write(notes, block, 100, 2000), 100);
	assert_true(notes_deadline(notes) == UINT64_MAX);
	assert_int_equal(notes_write(notes, block, 200, 2001), 200); /* no second wait */
	assert_int_equal(drain(in), total);
	assert_int_equal(notes_write(notes, block, 300, 2002), 300);
	assert_int_equal(drain(in), 300);
	close(fds[0]);
	fd_stream_free(in);
	assert_int_equal(notes_write(notes, block, 100, 2003), 100); /* the reading end is closed */
	notes_free(notes);
	notes_free(NULL);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pipe, start_clock),
		cmocka_unit_test_setup(test_socket, start_clock),
		cmocka_unit_test_setup(test_already_nonblocking, start_clock),
		cmocka_unit_test_setup(test_pipe_polled, start_clock),
		cmocka_unit_test_setup(test_file, start_clock),
		cmocka_unit_test_setup(test_errors, start_clock),
		cmocka_unit_test_setup(test_tty, start_clock),
		cmocka_unit_test_setup(test_tty_not_a_terminal, start_clock),
		cmocka_unit_test_setup(test_tty_background, start_clock),
		cmocka_unit_test_setup(test_notes_terminal, start_clock),
		cmocka_unit_test_setup(test_notes_full_stderr, start_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
