/* SPDX-License-Identifier: Apache-2.0 */
/* A fast program at the host's end of a session.
 *
 * usage: session_load in BYTES SETUP COMMAND...
 *        session_load out BYTES SETUP COMMAND...
 *        session_load ping COUNT SETUP LINE END COMMAND...
 *        session_load hops COUNT BYTES
 * Starts COMMAND with pipes and sends it the line SETUP. in: COMMAND runs a shell; reads BYTES and
 * measures from the first byte on. out: waits for "ready", writes BYTES, waits for "done". ping:
 * waits for END, then COUNT times sends LINE and waits for END. hops: sends BYTES to a process and
 * back, through two pipes with poll, without a command. Prints MB/s, or the median of the round
 * trips in microseconds; see measure.h for the rest. */
#include "tests/bench/measure.h"
#include "tests/tools/pipes.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define CHUNK	 65536
#define PING_MAX 20000

static int to, from;

static void die(const char *what)
{
	fprintf(stderr, "session_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(to, data, len);

		if (n <= 0)
			die("write");
		data += n;
		len -= (size_t)n;
	}
}

static size_t take(char *data, size_t len)
{
	ssize_t n = read(from, data, len);

	if (n <= 0) {
		errno = n ? errno : EPIPE;
		die("read");
	}
	return (size_t)n;
}

/* Reads until the data ends with `end`. */
static void take_until(const char *end)
{
	static char data[CHUNK];
	size_t len = 0, wanted = strlen(end);

	do {
		if (len == sizeof(data))
			len = 0;
		len += take(data + len, sizeof(data) - len);
	} while (len < wanted || memcmp(data + len - wanted, end, wanted) != 0);
}

static void setup(const char *text)
{
	put(text, strlen(text));
	put("\n", 1);
}

static double run_in(struct measure *m, const char *what, uint64_t bytes)
{
	static char data[CHUNK];
	uint64_t first, got;

	setup("echo ready");
	take_until("ready\n");
	measure_begin(m);
	setup(what);
	got = first = take(data, sizeof(data));
	m->begin_ns = measure_ns();
	while (got < bytes)
		got += take(data, sizeof(data));
	measure_end(m);
	return (double)(got - first) * 1e3 / (double)(m->end_ns - m->begin_ns);
}

static double run_out(struct measure *m, const char *what, uint64_t bytes)
{
	static char data[CHUNK];

	setup(what);
	take_until("ready\n");
	measure_begin(m);
	for (uint64_t left = bytes; left > 0;) {
		size_t part = left < sizeof(data) ? (size_t)left : sizeof(data);

		put(data, part);
		left -= part;
	}
	take_until("done\n");
	measure_end(m);
	return (double)bytes * 1e3 / (double)(m->end_ns - m->begin_ns);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Returns the median in microseconds. If `end` is NULL, as many bytes come back as are sent. */
static double run_ping(
	struct measure *m, unsigned int count, const char *line, size_t len, const char *end)
{
	static uint64_t times[PING_MAX];
	static char data[CHUNK];

	if (count == 0 || count > PING_MAX)
		die("COUNT");
	measure_begin(m);
	for (unsigned int i = 0; i < count; i++) {
		measure_pause();
		times[i] = measure_ns();
		put(line, len);
		if (end)
			take_until(end);
		else
			for (size_t got = 0; got < len;)
				got += take(data, sizeof(data));
		times[i] = measure_ns() - times[i];
	}
	measure_end(m);
	qsort(times, count, sizeof(times[0]), compare);
	return (double)times[count / 2] / 1e3;
}

/* The other process of `hops`. It waits with poll, like the programs of the link. */
static void relay(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char data[CHUNK];
	ssize_t n;

	while (poll(&p, 1, -1) > 0 && (n = read(STDIN_FILENO, data, sizeof(data))) > 0)
		if (write(STDOUT_FILENO, data, (size_t)n) != n)
			break;
	_exit(0);
}

static void end(pid_t pid)
{
	int status;

	close(to);
	close(from);
	if (waitpid(pid, &status, 0) < 0)
		die("wait");
}

static int usage(void)
{
	fputs("usage: session_load in|out BYTES SETUP COMMAND...\n"
	      "       session_load ping COUNT SETUP LINE END COMMAND...\n"
	      "       session_load hops COUNT BYTES\n",
		stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static char block[CHUNK], line[1024], last[256];
	char *none[] = {NULL};
	struct measure m;
	double value;
	uint64_t amount;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 4)
		return usage();
	amount = strtoull(argv[2], NULL, 10);
	if (strcmp(argv[1], "hops") == 0) {
		size_t len = strtoul(argv[3], NULL, 10);

		pid = pipes_start(none, &to, &from);
		if (pid == 0)
			relay();
		value = run_ping(&m, (unsigned int)amount, block, len, NULL);
	} else if (strcmp(argv[1], "ping") == 0 && argc > 6) {
		snprintf(line, sizeof(line), "%s\n", argv[4]);
		snprintf(last, sizeof(last), "%s\n", argv[5]);
		pid = pipes_start(argv + 6, &to, &from);
		setup(argv[3]);
		take_until(last);
		value = run_ping(&m, (unsigned int)amount, line, strlen(line), last);
	} else if (argc > 4 && (strcmp(argv[1], "in") == 0 || strcmp(argv[1], "out") == 0)) {
		pid = pipes_start(argv + 4, &to, &from);
		value = argv[1][0] == 'i' ? run_in(&m, argv[3], amount)
					  : run_out(&m, argv[3], amount);
	} else {
		return usage();
	}
	measure_print(&m, value);
	end(pid);
	return 0;
}
