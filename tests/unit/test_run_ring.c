/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's end of rings: layout, wrapping, credit, and boards that send invalid data. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host-usb/run/objects/tool_ring.h"
#include "tests/unit/run_test.h"

#define HANDLE	 6
#define SENT_MAX (512U << 10)

/* A ring as the tool maps it. */
struct rig {
	struct board *board;
	struct object *object;
	size_t page, size; /* size: bytes of data that the ring holds */
	char *memory;
	size_t bytes; /* of memory */
	uint64_t *head, *tail;
	char *data;
	char sent[SENT_MAX]; /* the bytes that the board has sent, by position */
};

static void map_it(struct rig *rig, size_t bytes)
{
	struct stat st;

	assert_int_equal(fstat(rig->object->fd, &st), 0);
	assert_int_equal(st.st_size, bytes);
	rig->bytes = bytes;
	rig->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->object->fd, 0);
	assert_true(rig->memory != MAP_FAILED);
}

static void start(struct rig *rig, unsigned int class)
{
	memset(rig, 0, sizeof(*rig));
	rig->page = (size_t)sysconf(_SC_PAGESIZE);
	rig->size = 2 * rig->page;
	rig->board = board_start(NULL);
	rig->object = board_object(rig->board, class, HANDLE);
	board_reply_ret(rig->board, RPC_RING_OPEN, 0);
}

static void assert_opened(struct rig *rig)
{
	struct bytes_in in = board_asked(rig->board, RPC_RING_OPEN);

	assert_int_equal(bytes_get_u32(&in), HANDLE);
	assert_int_equal(bytes_get_u64(&in), rig->size);
	assert_int_equal(bytes_get_u64(&in), rig->size);
	assert_true(bytes_get_end(&in));
}

static void start_event(struct rig *rig)
{
	struct perf_event_mmap_page *page;

	start(rig, BPF_ABI_EVENT);
	assert_int_equal(tool_ring_open_event(rig->object, rig->size), 0);
	assert_opened(rig);
	map_it(rig, rig->page + rig->size);
	page = (void *)rig->memory;
	rig->head = (uint64_t *)&page->data_head;
	rig->tail = (uint64_t *)&page->data_tail;
	rig->data = rig->memory + rig->page;
}

static void start_map(struct rig *rig)
{
	start(rig, BPF_ABI_MAP);
	rig->object->map_type = BPF_MAP_TYPE_RINGBUF;
	rig->object->max_entries = (uint32_t)rig->size;
	assert_int_equal(tool_ring_open_map(rig->object), 0);
	assert_opened(rig);
	map_it(rig, 2 * rig->page + 2 * rig->size);
	rig->tail = (uint64_t *)rig->memory;
	rig->head = (uint64_t *)(rig->memory + rig->page);
	rig->data = rig->memory + 2 * rig->page;
}

static void stop(struct rig *rig)
{
	if (rig->memory)
		munmap(rig->memory, rig->bytes);
	board_stop(rig->board);
}

/* Receives `size` bytes at `position` from the board: one record, or any bytes for a pipe. */
static void receive(struct rig *rig, uint64_t position, size_t size)
{
	const struct perf_event_header event = {.type = PERF_RECORD_SAMPLE, .size = (uint16_t)size};
	const uint32_t ringbuf[2] = {(uint32_t)size - BPF_RINGBUF_HDR_SZ};
	char *data = malloc(size + 8);

	for (size_t i = 0; i < size; i++)
		data[i] = (char)((position + i) % 249);
	if (rig->object->class == BPF_ABI_EVENT)
		memcpy(data, &event, sizeof(event));
	else if (rig->object->class == BPF_ABI_MAP)
		memcpy(data, ringbuf, sizeof(ringbuf));
	tool_ring_receive(rig->object, position, data, size);
	if (position < SENT_MAX && size <= SENT_MAX - position)
		memcpy(rig->sent + position, data, size);
	free(data);
}

static void assert_data(const struct rig *rig, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		if (rig->data[from % rig->size] != rig->sent[from])
			fail_msg("byte %llu of the ring is wrong", (unsigned long long)from);
}

static void test_event_layout(void **state)
{
	const struct perf_event_mmap_page *page;
	struct rig rig;

	start_event(&rig);
	page = (const void *)rig.memory;
	assert_int_equal(page->data_offset, rig.page);
	assert_int_equal(page->data_size, rig.size);
	assert_int_equal(page->data_head, 0);
	assert_int_equal(page->data_tail, 0);
	assert_int_equal(tool_ring_size(rig.object->ring), rig.size);
	assert_false(tool_ring_readable(rig.object));
	receive(&rig, 0, 104);
	assert_int_equal(page->data_head, 104);
	assert_data(&rig, 0, 104);
	assert_true(tool_ring_readable(rig.object));
	*rig.tail = 104;
	assert_false(tool_ring_readable(rig.object));
	receive(&rig, 104, 0);
	assert_int_equal(*rig.head, 104);
	stop(&rig);
}

