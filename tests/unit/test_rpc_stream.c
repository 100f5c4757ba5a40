/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over fake rings, made of files: credit, records that wrap, invalid rings. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/bpfd/reply.h"
#include "core/bpfd/rpc/operation.h"
#include "core/bpfd/rpc/stream.h"
#include "tests/unit/rpc_test.h"
#include "tests/unit/skip.h"

#define HANDLE 5

struct rig {
	size_t page, size; /* bytes of a page, and of the ring's data */
	int fd, out;
	char *memory; /* the whole file of the ring */
	struct bpfd bpfd;
	struct rpc rpc;
	uint64_t sent;	      /* bytes of ring data */
	struct bytes_out all; /* those bytes */
	unsigned int messages;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->page = rig->size = (size_t)sysconf(_SC_PAGESIZE);
	rig->fd = memfd_create("ring", MFD_CLOEXEC);
	rig->out = memory_file("", 0);
	assert_int_equal(ftruncate(rig->fd, (off_t)(4 * rig->page)), 0);
	rig->memory = mmap(NULL, 4 * rig->page, PROT_READ | PROT_WRITE, MAP_SHARED, rig->fd, 0);
	assert_true(rig->memory != MAP_FAILED);
	bpfd_config_init(&rig->bpfd.config);
	rig->bpfd.memory.max = 1 << 20;
	assert_int_equal(reply_new(&rig->bpfd.reply, rig->out, NULL), 0);
	rig->rpc.bpfd = &rig->bpfd;
	assert_int_equal(stream_set_new(&rig->rpc.streams, &rig->bpfd.memory), 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	stream_set_free(rig->rpc.streams);
	assert_int_equal(rig->bpfd.memory.used, 0);
	reply_free(rig->bpfd.reply);
	bytes_out_free(&rig->rpc.out);
	bytes_out_free(&rig->all);
	munmap(rig->memory, 4 * rig->page);
	close(rig->fd);
	close(rig->out);
	free(rig);
	return 0;
}

/* Adds the data that was sent, after an offset of the output, to rig->all. Returns the number of
 * new bytes. */
static uint64_t collect(struct rig *rig, off_t from)
{
	struct rpc_session s = {.requests = 0};
	uint64_t before = rig->sent;
	struct rpc_header header;
	struct stat st;

	assert_int_equal(reply_flush(rig->bpfd.reply), 0);
	assert_int_equal(fstat(rig->out, &st), 0);
	s.replies.size = (size_t)(st.st_size - from);
	s.output = malloc(s.replies.size + 1);
	s.replies.data = s.output;
	assert_int_equal(pread(rig->out, s.output, s.replies.size, from), s.replies.size);
	while (next_message(&s, &header)) {
		assert_int_equal(header.op, RPC_RING_DATA);
		assert_int_equal(header.flags, 0);
		assert_int_equal(header.tag, 0);
		assert_int_equal(bytes_get_u32(&s.in), HANDLE);
		assert_int_equal(bytes_get_u64(&s.in), rig->sent);
		assert_true(s.in.size > 0);
		memcpy(bytes_put_room(&rig->all, s.in.size), s.in.data, s.in.size);
		rig->sent += s.in.size;
		rig->messages++;
	}
	free(s.output);
	return rig->sent - before;
}

/* Lets the streams send until they have nothing left. Returns like collect(). */
static uint64_t gather(struct rig *rig)
{
	off_t from = lseek(rig->out, 0, SEEK_CUR);

	while (stream_set_send(&rig->rpc, rig->rpc.streams))
		;
	return collect(rig, from);
}

static struct perf_event_mmap_page *perf_page(const struct rig *rig)
{
	return (void *)rig->memory;
}

/* Writes a record of `size` bytes that contains a number, as the kernel does. */
static void perf_put(const struct rig *rig, uint16_t size, uint32_t number)
{
	const struct perf_event_header header = {.type = PERF_RECORD_SAMPLE, .size = size};
	struct perf_event_mmap_page *page = perf_page(rig);
	char record[4096] = {0};

	memcpy(record, &header, sizeof(header));
	memcpy(record + sizeof(header), &number, sizeof(number));
	assert_true(page->data_head + size - page->data_tail <= rig->size);
	for (size_t i = 0; i < size; i++)
		rig->memory[rig->page + (page->data_head + i) % rig->size] = record[i];
	page->data_head += size;
}

static void test_perf_credit(void **state)
{
	struct rig *rig = *state;
	struct stream_set *set = rig->rpc.streams;

	assert_int_equal(stream_open_perf(set, HANDLE, rig->fd, rig->size, 0), 0);
	assert_int_equal(stream_open_perf(set, HANDLE, rig->fd, rig->size, 0), -EBUSY);
	assert_int_equal(rig->bpfd.memory.used, rig->size + rig->page);
	assert_int_equal(gather(rig), 0);
	for (uint32_t i = 0; i < 10; i++)
		perf_put(rig, 24, i);
	assert_int_equal(gather(rig), 0); /* no credit */
	assert_int_equal(perf_page(rig)->data_tail, 0);
	stream_credit(set, HANDLE, 23);
	assert_int_equal(gather(rig), 0); /* less than a record */
	stream_credit(set, HANDLE, 24);
	assert_int_equal(gather(rig), 24);
	assert_int_equal(perf_page(rig)->data_tail, 24);
	stream_credit(set, HANDLE, 10);	      /* lower: ignored */
	stream_credit(set, HANDLE + 1, 1000); /* no such stream */
	assert_int_equal(gather(rig), 0);
	stream_credit(set, HANDLE, 100);
	assert_int_equal(gather(rig), 72);
	stream_credit(set, HANDLE, UINT64_MAX);
	assert_int_equal(gather(rig), 144);
	assert_int_equal(perf_page(rig)->data_tail, 240);
	stream_close(set, HANDLE);
	stream_close(set, HANDLE);
	assert_int_equal(rig->bpfd.memory.used, 0);
	perf_put(rig, 24, 0);
	assert_int_equal(gather(rig), 0);
}

/* Many times around the ring: each record arrives once, whole and in order. */
static void test_perf_wrap(void **state)
{
	struct rig *rig = *state;
	uint32_t number = 0, got;
	size_t at = 0;

	assert_int_equal(
		stream_open_perf(rig->rpc.streams, HANDLE, rig->fd, rig->size, UINT64_MAX), 0);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 5; i++, number++)
			perf_put(rig, (uint16_t)(16 + 8 * (number % 90)), number);
		gather(rig);
	}
	for (number = 0; at < rig->all.size; number++) {
		memcpy(&got, rig->all.data + at + 8, sizeof(got));
		assert_int_equal(got, number);
		at += 16 + 8 * (number % 90);
	}
	assert_int_equal(number, 1000);
	assert_int_equal(at, rig->all.size);
}

