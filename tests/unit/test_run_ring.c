/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's end of rings: layout, wrapping, credit, boards that send what they must not. */
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

#include "host-usb/run/tool_ring.h"
#include "tests/unit/run_test.h"

#define HANDLE 6

/* What the tool has mapped. */
struct rig {
	struct board *board;
	struct object *object;
	size_t page, size; /* of the data */
	char *memory;
	size_t bytes;
	uint64_t *head, *tail;
	char *data;
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
	board_says(rig->board, RPC_RING_OPEN, 0);
}

static void assert_opened(struct rig *rig)
{
	struct rpc_in in = board_asked(rig->board, RPC_RING_OPEN);

	assert_int_equal(rpc_get_u32(&in), HANDLE);
	assert_int_equal(rpc_get_u64(&in), rig->size);
	assert_int_equal(rpc_get_u64(&in), rig->size);
	assert_true(rpc_get_end(&in));
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

static char byte_at(uint64_t position)
{
	return (char)(position % 249);
}

/* The board sends so many bytes from that position on. */
static void receive(struct rig *rig, uint64_t position, size_t size)
{
	char *data = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = byte_at(position + i);
	tool_ring_receive(rig->object, position, data, size);
	free(data);
}

static void assert_data(const struct rig *rig, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		if (rig->data[from % rig->size] != byte_at(from))
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
	receive(&rig, 0, 100);
	assert_int_equal(page->data_head, 100);
	assert_data(&rig, 0, 100);
	assert_true(tool_ring_readable(rig.object));
	*rig.tail = 100;
	assert_false(tool_ring_readable(rig.object));
	receive(&rig, 100, 0);
	assert_int_equal(*rig.head, 100);
	stop(&rig);
}

static void test_event_wraps(void **state)
{
	struct rig rig;
	uint64_t at;

	start_event(&rig);
	/* Three times round, in pieces that do not divide the size. */
	for (at = 0; at < 3 * rig.size; at += 1000) {
		receive(&rig, at, 1000);
		assert_int_equal(*rig.head, at + 1000);
		assert_data(&rig, at, at + 1000);
		*rig.tail = at + 1000;
		tool_rings_credit(rig.board->run.objects);
	}
	/* What is not read yet stays as it is. */
	*rig.tail = at - 500;
	receive(&rig, at, 700);
	assert_data(&rig, at - 500, at + 700);
	/* The header is no data. */
	assert_int_equal(((struct perf_event_mmap_page *)rig.memory)->data_size, rig.size);
	stop(&rig);
}

/* All of the ring at once, from the middle on: the second copy follows the first one. */
static void test_map_is_there_twice(void **state)
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
	/* So a record that wraps is whole: it is read straight on. */
	for (size_t i = rig.size / 2 + 8; i < rig.size + rig.size / 2 + 8; i++)
		assert_int_equal(rig.data[i], byte_at(i));
	stop(&rig);
}

/* The credit that the board is told, 0: none. */
static uint64_t credit(struct rig *rig)
{
	struct rpc_in in;

	tool_rings_credit(rig->board->run.objects);
	/* A request with a reply comes behind it. */
	board_says(rig->board, RPC_FILE_ACCESS, 0);
	client_begin(rig->board->run.client, RPC_FILE_ACCESS);
	assert_int_equal(client_call(rig->board->run.client, &in), 0);
	if (board_unseen(rig->board) == 1) {
		board_asked(rig->board, RPC_FILE_ACCESS);
		return 0;
	}
	in = board_asked(rig->board, RPC_RING_CREDIT);
	board_asked(rig->board, RPC_FILE_ACCESS);
	assert_int_equal(rpc_get_u32(&in), HANDLE);
	return rpc_get_u64(&in);
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
	*rig.tail = rig.size / 4 - 8; /* not worth a message */
	assert_int_equal(credit(&rig), 0);
	*rig.tail = rig.size / 4;
	assert_int_equal(credit(&rig), rig.size + rig.size / 4);
	assert_int_equal(credit(&rig), 0); /* once */
	assert_true(tool_rings_credit(rig.board->run.objects));
	*rig.tail = rig.size;
	assert_int_equal(credit(&rig), 2 * rig.size);
	assert_false(tool_rings_credit(rig.board->run.objects));
	stop(&rig);
}

/* A tool that writes rubbish where it has read to gets no credit for it. */
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
	*rig.tail = 0; /* back: what was allowed stays allowed, and no more */
	assert_int_equal(credit(&rig), 0);
	stop(&rig);
}