static void test_event_wraps(void **state)
{
	struct rig rig;
	uint64_t at;

	start_event(&rig);
	/* Three turns of the ring, in pieces that do not divide its size. */
	for (at = 0; at < 3 * rig.size; at += 1000) {
		receive(&rig, at, 1000);
		assert_int_equal(*rig.head, at + 1000);
		assert_data(&rig, at, at + 1000);
		*rig.tail = at + 1000;
		tool_rings_credit(rig.board->run.objects);
	}
	/* Unread data is not overwritten. */
	*rig.tail = at - 504;
	receive(&rig, at, 704);
	assert_data(&rig, at - 504, at + 704);
	/* The header page is not overwritten. */
	assert_int_equal(((struct perf_event_mmap_page *)rig.memory)->data_size, rig.size);
	stop(&rig);
}

/* A BPF ring buffer has its data mapped twice in a row. This fills it once, from the middle on. */
static void test_map_data_is_mapped_twice(void **state)
{
	struct rig rig;

	start_map(&rig);
	assert_int_equal(*rig.head, 0);
	receive(&rig, 0, rig.size / 2 + 8);
	*rig.tail = rig.size / 2 + 8;
	tool_rings_credit(rig.board->run.objects);
	receive(&rig, rig.size / 2 + 8, rig.size);
	assert_int_equal(*rig.head, rig.size + rig.size / 2 + 8);
	assert_data(&rig, rig.size / 2 + 8, rig.size + rig.size / 2 + 8);
	assert_memory_equal(rig.data, rig.data + rig.size, rig.size);
	/* So the tool reads a record that wraps as contiguous memory. */
	for (size_t i = rig.size / 2 + 8; i < rig.size + rig.size / 2 + 8; i++)
		assert_int_equal(rig.data[i], rig.sent[i]);
	stop(&rig);
}

/* Returns the credit that the board receives, or 0 if it receives none. */
static uint64_t credit(struct rig *rig)
{
	struct bytes_in in;

	tool_rings_credit(rig->board->run.objects);
	/* A request with a reply: the credit, if any, arrives before it. */
	board_reply_ret(rig->board, RPC_FILE_ACCESS, 0);
	client_begin(rig->board->run.client, RPC_FILE_ACCESS);
	assert_int_equal(client_call(rig->board->run.client, &in), 0);
	if (board_unseen(rig->board) == 1) {
		board_asked(rig->board, RPC_FILE_ACCESS);
		return 0;
	}
	in = board_asked(rig->board, RPC_RING_CREDIT);
	board_asked(rig->board, RPC_FILE_ACCESS);
	assert_int_equal(bytes_get_u32(&in), HANDLE);
	return bytes_get_u64(&in);
}

static void test_credit(void **state)
{
	struct rig rig;

	start_event(&rig);
	assert_int_equal(credit(&rig), 0);
	assert_false(tool_rings_credit(rig.board->run.objects));
	receive(&rig, 0, rig.size);
	/* Full: the board waits for the tool. */
	assert_true(tool_rings_credit(rig.board->run.objects));
	assert_int_equal(credit(&rig), 0);
	*rig.tail = rig.size / 4 - 8; /* too little for a message */
	assert_int_equal(credit(&rig), 0);
	*rig.tail = rig.size / 4;
	assert_int_equal(credit(&rig), rig.size + rig.size / 4);
	assert_int_equal(credit(&rig), 0); /* is sent only once */
	assert_true(tool_rings_credit(rig.board->run.objects));
	*rig.tail = rig.size;
	assert_int_equal(credit(&rig), 2 * rig.size);
	assert_false(tool_rings_credit(rig.board->run.objects));
	stop(&rig);
}

/* A tail that no reader could have reached gives no credit. */
static void test_wrong_tail(void **state)
{
	struct rig rig;

	start_event(&rig);
	receive(&rig, 0, 512);
	*rig.tail = 513;
	assert_int_equal(credit(&rig), 0);
	*rig.tail = UINT64_MAX;
	assert_int_equal(credit(&rig), 0);
	*rig.tail = UINT64_MAX - rig.size;
	assert_int_equal(credit(&rig), 0);
	receive(&rig, 512, rig.size - 512);
	*rig.tail = rig.size;
	assert_int_equal(credit(&rig), 2 * rig.size);
	*rig.tail = 0; /* moving back neither revokes credit nor adds any */
	assert_int_equal(credit(&rig), 0);
	stop(&rig);
}

/* Data at a wrong position, or more than the credit: the ring does not change and takes no more
 * data. */
