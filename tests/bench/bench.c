/* SPDX-License-Identifier: Apache-2.0 */
/* Library of the benchmarks: rows, input for a program, programs that answer over pipes. */
#include "tests/bench/bench.h"

#include "core/base/base64.h"
#include "tests/tools/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(args);
	exit(1);
}

void one_processor(bool on)
{
	static cpu_set_t all;
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (on && sched_getaffinity(0, sizeof(all), &all))
		fail("affinity");
	if (sched_setaffinity(0, sizeof(first), on ? &first : &all))
		fail("affinity");
}

const char *base64(const void *data, size_t size)
{
	static char texts[2][1024];
	static unsigned int turn;
	char *text = texts[turn++ % 2];

	if (BASE64_SIZE(size) >= sizeof(texts[0]))
		fail("base64 of %zu bytes", size);
	base64_encode(text, data, size);
	text[BASE64_SIZE(size)] = '\0';
	return text;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(struct samples *s)
{
	qsort(s->value, ROUNDS, sizeof(s->value[0]), by_value);
	return s->value[ROUNDS / 2];
}

struct samples always(double value)
{
	struct samples s;

	for (int i = 0; i < ROUNDS; i++)
		s.value[i] = value;
	return s;
}

int sys_bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int must_bpf(int command, union bpf_attr *attr)
{
	int ret = sys_bpf(command, attr);

	if (ret < 0)
		fail("bpf %d", command);
	return ret;
}

void row(const char *name, const char *unit, struct samples *ours, const char *base_name,
	struct samples *base, const char *aim)
{
	double value = median(ours), base_value = median(base);
	const char *clock =
		getenv("BPFD_BENCH_CLOCK"); /* name of another clock than the usual one */

	printf("{\"row\":\"%s%s%s\",\"value\":%.6g,\"low\":%.6g,\"high\":%.6g,\"unit\":\"%s\","
	       "\"base\":\"%s\",\"base_value\":%.6g,\"ratio\":%.3f,\"aim\":\"%s\"}\n",
		name, clock ? ", " : "", clock ? clock : "", value, ours->value[0],
		ours->value[ROUNDS - 1], unit, base_name, base_value, value / base_value, aim);
	fflush(stdout);
}

void point(const char *series, double x, double y, const char *unit)
{
	const char *clock = getenv("BPFD_BENCH_CLOCK");

	printf("{\"series\":\"%s%s%s\",\"x\":%.6g,\"y\":%.6g,\"unit\":\"%s\"}\n", series,
		clock ? ", " : "", clock ? clock : "", x, y, unit);
	fflush(stdout);
}

FILE *input_new(void)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

	if (!file)
		fail("memfd");
	return file;
}

double run(const char *program, FILE *input)
{
	int output = memfd_create("output", MFD_CLOEXEC), status;
	double begin;
	pid_t pid;

	fflush(input);
	if (output < 0 || lseek(fileno(input), 0, SEEK_SET) < 0)
		fail("memfd");
	begin = now();
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(fileno(input), STDIN_FILENO);
		dup2(output, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl(program, program, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
		WEXITSTATUS(status) == 127)
		fail("%s", program);
	begin = now() - begin;
	close(output);
	return begin;
}

long memory_of(pid_t pid, const char *what)
{
	char path[64], line[256];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtol(line + strlen(what) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

static void echo(void)
{
	char text[4096];
	ssize_t n;

	close_range(STDERR_FILENO + 1, ~0U, 0); /* other peers must see the end of their pipes */
	while ((n = read(STDIN_FILENO, text, sizeof(text))) > 0)
		if (write(STDOUT_FILENO, text, (size_t)n) != n)
			break;
	_exit(0);
}

struct peer peer_start(const char *program)
{
	char *command[] = {(char *)program, NULL};
	struct peer peer;

	peer.pid = pipes_start(command, &peer.in, &peer.out);
	if (peer.pid == 0)
		echo();
	return peer;
}

void peer_stop(struct peer *peer)
{
	close(peer->in);
	close(peer->out);
	waitpid(peer->pid, NULL, 0);
}

void peer_send(struct peer *peer, const char *text, size_t size)
{
	if (write(peer->in, text, size) != (ssize_t)size)
		fail("write");
}

const char *peer_until(struct peer *peer, const char *end, unsigned int *lines)
{
	static char text[(1 << 20) + 1];
	size_t length = strlen(end), size = 0, room = sizeof(text) - 1;

	do {
		ssize_t n = read(peer->out, text + size, room - size);

		if (n <= 0)
			fail("read");
		for (const char *at = text + size; lines && at < text + size + n; at++)
			*lines += *at == '\n';
		size += (size_t)n;
		if (size > room / 2 &&
			(size < length || memcmp(text + size - length, end, length) != 0)) {
			memmove(text, text + size - length, length); /* only the end matters */
			size = length;
		}
	} while (size < length || memcmp(text + size - length, end, length) != 0);
	text[size] = 0;
	return text;
}

const char reply_end[] = "END_BPFD_OUTPUT\n";

double round_trips(struct peer *peer, const char *line, const char *end, unsigned int count)
{
	double begin = now();

	for (unsigned int i = 0; i < count; i++) {
		peer_send(peer, line, strlen(line));
		peer_until(peer, end, NULL);
	}
	return (now() - begin) / count;
}

struct peer bpfd_start(const char *program)
{
	struct peer peer = peer_start(program);

	peer_until(&peer, "STARTED_BPFD\n", NULL);
	return peer;
}

int peer_ask(struct peer *peer, const char *format, ...)
{
	char line[1024];
	const char *at;
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	peer_send(peer, line, strlen(line));
	at = strstr(peer_until(peer, reply_end, NULL), "ret=");
	if (!at || strtol(at + 4, NULL, 10) < 0) {
		errno = at ? (int)-strtol(at + 4, NULL, 10) : EPROTO;
		fail("%.40s", line);
	}
	return (int)strtol(at + 4, NULL, 10);
}

double peer_cpu(const struct peer *peer)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(peer->pid, &clock) || clock_gettime(clock, &t))
		fail("clock");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Reads the replies while another process sends. */
void peer_feed(struct peer *peer, FILE *input)
{
	char last[64], end[64];
	off_t at = 0, size;
	pid_t pid;

	snprintf(last, sizeof(last), "COMM_FOR_PID %d\n", (int)getpid());
	snprintf(end, sizeof(end), "%s\n%s", program_invocation_short_name, reply_end);
	fflush(input);
	size = lseek(fileno(input), 0, SEEK_END);
	pid = fork();
	if (pid == 0) {
		while (at < size && sendfile(peer->in, fileno(input), &at, (size_t)(size - at)) > 0)
			;
		_exit(write(peer->in, last, strlen(last)) < 0);
	}
	if (pid < 0)
		fail("fork");
	peer_until(peer, end, NULL);
	waitpid(pid, NULL, 0);
}