/* Bytes that are not records are skipped and not sent. */
static void test_perf_broken(void **state)
{
	struct rig *rig = *state;
	struct perf_event_mmap_page *page = perf_page(rig);

	assert_int_equal(
		stream_open_perf(rig->rpc.streams, HANDLE, rig->fd, rig->size, UINT64_MAX), 0);
	page->data_head = 64; /* zeroes */
	assert_int_equal(gather(rig), 0);
	assert_int_equal(page->data_tail, 64);
	perf_put(rig, 24, 1);
	assert_int_equal(gather(rig), 24);
	page->data_head += 10 * rig->size;
	assert_int_equal(gather(rig), 0);
	assert_int_equal(page->data_tail, page->data_head);
	perf_put(rig, 24, 2);
	page->data_head -= 8; /* a record beyond the head */
	assert_int_equal(gather(rig), 0);
}

static void test_sizes(void **state)
{
	struct rig *rig = *state;
	struct stream_set *set = rig->rpc.streams;

	assert_int_equal(stream_open_perf(set, HANDLE, rig->fd, 0, 0), -EINVAL);
	assert_int_equal(stream_open_perf(set, HANDLE, rig->fd, 3 * rig->page, 0), -EINVAL);
	assert_int_equal(stream_open_perf(set, HANDLE, rig->fd, 1ULL << 63, 0), -ENOMEM);
	assert_int_equal(stream_open_perf(set, HANDLE, rig->fd, 1 << 20, 0), -ENOMEM); /* budget */
	assert_int_equal(stream_open_perf(set, HANDLE, -1, rig->size, 0), -EBADF);
	assert_int_equal(rig->bpfd.memory.used, 0);
	assert_int_equal(
		stream_open_perf(set, HANDLE, rig->fd, 8, 0), 0); /* rounded up to a page */
	assert_int_equal(rig->bpfd.memory.used, 2 * rig->page);
}