static void test_wrong_position(void **state)
{
	static const struct {
		uint64_t position;
		int64_t size; /* if negative: the credit plus this many bytes */
	} wrong[] = {{0, 8}, {56, 8}, {72, 8}, {64, -8}, {64, -60000}, {8192, 8}, {UINT64_MAX, 8},
		{UINT64_MAX - 7, 8}, {1ULL << 63, 8}, {64 + (1ULL << 32), 8}};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int64_t size = wrong[i].size;
		struct rig rig;

		start_event(&rig);
		receive(&rig, 0, 64);
		assert_int_equal(*rig.head, 64);
		if (size < 0)
			size = (int64_t)rig.size - 64 - size;
		receive(&rig, wrong[i].position, (size_t)size);
		assert_int_equal(*rig.head, 64);
		for (size_t at = 64; at < rig.size; at++)
			assert_int_equal(rig.data[at], 0);
		receive(&rig, 64, 8);
		assert_int_equal(*rig.head, 64);
		stop(&rig);
	}
}

/* The board may use all its credit at once. */
static void test_full_ring(void **state)
{
	struct rig rig;

	start_event(&rig);
	receive(&rig, 0, 64);
	receive(&rig, 64, rig.size - 64);
	assert_int_equal(*rig.head, rig.size);
	assert_data(&rig, 0, rig.size);
	stop(&rig);
}

/* Tools trust the sizes of records, so records with wrong sizes are refused. */
static void test_wrong_records(void **state)
{
	static const struct {
		uint16_t first, second; /* the size fields of two records of 16 bytes each */
		bool good;
	} events[] = {{16, 16, true}, {32, 16, true}, {8, 8, false}, {16, 8, false},
		{16, 24, false}, {0, 16, false}, {16, 0, false}, {12, 20, false}, {40, 16, false},
		{16, UINT16_MAX, false}};
	static const struct {
		uint32_t length; /* the length field of a record of 32 bytes */
		bool good;
	} maps[] = {{24, true}, {17, true}, {24 | BPF_RINGBUF_DISCARD_BIT, true}, {25, false},
		{16, false}, {UINT32_MAX, false}, {0x3fffffff, false}, {0, false}};
	struct rig rig;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct perf_event_header data[4] = {{.type = PERF_RECORD_SAMPLE}};

		data[0].size = events[i].first;
		data[2].type = PERF_RECORD_SAMPLE;
		data[2].size = events[i].second;
		start_event(&rig);
		tool_ring_receive(rig.object, 0, data, sizeof(data));
		assert_int_equal(*rig.head, events[i].good ? sizeof(data) : 0);
		assert_int_equal(client_dead(rig.board->run.client), !events[i].good);
		stop(&rig);
	}
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		const uint32_t data[8] = {maps[i].length, 0, 1, 2, 3, 4, 5, 6};

		start_map(&rig);
		tool_ring_receive(rig.object, 0, data, sizeof(data));
		assert_int_equal(*rig.head, maps[i].good ? sizeof(data) : 0);
		stop(&rig);
	}
	/* Half a header. */
	start_event(&rig);
	tool_ring_receive(rig.object, 0, "\0\0\0\0", 4);
	assert_int_equal(*rig.head, 0);
	stop(&rig);
}

/* The raw data of a sample says how much of it a tool reads. */
static void test_wrong_raw_size(void **state)
{
	struct {
		struct perf_event_header header;
		uint32_t raw;
		char data[4];
	} sample = {{.type = PERF_RECORD_SAMPLE, .size = 16}, 4, "abc"};
	const struct perf_event_attr attr = {.sample_type = PERF_SAMPLE_RAW};
	struct rig rig;

	start_event(&rig);
	rig.object->format = record_format_of(&attr);
	tool_ring_receive(rig.object, 0, &sample, sizeof(sample));
	assert_int_equal(*rig.head, sizeof(sample));
	sample.raw = 40000;
	tool_ring_receive(rig.object, sizeof(sample), &sample, sizeof(sample));
	assert_int_equal(*rig.head, sizeof(sample));
	assert_true(client_dead(rig.board->run.client));
	stop(&rig);
}

/* Data that arrives before the reply to RING_OPEN is not lost. */
static void test_data_before_reply(void **state)
{
	static const struct perf_event_header early = {.type = PERF_RECORD_SAMPLE, .size = 8};
	struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.page = (size_t)sysconf(_SC_PAGESIZE);
	rig.board = board_start(NULL);
	rig.object = board_object(rig.board, BPF_ABI_EVENT, HANDLE);
	board_push(rig.board, HANDLE + 1, 0, &early, sizeof(early)); /* unknown handle */
	board_push(rig.board, HANDLE, 0, &early, sizeof(early));
	board_reply_ret(rig.board, RPC_RING_OPEN, 0);
	assert_int_equal(tool_ring_open_event(rig.object, rig.page), 0);
	map_it(&rig, 2 * rig.page);
	assert_memory_equal(rig.memory + rig.page, &early, sizeof(early));
	assert_true(tool_ring_readable(rig.object));
	stop(&rig);
}

