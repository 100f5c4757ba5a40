/* SPDX-License-Identifier: Apache-2.0 */
/* Causes system calls that a session's program reports in a perf ring, and reads the records.
 *
 * usage: event_load text SETUP COUNT BATCH COMMAND...
 *        event_load rpc TRACEPOINT COUNT BATCH COMMAND...
 *        event_load rate TRACEPOINT COUNT PER-SECOND COMMAND...
 * COMMAND starts the session. SETUP is a file of commands; the last one returns the ring, of CPU 0,
 * on which this program runs. text and rpc make BATCH calls at a time and read their records. rate
 * makes PER-SECOND calls each second, without waiting for records. Prints the number of records,
 * then a line of measure.h. */
#include "tests/bench/measure.h"
#include "tests/tools/pipes.h"
#include "tests/tools/rpc_calls.h"

#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>

#define RING_BYTES (256u * 1024)
#define RECORD	   24	      /* header, length, and 8 bytes padded */
#define LAST_NS	   2000000000 /* timeout for the last records */

static void make_events(unsigned int count)
{
	while (count--)
		syscall(SYS_getpgid, 0);
}

static void expect(int number, const char *what)
{
	if (number < 0) {
		fprintf(stderr, "event_load: %s: %s\n", what, strerror(-number));
		exit(1);
	}
}

/* Reads a reply. Returns the number of lines in its body; *result is the number after ret=. */
static unsigned int text_reply(FILE *from, int *result)
{
	static char *line;
	static size_t size;
	unsigned int lines = 0;
	const char *ret;

	*result = 0;
	while (getline(&line, &size, from) > 0) {
		if (strcmp(line, "END_BPFD_OUTPUT\n") == 0)
			return lines;
		ret = strstr(line, "ret=");
		if (ret)
			*result = atoi(ret + 4);
		if (strncmp(line, "STARTED", 7) != 0 && strncmp(line, "START_", 6) != 0)
			lines++;
	}
	peer_die("the session ended");
	return 0;
}

static unsigned int run_text(
	const char *file, unsigned int count, unsigned int batch, char **command, struct measure *m)
{
	static struct peer peer;
	FILE *from, *setup = fopen(file, "r");
	unsigned int got = 0;
	char *line = NULL, poll[64];
	size_t size = 0;
	ssize_t len;
	int ring = -1, ret;

	peer.child = pipes_start(command, &peer.to, &peer.from);
	from = fdopen(peer.from, "r");
	if (!from || !setup)
		peer_die(file);
	while ((len = getline(&line, &size, setup)) > 0) {
		peer_write(&peer, line, (size_t)len);
		text_reply(from, &ret);
		expect(ret, line);
		if (strncmp(line, "BPF_OPEN_PERF", 13) == 0)
			ring = ret;
	}
	snprintf(poll, sizeof(poll), "PERF_READER_POLL 5000 1 %d\n", ring);
	measure_begin(m);
	while (got < count) {
		unsigned int before = got;

		make_events(batch);
		while (got < before + batch) {
			unsigned int lines;

			peer_write(&peer, poll, strlen(poll));
			lines = text_reply(from, &ret);
			if (lines == 0)
				peer_die("a record is lost");
			got += lines;
		}
	}
	measure_end(m);
	close(peer.to);
	fclose(from);
	waitpid(peer.child, &ret, 0);
	return got;
}

static int rpc_ring(struct peer *peer, uint64_t point_id)
{
	struct perf_event_attr point = {.type = PERF_TYPE_TRACEPOINT, .config = point_id};
	uint32_t zero = 0;
	int map = peer_map(peer, BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1, 0), prog;
	int event = peer_output_event(peer);

	expect(event, "perf ring");
	expect(peer_update(peer, map, &zero, 4, &event, 4), "map");
	expect(peer_ioctl(peer, event, PERF_EVENT_IOC_ENABLE, 0), "enable");
	expect(peer_ring(peer, event, RING_BYTES, UINT64_MAX), "ring");
	prog = peer_load_emit(peer, BPF_PROG_TYPE_TRACEPOINT, map, false);
	expect(prog, "program");
	expect(peer_attach(peer, &point, 0, NULL, prog), "tracepoint");
	return event;
}

/* Reads messages until the time due_ns, or until there are so many bytes. */
static void take_until(
	struct peer *peer, const struct bytes_out *ring, size_t bytes, uint64_t due_ns)
{
	struct pollfd from = {.fd = peer->from, .events = POLLIN};
	struct rpc_header header;
	uint64_t now_ns;

	while (ring->size < bytes && (now_ns = measure_ns()) < due_ns) {
		const struct timespec left = {(time_t)((due_ns - now_ns) / 1000000000),
			(long)((due_ns - now_ns) % 1000000000)};

		if (ppoll(&from, 1, &left, NULL) > 0)
			peer_receive(peer, &header);
	}
}

static unsigned int run_rate(
	uint64_t point, unsigned int count, unsigned int rate, char **command, struct measure *m)
{
	static struct peer peer;
	struct bytes_out *ring;
	unsigned int got;

	peer_start(&peer, command);
	ring = &peer.rings[rpc_ring(&peer, point)];
	ring->size = 0;
	measure_begin(m);
	for (unsigned int i = 0; i < count; i++) {
		make_events(1);
		take_until(
			&peer, ring, SIZE_MAX, m->begin_ns + (uint64_t)(i + 1) * 1000000000 / rate);
	}
	take_until(&peer, ring, count * RECORD, measure_ns() + LAST_NS);
	measure_end(m);
	got = (unsigned int)(ring->size / RECORD);
	if (got < count)
		peer_die("a record is lost");
	peer_end(&peer);
	return got;
}

static unsigned int run_rpc(
	uint64_t point, unsigned int count, unsigned int batch, char **command, struct measure *m)
{
	static struct peer peer;
	struct rpc_header header;
	unsigned int got = 0;
	int event;

	peer_start(&peer, command);
	event = rpc_ring(&peer, point);
	measure_begin(m);
	while (got < count) {
		peer.rings[event].size = 0;
		make_events(batch);
		while (peer.rings[event].size < batch * RECORD)
			peer_receive(&peer, &header);
		got += (unsigned int)(peer.rings[event].size / RECORD);
	}
	measure_end(m);
	peer_end(&peer);
	return got;
}

int main(int argc, char **argv)
{
	unsigned int count, batch, got;
	struct measure m;
	cpu_set_t first;

	if (argc < 6) {
		fputs("usage: event_load text|rpc|rate SETUP COUNT BATCH COMMAND...\n", stderr);
		return 2;
	}
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) < 0)
		peer_die("CPU 0");
	count = (unsigned int)strtoul(argv[3], NULL, 10);
	batch = (unsigned int)strtoul(argv[4], NULL, 10);
	if (strcmp(argv[1], "text") == 0)
		got = run_text(argv[2], count, batch, argv + 5, &m);
	else if (strcmp(argv[1], "rate") == 0)
		got = run_rate(strtoull(argv[2], NULL, 10), count, batch, argv + 5, &m);
	else
		got = run_rpc(strtoull(argv[2], NULL, 10), count, batch, argv + 5, &m);
	measure_print(&m, got);
	return 0;
}
