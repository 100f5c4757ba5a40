/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a session on the board. The first line of its input selects what it does:
 * "MODE LANE NUMBER KEY TOTAL CODE LIMIT". Without a line it runs bpfd, which cleans up. */
#include "tests/campaign/campaign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BLOCK 4096
#define NOTE  2048

struct order {
	unsigned int mode, lane, code;
	uint64_t number, key, total, limit;
};

/* Reads byte by byte, because the program that is started next reads the rest of the input. */
static bool read_line(char *line, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && read(STDIN_FILENO, &line[len], 1) == 1) {
		if (line[len] == '\n') {
			line[len] = '\0';
			return true;
		}
		len++;
	}
	return false;
}

static void write_pid(const struct order *o)
{
	char path[64], text[96];
	FILE *file;

	snprintf(path, sizeof(path), PID_FILE, o->lane);
	snprintf(text, sizeof(text), "%s.%d", path, (int)getpid());
	file = fopen(text, "we");
	if (!file)
		return;
	fprintf(file, "%d %" PRIu64 "\n", (int)getpid(), o->number);
	fclose(file);
	rename(text, path);
}

static bool put_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static int echo(const struct order *o)
{
	uint8_t data[BLOCK];
	ssize_t n;

	while ((n = read(STDIN_FILENO, data, sizeof(data))) > 0)
		if (!put_all(STDOUT_FILENO, data, (size_t)n))
			return 1;
	return n < 0 ? 1 : (int)o->code;
}

static int generate(const struct order *o, bool notes)
{
	uint8_t data[BLOCK];
	size_t part;

	for (uint64_t at = 0; at < o->total; at += part) {
		part = o->total - at < sizeof(data) ? (size_t)(o->total - at) : sizeof(data);
		pattern(o->key, at, data, part);
		if (!put_all(STDOUT_FILENO, data, part))
			return 1;
		memset(data, 'n', NOTE);
		data[NOTE - 1] = '\n';
		if (notes && !put_all(STDERR_FILENO, data, NOTE))
			return 1;
	}
	return (int)o->code;
}

static void limit(int resource, uint64_t value)
{
	const struct rlimit r = {value, value};

	setrlimit(resource, &r);
}

static int run_bpfd(const char *build)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/bpfd", build);
	execl(path, "bpfd", "-q", (char *)NULL);
	return 127;
}

int child_main(const char *build)
{
	struct order o = {0};
	char line[200];

	if (!read_line(line, sizeof(line)))
		return run_bpfd(build);
	if (sscanf(line, "%u %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %u %" SCNu64, &o.mode, &o.lane,
		    &o.number, &o.key, &o.total, &o.code, &o.limit) != 7)
		return 126;
	write_pid(&o);
	switch ((enum mode)o.mode) {
	case MODE_ECHO:
		return echo(&o);
	case MODE_GEN:
	case MODE_NOTES:
		return generate(&o, o.mode == MODE_NOTES);
	case MODE_NOMEM:
		limit(RLIMIT_AS, o.limit << 20);
		break;
	case MODE_NOFD:
		limit(RLIMIT_NOFILE, o.limit);
		break;
	default:
		break;
	}
	return run_bpfd(build);
}