/* Writes a record into a BPF ring buffer: the consumer's page, the producer's, the data twice. */
static void ringbuf_put(const struct rig *rig, uint32_t length, uint32_t flags, uint32_t number)
{
	unsigned long *produced = (void *)(rig->memory + rig->page);
	char *data = rig->memory + 2 * rig->page;
	size_t at = *produced % rig->size, size = (8 + length + 7) / 8 * 8;
	char record[4096] = {0};

	flags |= length;
	memcpy(record, &flags, sizeof(flags));
	memcpy(record + 8, &number, sizeof(number));
	for (size_t i = 0; i < size; i++) {
		data[at + i] = record[i];
		data[(at + i) % rig->size] = record[i];
		if (at + i < rig->size)
			data[at + i + rig->size] = record[i];
	}
	*produced += size;
}

static void test_ringbuf(void **state)
{
	struct rig *rig = *state;
	unsigned long *consumed = (void *)rig->memory;
	char *data = rig->memory + 2 * rig->page;
	const uint32_t done = 8;

	assert_int_equal(stream_open_ringbuf(rig->rpc.streams, HANDLE, rig->fd, rig->size, 40), 0);
	ringbuf_put(rig, 8, 0, 1);
	ringbuf_put(rig, 8, 1U << 30, 2); /* a discarded record is sent as well */
	ringbuf_put(rig, 8, 0, 3);
	assert_int_equal(gather(rig), 32); /* the credit */
	assert_int_equal(*consumed, 32);
	stream_credit(rig->rpc.streams, HANDLE, UINT64_MAX);
	assert_int_equal(gather(rig), 16);
	ringbuf_put(rig, 8, 1U << 31, 4); /* being written */
	ringbuf_put(rig, 8, 0, 5);
	assert_int_equal(gather(rig), 0);
	memcpy(data + 48, &done, sizeof(done));
	assert_int_equal(gather(rig), 32);
	for (uint32_t i = 0; i < 1000; i++) { /* several times around the ring */
		ringbuf_put(rig, i % 50, 0, i);
		assert_int_equal(gather(rig), (8 + i % 50 + 7) / 8 * 8);
	}
}

static void test_file(void **state)
{
	struct rig *rig = *state;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(stream_open_file(rig->rpc.streams, HANDLE, ends[0], 6), 0);
	assert_int_equal(gather(rig), 0);
	assert_int_equal(write(ends[1], "0123456789", 10), 10);
	assert_int_equal(gather(rig), 6);
	stream_credit(rig->rpc.streams, HANDLE, 100);
	assert_int_equal(gather(rig), 4);
	assert_memory_equal(rig->all.data, "0123456789", 10);
	close(ends[1]);
	assert_int_equal(gather(rig), 0); /* the end of a file is not reported */
	stream_close(rig->rpc.streams, HANDLE);
	close(ends[0]);
}