/* Nothing that the board sends gets beyond its credit: the ring stays as it is. */
static void test_beyond_credit(void **state)
{
	struct rig rig;
	static const uint64_t positions[] = {
		0, 63, UINT64_MAX, UINT64_MAX - 8, 1ULL << 63, 1ULL << 32};

	start_event(&rig);
	receive(&rig, 0, rig.size + 1);
	assert_int_equal(*rig.head, 0);
	receive(&rig, 0, 64);
	assert_int_equal(*rig.head, 64);
	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		receive(&rig, positions[i], 8);
		assert_int_equal(*rig.head, 64);
		assert_data(&rig, 0, 64);
	}
	receive(&rig, 64, rig.size - 63);
	assert_int_equal(*rig.head, 64);
	receive(&rig, rig.size, 8);
	assert_int_equal(*rig.head, 64);
	receive(&rig, 64, rig.size - 64);
	assert_int_equal(*rig.head, rig.size);
	assert_data(&rig, 0, rig.size);
	stop(&rig);
}

/* Data that comes before the reply to the request that opens the ring is not lost. */
static void test_data_before_reply(void **state)
{
	static const char early[] = "early record";
	struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.page = (size_t)sysconf(_SC_PAGESIZE);
	rig.board = board_start(NULL);
	rig.object = board_object(rig.board, BPF_ABI_EVENT, HANDLE);
	board_push(rig.board, HANDLE + 1, 0, early, sizeof(early)); /* nobody's */
	board_push(rig.board, HANDLE, 0, early, sizeof(early));
	board_says(rig.board, RPC_RING_OPEN, 0);
	assert_int_equal(tool_ring_open_event(rig.object, rig.page), 0);
	map_it(&rig, 2 * rig.page);
	assert_memory_equal(rig.memory + rig.page, early, sizeof(early));
	assert_true(tool_ring_readable(rig.object));
	stop(&rig);
}

static void test_board_refuses(void **state)
{
	struct board *board = board_start(NULL);
	struct object *object = board_object(board, BPF_ABI_EVENT, HANDLE);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	board_says(board, RPC_RING_OPEN, -EBUSY);
	assert_int_equal(tool_ring_open_event(object, page), -EBUSY);
	assert_null(object->ring);
	assert_false(tool_ring_readable(object));
	/* And it can be tried again, with another size. */
	board_says(board, RPC_RING_OPEN, 0);
	assert_int_equal(tool_ring_open_event(object, 4 * page), 0);
	assert_int_equal(tool_ring_size(object->ring), 4 * page);
	board_stop(board);
}

static void test_wakes(void **state)
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

/* A pipe takes 64 KiB, and the board sends four times that: all of it comes, in order. */
static void test_pipe(void **state)
{
	struct rig rig = {.size = PIPE_CREDIT};
	uint64_t sent, got = 0;
	char data[5000];
	int ends[2];
	ssize_t n;

	rig.board = board_start(NULL);
	rig.object = board_object(rig.board, OBJECT_STREAM, HANDLE);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 64 << 10), 64 << 10);
	assert_int_equal(tool_ring_open_pipe(rig.object, ends[1], PIPE_CREDIT), 0);
	for (sent = 0; sent < PIPE_CREDIT; sent += 1024)
		receive(&rig, sent, 1024);
	receive(&rig, sent, 1); /* beyond its credit */
	assert_true(tool_rings_credit(rig.board->run.objects));
	do {
		n = read(ends[0], data, sizeof(data));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(data[i], byte_at(got + (uint64_t)i));
		got += n > 0 ? (uint64_t)n : 0;
		tool_rings_credit(rig.board->run.objects);
	} while (n > 0);
	assert_int_equal(got, PIPE_CREDIT);
	/* New data goes straight on. */
	receive(&rig, sent, 100);
	assert_int_equal(read(ends[0], data, sizeof(data)), 100);
	assert_int_equal(data[99], byte_at(sent + 99));
	close(ends[0]);
	receive(&rig, sent + 100, 100); /* nobody reads it any more */
	tool_rings_credit(rig.board->run.objects);
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
		cmocka_unit_test(test_map_is_there_twice),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_wrong_tail),
		cmocka_unit_test(test_beyond_credit),
		cmocka_unit_test(test_data_before_reply),
		cmocka_unit_test(test_board_refuses),
		cmocka_unit_test(test_wakes),
		cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, ignore_pipe, NULL);
}