static void test_board_refuses(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_EVENT, HANDLE);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	board_reply_ret(board, RPC_RING_OPEN, -EBUSY);
	assert_int_equal(tool_ring_open_event(object, page), -EBUSY);
	assert_null(object->ring);
	assert_false(tool_ring_readable(object));
	board_stop(board);
}

/* After an error the tool can try again with another size. */
static void test_open_again_after_error(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_EVENT, HANDLE);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	board_reply_ret(board, RPC_RING_OPEN, -EPERM);
	assert_int_equal(tool_ring_open_event(object, 2 * page), -EPERM);
	board_reply_ret(board, RPC_RING_OPEN, -EPERM);
	assert_int_equal(tool_ring_open_event(object, 4 * page), -EPERM);
	board_reply_ret(board, RPC_RING_OPEN, 0);
	assert_int_equal(tool_ring_open_event(object, page), 0);
	assert_int_equal(tool_ring_size(object->ring), page);
	board_stop(board);
}

/* A positive return value is invalid. It must not become the address of a mapping. */
static void test_positive_return_value(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_EVENT, HANDLE);

	board_reply_ret(board, RPC_RING_OPEN, 0x10000000);
	assert_int_equal(tool_ring_open_event(object, (size_t)sysconf(_SC_PAGESIZE)), -EIO);
	assert_null(object->ring);
	board_stop(board);
}

static void test_eventfd_wakes(void **state)
{
	struct rig rig;
	uint64_t count;

	start_event(&rig);
	rig.object->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	receive(&rig, 0, 8);
	receive(&rig, 8, 8);
	assert_int_equal(read(rig.object->wake_fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 2);
	receive(&rig, 0, 8); /* refused */
	assert_int_equal(read(rig.object->wake_fd, &count, sizeof(count)), -1);
	stop(&rig);
}

#define PIPE_CREDIT (256U << 10)

/* The linker replaces realloc(3) by this. */
static bool no_memory;

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
	return no_memory ? NULL : __real_realloc(memory, size);
}

/* The board sends four times as much as the pipe's 64 KiB: all of it arrives in order, also when
 * memory is short. */
static void test_pipe(void **state)
{
	struct rig rig = {.size = PIPE_CREDIT};
	uint64_t sent, got = 0;
	char data[5000];
	int ends[2];
	ssize_t n;
	enum rpc_op op;
	struct bytes_in in;

	rig.board = board_start(NULL);
	rig.object = board_object(rig.board, OBJECT_STREAM, HANDLE);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 64 << 10), 64 << 10);
	assert_int_equal(tool_ring_open_pipe(rig.object, ends[1], PIPE_CREDIT), 0);
	no_memory = true;
	for (sent = 0; sent < PIPE_CREDIT; sent += 1024)
		receive(&rig, sent, 1024);
	no_memory = false;
	assert_true(tool_rings_credit(rig.board->run.objects));
	do {
		n = read(ends[0], data, sizeof(data));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(data[i], rig.sent[got + (uint64_t)i]);
		got += n > 0 ? (uint64_t)n : 0;
		tool_rings_credit(rig.board->run.objects);
	} while (n > 0);
	assert_int_equal(got, PIPE_CREDIT);
	/* New data goes to the pipe at once. */
	receive(&rig, sent, 100);
	assert_int_equal(read(ends[0], data, sizeof(data)), 100);
	assert_memory_equal(data, rig.sent + sent, 100);
	/* When the reading end is closed, the stream is closed on the board. */
	close(ends[0]);
	receive(&rig, sent + 100, 100);
	tool_rings_credit(rig.board->run.objects);
	tool_rings_credit(rig.board->run.objects);
	assert_null(object_next(rig.board->run.objects, NULL));
	do {
		in = board_asked_any(rig.board, &op);
	} while (op == RPC_RING_CREDIT);
	assert_int_equal(op, RPC_CLOSE);
	assert_int_equal(bytes_get_u32(&in), HANDLE);
	board_stop(rig.board);
}

static int ignore_pipe(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_layout),
		cmocka_unit_test(test_event_wraps),
		cmocka_unit_test(test_map_data_is_mapped_twice),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_wrong_tail),
		cmocka_unit_test(test_wrong_position),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_wrong_records),
		cmocka_unit_test(test_wrong_raw_size),
		cmocka_unit_test(test_data_before_reply),
		cmocka_unit_test(test_board_refuses),
		cmocka_unit_test(test_open_again_after_error),
		cmocka_unit_test(test_positive_return_value),
		cmocka_unit_test(test_eventfd_wakes),
		cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, ignore_pipe, NULL);
}
