/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the binary protocol with a real kernel: streams. */
#include "tests/tools/rpc_checks.h"

/* Counts the records that a perf ring has sent. */
static void count_records(
	const struct bytes_out *data, unsigned int *samples, uint64_t *lost, bool *in_order)
{
	uint64_t before = 0;

	*samples = 0;
	*lost = 0;
	*in_order = true;
	for (size_t at = 0; at < data->size;) {
		struct perf_event_header header;
		uint64_t value;

		memcpy(&header, data->data + at, sizeof(header));
		expect(header.size >= 16 && header.size % 8 == 0 && header.size <= data->size - at);
		if (header.type == PERF_RECORD_SAMPLE) { /* a size of 4 bytes, then the data */
			memcpy(&value, data->data + at + 12, sizeof(value));
			*in_order = *in_order && value > before;
			before = value;
			++*samples;
		} else if (header.type == PERF_RECORD_LOST) {
			memcpy(&value, data->data + at + 16, sizeof(value));
			*lost += value;
		}
		at += header.size;
	}
}

/* Opens a ring and attaches a program that writes into it. The check must run on CPU 0, whose ring
 * it is. */
static int open_ring(struct peer *peer, uint64_t bytes, uint64_t credit)
{
	struct perf_event_attr point = {.type = PERF_TYPE_TRACEPOINT};
	uint32_t zero = 0;
	int map, prog, event;

	map = peer_map(peer, BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1, 0);
	event = peer_output_event(peer);
	expect(event > 0);
	expect_number(peer_update(peer, map, &zero, 4, &event, 4), 0);
	expect_number(peer_ioctl(peer, event, PERF_EVENT_IOC_ENABLE, 0), 0);
	expect_number(peer_ring(peer, event, bytes, credit), 0);
	expect_number(peer_ring(peer, event, bytes, credit), -EBUSY);
	prog = peer_load_emit(peer, BPF_PROG_TYPE_TRACEPOINT, map, false);
	expect(prog > 0);
	point.config = tracepoint_id(peer);
	expect(peer_attach(peer, &point, 0, NULL, prog) > 0);
	return event;
}

/* Waits until the board has sent all ring data: its replies to HELLO come after that data. */
static void settle(struct peer *peer)
{
	struct rpc_hello hello;

	for (int i = 0; i < 3; i++) {
		wait_ms(150);
		expect_number(peer_hello(peer, &hello), 0);
	}
}

static void check_ring(void)
{
	const struct bytes_out *data;
	unsigned int samples;
	struct peer peer;
	bool in_order;
	uint64_t lost;
	size_t first;
	int event;

	start(&peer);
	event = open_ring(&peer, 16 * RING, 0);
	data = &peer.rings[event];
	make_events(100);
	settle(&peer);
	expect_number(data->size, 0);	/* no credit */
	peer_credit(&peer, event, 100); /* four records of 24 bytes */
	settle(&peer);
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 4);
	peer_credit(&peer, event, 50); /* lower: no effect */
	peer_credit(&peer, event, 1 << 20);
	settle(&peer);
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 100);
	expect_number(lost, 0);
	expect(in_order);
	first = data->size;
	make_events(1);
	while (data->size == first) { /* the board sends it without a request */
		struct rpc_header header;

		peer_receive(&peer, &header);
	}
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 101);
	peer_close(&peer, event);
	make_events(10);
	settle(&peer);
	count_records(data, &samples, &lost, &in_order);
	expect_number(samples, 101);
	end(&peer);
}

/* Without credit the ring overflows: the records sent and the records lost must add up to all. */
static void check_lost(void)
{
	unsigned int samples, sent = 0;
	struct peer peer;
	bool in_order;
	uint64_t lost;
	int event;

	start(&peer);
	event = open_ring(&peer, RING, 0);
	make_events(SYSCALLS);
	settle(&peer);
	peer_credit(&peer, event, UINT64_MAX);
	settle(&peer);
	make_events(1); /* the kernel reports a loss before the next record */
	settle(&peer);
	count_records(&peer.rings[event], &samples, &lost, &in_order);
	sent = SYSCALLS + 1;
	expect(lost > 0);
	expect_number(samples + lost, sent);
	expect(in_order);
	end(&peer);
}

static void check_ringbuf(void)
{
	struct perf_event_attr point = {.type = PERF_TYPE_TRACEPOINT};
	const struct bytes_out *data;
	struct peer peer;
	int map, prog;

	start(&peer);
	map = peer_map(&peer, BPF_MAP_TYPE_RINGBUF, 0, 0, 4 * RING, 0);
	expect(map > 0);
	expect_number(peer_ring(&peer, map, 2 * RING, 0), -EINVAL);
	expect_number(peer_ring(&peer, map, 4 * RING, 64), 0);
	prog = peer_load_emit(&peer, BPF_PROG_TYPE_TRACEPOINT, map, true);
	expect(prog > 0);
	point.config = tracepoint_id(&peer);
	expect(peer_attach(&peer, &point, 0, NULL, prog) > 0);
	data = &peer.rings[map];
	make_events(100); /* records of 16 bytes */
	settle(&peer);
	expect_number(data->size, 64);
	peer_credit(&peer, map, 4 * RING);
	settle(&peer);
	expect_number(data->size, 1600);
	/* Several times around the ring. */
	for (unsigned int i = 1; i <= 40; i++) {
		peer_credit(&peer, map, data->size + 4 * RING);
		make_events(500);
		while (data->size < 1600 + (size_t)i * 8000) {
			struct rpc_header header;

			peer_receive(&peer, &header);
		}
	}
	for (size_t at = 0; at < data->size; at += 16) {
		uint32_t length;

		memcpy(&length, data->data + at, sizeof(length));
		expect_number(length, 8);
	}
	end(&peer);
}

/* Follows trace_pipe, into which a shell writes by trace_marker. */
static void check_follow(void)
{
	struct peer peer;
	struct bytes_out *out;
	int handle;

	start(&peer);
	out = peer_begin(&peer, RPC_FILE_FOLLOW);
	rpc_put_string(out, "/sys/kernel/debug/tracing/trace_pipe");
	bytes_put_u64(out, 1 << 20);
	handle = peer_call(&peer);
	expect(handle > 0);
	expect_number(system("echo followed > /sys/kernel/tracing/trace_marker"), 0);
	while (!peer.rings[handle].size ||
		!memmem(peer.rings[handle].data, peer.rings[handle].size, "followed", 8)) {
		struct rpc_header header;

		peer_receive(&peer, &header);
	}
	peer_close(&peer, handle);
	end(&peer);
}

static const struct check checks[] = {
	{"ring", check_ring},
	{"lost", check_lost},
	{"ringbuf", check_ringbuf},
	{"follow", check_follow},
};

int main(int argc, char **argv)
{
	return run_check(argc, argv, checks, sizeof(checks) / sizeof(checks[0]));
}
