/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake with bpfd over the command of --via; here shell scripts are the commands. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host-usb/run/via.h"

static char script[] = "/tmp/test_run_via.XXXXXX";
static char messages[8192]; /* what was logged */

/* Runs the handshake with a shell script. Stores its stderr in messages[], its output after the
 * handshake in rest[], and its wait status in *status. */
static int handshake(const char *text, char rest[64], int *status)
{
	int saved = dup(STDERR_FILENO), fd, err, log[2];
	char command[64];
	struct via via;
	size_t have = 0;
	ssize_t n;

	fd = open(script, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	snprintf(command, sizeof(command), "sh %s", script);
	assert_int_equal(pipe2(log, O_CLOEXEC | O_NONBLOCK), 0);
	dup2(log[1], STDERR_FILENO);
	assert_int_equal(via_start(&via, command), 0);
	err = via_handshake(&via, command);
	dup2(saved, STDERR_FILENO);
	while (!err && have < 63 && (n = read(via.in, rest + have, 63 - have)) > 0)
		have += (size_t)n;
	rest[have] = 0;
	*status = via_end(&via);
	n = read(log[0], messages, sizeof(messages) - 1);
	messages[n > 0 ? n : 0] = 0;
	close(log[0]);
	close(log[1]);
	close(saved);
	return err;
}

/* Text for printf(1), which may contain bytes as octal numbers. */
#define SAY(text) "printf '%b' '" text "'\n"
#define BANNER	  SAY("STARTED_BPFD\\n")
#define LINE(l)	  SAY("START_BPFD_OUTPUT\\n" l "\\nEND_BPFD_OUTPUT\\n")
#define LISTEN	  "read a; read b\n[ \"$a $b\" = 'BPFD_VERSION BPFD_RPC 1' ] || exit 7\n"
#define GOOD	  LINE("0.1.0 1 6.1.0 x86_64 0-1 btf") LINE("bpfd_rpc: ret=0")

static void assert_works(const char *text, const char *after)
{
	char rest[64];
	int status;

	if (handshake(text, rest, &status))
		fail_msg("refused: %s", messages);
	assert_string_equal(rest, after);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_good(void **state)
{
	assert_works(BANNER LISTEN GOOD, "");
	/* The first message may arrive in the same read. The handshake must leave it unread. */
	assert_works(BANNER LISTEN SAY(
			     "START_BPFD_OUTPUT\\n0.1.0 1\\nEND_BPFD_OUTPUT\\nSTART_BPFD_OUTPUT\\n"
			     "bpfd_rpc: ret=0\\nEND_BPFD_OUTPUT\\n\\0001message"),
		"\001message");
}

static void test_noise_and_pieces(void **state)
{
	assert_works(SAY("Last login: today\\r\\n\\r\\n$ \\nSTARTED_BPFD \\nSTARTED\\n")
			     BANNER LISTEN GOOD,
		"");
	assert_works(
		"printf START; sleep 0.1; printf 'ED_BPFD'; sleep 0.1; printf '\\n'\n" LISTEN GOOD,
		"");
	assert_works(SAY("STARTED_BPFD\\r\\n") LISTEN GOOD, ""); /* as from a terminal */
	/* A line that is longer than the buffer. */
	assert_works("head -c 100000 /dev/zero | tr '\\0' x; echo\n" BANNER LISTEN GOOD, "");
	/* Replies in many pieces. */
	assert_works(BANNER LISTEN "printf 'START_BPFD_OUT'; sleep 0.1; printf "
				   "'PUT\\n0.1.0 1\\nEND'; sleep 0.1; printf "
				   "'_BPFD_OUTPUT\\n'\n" LINE("bpfd_rpc: ret=0"),
		"");
}

static void assert_refused(const char *text, const char *said)
{
	char rest[64];
	int status;

	assert_int_equal(handshake(text, rest, &status), -EPROTO);
	if (!strstr(messages, said))
		fail_msg("\"%s\" is not in: %s", said, messages);
}

static void test_refused(void **state)
{
	assert_refused("", "ended before bpfd answered");
	assert_refused("exec cat\n", "it repeats its input");
	assert_refused("exec cat /dev/zero\n", "it does not stop sending");
	assert_refused(BANNER "exec yes\n", "it does not stop sending");
	assert_refused("exit 3\n", "ended before bpfd answered");
	assert_refused("printf STARTED_BPFD\n", "ended before bpfd answered"); /* no newline */
	assert_refused(BANNER, "ended before bpfd answered");
	assert_refused(
		BANNER LISTEN SAY("START_BPFD_OUTPUT\\n0.1.0"), "ended before bpfd answered");
	assert_refused("no-such-command-as-this\n", "ended before bpfd answered");
	assert_refused("seq 1 300\n", "this is not bpfd; its last line was \"256\"");
	/* A bpfd that does not know BPFD_RPC, or refuses it. */
	assert_refused(BANNER LISTEN LINE("0.0.9 1 6.1.0") LINE("Command not recognized"),
		"version 0.0.9");
	assert_refused(BANNER LISTEN LINE("Command not recognized") LINE("Command not recognized"),
		"version unknown");
	assert_refused(
		BANNER LISTEN LINE("0.2.0 1 6.1.0") LINE("bpfd_rpc: ret=-93"), "version 0.2.0");
	assert_refused(
		BANNER LISTEN LINE("0.2.0 1 6.1.0") LINE("bpfd_rpc: ret=01"), "version 0.2.0");
}

static void test_status(void **state)
{
	char rest[64];
	int status;

	assert_int_equal(handshake(BANNER LISTEN GOOD "exit 41\n", rest, &status), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 41);
	assert_int_equal(handshake("kill -9 $$\n", rest, &status), -EPROTO);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* The command runs in a session of its own, so Ctrl-C does not reach it. It inherits only its
 * standard input and output. */
static void test_own_session(void **state)
{
	int ours = open("/dev/null", O_RDONLY); /* not close-on-exec */
	char rest[64], wanted[16];
	struct via via;
	ssize_t n = 0, more;

	assert_int_equal(via_start(&via, "cat /proc/self/stat"), 0);
	while ((more = read(via.in, rest + n, (size_t)(63 - n))) > 0)
		n += more;
	rest[n] = 0;
	snprintf(wanted, sizeof(wanted), " %d %d ", (int)via.pid, (int)via.pid);
	assert_non_null(strstr(rest, wanted)); /* process group and session */
	via_end(&via);
	close(ours);
}

static int setup(void **state)
{
	int fd = mkstemp(script);

	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	close(fd);
	return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	return unlink(script);
}

static void assert_identity(const char *command, const char *wanted)
{
	char text[VIA_IDENTITY_SIZE], rest[64];
	struct via via;

	assert_int_equal(via_start(&via, command), 0);
	while (read(via.in, rest, sizeof(rest)) > 0)
		;
	via_identity(&via, command, text);
	via_end(&via);
	assert_string_equal(text, wanted);
}

/* bpfd-usb reports which board it has found. For another command its text identifies the board. */
static void test_identity(void **state)
{
	setenv(VIA_BOARD_VARIABLE, "2", 1); /* of a bpfd-run around this one */
	assert_identity("true", "--via true");
	assert_identity("sh -c \"printf 'board 7' >/proc/self/fd/$" VIA_BOARD_VARIABLE "; echo\"",
		"board 7");
	assert_identity("exit 3", "--via exit 3");
	unsetenv(VIA_BOARD_VARIABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_noise_and_pieces),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_own_session),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