/* A wait ends for input and for data with credit, not for data without credit. */
static void put_log(int fd, size_t size, char first)
{
	char record[RPC_LOG_RECORD_MAX];

	memset(record, 'x', size);
	record[0] = first;
	record[size - 1] = '\n';
	assert_int_equal(send(fd, record, size, 0), size);
}

/* The kernel's log: each read(2) takes one record, and needs room for the longest one. A message
 * has whole records only. */
static void test_log(void **state)
{
	struct rig *rig = *state;
	struct stream_set *set = rig->rpc.streams;
	int ends[2];
	off_t from;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(stream_open_log(set, HANDLE, ends[0], 100), 0);
	put_log(ends[1], 100, '1');
	assert_int_equal(gather(rig), 0); /* the next record could be longer than the credit */
	stream_credit(set, HANDLE, RPC_LOG_RECORD_MAX);
	put_log(ends[1], 50, '2');
	assert_int_equal(gather(rig), 100);
	stream_credit(set, HANDLE, RPC_LOG_RECORD_MAX + 99);
	assert_int_equal(gather(rig), 0);
	stream_credit(set, HANDLE, 4 * RPC_LOG_RECORD_MAX);
	put_log(ends[1], RPC_LOG_RECORD_MAX, '3');
	put_log(ends[1], 10, '4');
	assert_int_equal(gather(rig), 50 + RPC_LOG_RECORD_MAX + 10);
	assert_int_equal(rig->all.data[0], '1');
	assert_int_equal(rig->all.data[100], '2');
	assert_int_equal(rig->all.data[150], '3');
	assert_int_equal(rig->all.data[150 + RPC_LOG_RECORD_MAX], '4');
	/* Sends all at once. */
	stream_credit(set, HANDLE, UINT64_MAX);
	rig->messages = 0;
	for (int i = 0; i < 10; i++)
		put_log(ends[1], RPC_LOG_RECORD_MAX, '5');
	from = lseek(rig->out, 0, SEEK_CUR);
	assert_int_equal(stream_drain(&rig->rpc, HANDLE + 1), -EBADF);
	assert_int_equal(stream_drain(&rig->rpc, HANDLE), 0);
	assert_false(stream_set_send(&rig->rpc, set));
	assert_int_equal(collect(rig, from), 10 * RPC_LOG_RECORD_MAX);
	assert_int_equal(rig->messages, 2);
	stream_close(set, HANDLE);
	close(ends[0]);
	close(ends[1]);
}

/* The log of this kernel: from its start, from its end, and not from anywhere else. */
static void test_kernel_log(void **state)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[RPC_LOG_RECORD_MAX];
	ssize_t size = fd < 0 ? -1 : read(fd, record, sizeof(record));
	struct rpc_header header;
	struct rpc_session s;

	if (size < 0)
		skip_because("/dev/kmsg cannot be read");
	session_begin(&s);
	for (uint32_t from = 0; from < 4; from++) {
		size_t start = request(&s, RPC_FILE_FOLLOW);

		rpc_put_string(&s.input, "/dev/kmsg");
		bytes_put_u64(&s.input, 64 << 20);
		if (from) /* hosts of minor version 0 send no start */
			bytes_put_u32(&s.input, from);
		request_end(&s, start);
		start = request(&s, RPC_RING_SYNC);
		bytes_put_u32(&s.input, 3);
		request_end(&s, start);
		start = request(&s, RPC_CLOSE);
		bytes_put_u32(&s.input, 3);
		request_end(&s, start);
	}
	session_run(&s, 0);
	assert_int_equal(next_reply(&s), 3);
	assert_true(next_message(&s, &header)); /* the data comes before the reply of RING_SYNC */
	assert_int_equal(header.op, RPC_RING_DATA);
	assert_int_equal(bytes_get_u32(&s.in), 3);
	assert_int_equal(bytes_get_u64(&s.in), 0);
	assert_true(s.in.size >= (size_t)size);
	assert_memory_equal(s.in.data, record, size);
	do {
		assert_true(next_message(&s, &header));
	} while (header.op == RPC_RING_DATA);
	assert_int_equal(header.op, RPC_RING_SYNC);
	assert_int_equal(bytes_get_u32(&s.in), 0);
	do {
		assert_true(next_message(&s, &header)); /* from the last clear */
	} while (header.op != RPC_RING_SYNC);
	assert_int_equal(next_reply(&s), 3); /* from the end: no data */
	assert_int_equal(next_reply(&s), 0);
	assert_int_equal(next_reply(&s), -EINVAL);
	assert_int_equal(next_reply(&s), -EBADF);
	session_end(&s);
	close(fd);
}

static void test_poll(void **state)
{
	struct rig *rig = *state;
	int input[2], file[2];

	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(pipe2(file, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(stream_set_poll(rig->rpc.streams, input[0], false), 0);
	assert_int_equal(stream_open_file(rig->rpc.streams, HANDLE, file[0], 0), 0);
	assert_int_equal(write(file[1], "x", 1), 1);
	assert_int_equal(gather(rig), 0); /* blocked */
	assert_int_equal(write(input[1], "x", 1), 1);
	assert_int_equal(stream_set_poll(rig->rpc.streams, input[0], true), 1);
	assert_int_equal(stream_set_poll(rig->rpc.streams, input[0], false), 1);
	assert_int_equal(read(input[0], &(char){0}, 1), 1);
	stream_credit(rig->rpc.streams, HANDLE, 10);
	assert_int_equal(gather(rig), 1);
	assert_int_equal(write(file[1], "x", 1), 1);
	assert_int_equal(stream_set_poll(rig->rpc.streams, input[0], true), 0);
	assert_int_equal(gather(rig), 1);
	for (int i = 0; i < 2; i++) {
		close(input[i]);
		close(file[i]);
	}
}

/* Sends some records and waits. Returns the time of the wait in us. The fake ring is always
 * readable, so the wait takes time only if it leaves the ring alone. */
static uint64_t wait_after(struct rig *rig, unsigned int records, int input)
{
	uint64_t start_ns;

	for (uint32_t i = 0; i < records; i++)
		perf_put(rig, 24, i);
	gather(rig);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(stream_set_poll(rig->rpc.streams, input, true), 0);
	return (clock_ns(CLOCK_MONOTONIC) - start_ns) / 1000;
}

/* Records that come close together are gathered. A single record, or so many that they might fill
 * the ring, are sent at once. Load may make some waits longer, but not all of them. */
static void test_gather(void **state)
{
	struct rig *rig = *state;
	unsigned int long_waits = 0;
	uint64_t alone_us = UINT64_MAX, full_us = UINT64_MAX, us;
	int input[2];

	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	assert_int_equal(
		stream_open_perf(rig->rpc.streams, HANDLE, rig->fd, rig->size, UINT64_MAX), 0);
	for (int round = 0; round < 60; round++)
		long_waits += wait_after(rig, 20, input[0]) >= 100;
	assert_int_equal(rig->messages, 60);
	assert_true(long_waits >= 20);
	for (int round = 0; round < 20; round++) {
		us = wait_after(rig, 30, input[0]); /* the ring has room for 170 */
		full_us = us < full_us ? us : full_us;
	}
	assert_true(full_us < 50);
	for (int round = 0; round < 20; round++) {
		poll(NULL, 0, 1);
		us = wait_after(rig, 1, input[0]);
		alone_us = us < alone_us ? us : alone_us;
	}
	assert_true(alone_us < 50);
	assert_int_equal(write(input[1], "x", 1), 1);
	perf_put(rig, 24, 0);
	gather(rig);
	assert_int_equal(stream_set_poll(rig->rpc.streams, input[0], true), 1);
	close(input[0]);
	close(input[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_perf_credit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_perf_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_perf_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ringbuf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gather, setup, teardown),
	};

	return cmocka_run_group_tests_name("rpc streams", tests, NULL, NULL);
}
