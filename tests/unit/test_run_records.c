/* SPDX-License-Identifier: Apache-2.0 */
/* The inner sizes of records: what kernels write is accepted; each size is changed in turn. */
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host-usb/run/objects/records.h"

#define WORDS 64

/* A record in the making. */
struct record {
	uint64_t words[WORDS];
	size_t count;
};

static void add(struct record *record, uint64_t word)
{
	record->words[record->count++] = word;
}

static void begin(struct record *record, uint32_t type)
{
	memset(record, 0, sizeof(*record));
	record->words[0] = type;
	record->count = 1;
}

/* Ends the record. Copies it to memory of exactly its size, where the sanitizer sees an overrun. */
static bool fits(struct record *record, const struct record_format *format)
{
	size_t size = record->count * sizeof(uint64_t);
	char *exact = malloc(size);
	struct perf_event_header header;
	bool result;

	assert_non_null(exact);
	memcpy(&header, record->words, sizeof(header));
	header.size = (uint16_t)size;
	memcpy(record->words, &header, sizeof(header));
	memcpy(exact, record->words, size);
	result = records_fit_event(format, exact, size);
	free(exact);
	return result;
}

/* The word at `at` is a size: the record fits with `good`, and with none of the others. */
static void assert_checked(
	struct record *record, const struct record_format *format, size_t at, uint64_t good)
{
	const uint64_t wrong[] = {good + 1, good + 2, good + 8, 1000, 65536, 1ULL << 29, 1ULL << 32,
		1ULL << 61, 1ULL << 63, UINT64_MAX};

	record->words[at] = good;
	assert_true(fits(record, format));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		record->words[at] = wrong[i];
		if (fits(record, format))
			fail_msg("the size %llx fits", (unsigned long long)wrong[i]);
	}
	record->words[at] = good;
}

/* A sample with raw data as perf buffers have it: libbpf and BCC read `raw` bytes. */
static bool raw_fits(uint64_t sample_type, uint32_t raw, size_t words)
{
	const struct record_format format = {.sample_type = sample_type};
	struct record record;
	uint32_t half[2] = {raw, 0};

	begin(&record, PERF_RECORD_SAMPLE);
	for (uint64_t rest = sample_type & ~(uint64_t)PERF_SAMPLE_RAW; rest; rest &= rest - 1)
		add(&record, 1);
	memcpy(&record.words[record.count++], half, sizeof(half));
	record.count += words;
	return fits(&record, &format);
}

static void test_raw(void **state)
{
	static const uint64_t types[] = {PERF_SAMPLE_RAW, PERF_SAMPLE_RAW | PERF_SAMPLE_TIME,
		PERF_SAMPLE_RAW | PERF_SAMPLE_TIME | PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_CPU};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_true(raw_fits(types[i], 4, 0));
		assert_true(raw_fits(types[i], 12, 1));
		assert_true(raw_fits(types[i], 4, 1)); /* other parts may follow */
		assert_true(raw_fits(types[i], 84, 10));
		assert_false(raw_fits(types[i], 12, 0));
		assert_false(raw_fits(types[i], 5, 0));
		assert_false(raw_fits(types[i], 6, 1));
		assert_false(raw_fits(types[i], 40000, 10));
		assert_false(raw_fits(types[i], 2000000, 10));
		assert_false(raw_fits(types[i], UINT32_MAX - 3, 10));
		assert_false(raw_fits(types[i], UINT32_MAX, 10));
	}
	/* Too short for the parts that come before the data. */
	for (size_t words = 0; words < 3; words++) {
		const struct record_format format = {
			.sample_type = PERF_SAMPLE_RAW | PERF_SAMPLE_TIME | PERF_SAMPLE_IP};
		struct record record;

		begin(&record, PERF_RECORD_SAMPLE);
		record.count += words;
		assert_false(fits(&record, &format));
	}
}

static void test_callchain(void **state)
{
	const struct record_format format = {
		.sample_type = PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_PERIOD};
	struct record record;

	begin(&record, PERF_RECORD_SAMPLE);
	add(&record, 1000);
	add(&record, 0);
	record.count += 3;
	assert_checked(&record, &format, 2, 3);
}

static void test_read(void **state)
{
	struct record_format format = {.sample_type = PERF_SAMPLE_READ};
	struct record record;

	format.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_RUNNING;
	begin(&record, PERF_RECORD_SAMPLE);
	add(&record, 0);
	add(&record, 5);
	record.count += 4; /* two counters and their ids */
	assert_checked(&record, &format, 1, 2);
	/* One counter has no count. */
	format.read_format = PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED;
	begin(&record, PERF_RECORD_SAMPLE);
	record.count += 3;
	assert_true(fits(&record, &format));
	record.count--;
	assert_false(fits(&record, &format));
}

static void test_branches(void **state)
{
	struct record_format format = {.sample_type = PERF_SAMPLE_BRANCH_STACK};
	struct record record;

	begin(&record, PERF_RECORD_SAMPLE);
	add(&record, 0);
	record.count += 6;
	assert_checked(&record, &format, 1, 2);
	format.branch_type = PERF_SAMPLE_BRANCH_HW_INDEX;
	record.words[1] = 2;
	assert_false(fits(&record, &format));
	record.count++;
	assert_checked(&record, &format, 1, 2);
	/* A sample without branches. */
	begin(&record, PERF_RECORD_SAMPLE);
	add(&record, 0);
	assert_true(fits(&record, &format));
}

static void test_registers_and_stack(void **state)
{
	const struct record_format format = {
		.sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
		.user_registers = 0x8000000000000101};
	struct record record;

	begin(&record, PERF_RECORD_SAMPLE);
	add(&record, PERF_SAMPLE_REGS_ABI_64);
	record.count += 3;
	add(&record, 0);
	record.count += 3; /* 16 bytes of stack, and how many of them are used */
	assert_checked(&record, &format, 5, 16);
	/* A kernel thread has neither. */
	begin(&record, PERF_RECORD_SAMPLE);
	record.count += 2;
	assert_true(fits(&record, &format));
	record.words[1] = PERF_SAMPLE_REGS_ABI_32;
	assert_false(fits(&record, &format));
}

/* Two events of different formats write into one ring. */
static void test_shared_ring(void **state)
{
	struct record_format ring = {.sample_type = PERF_SAMPLE_RAW}, same = ring,
			     other = {.sample_type = PERF_SAMPLE_IP};
	struct record record;

	begin(&record, PERF_RECORD_SAMPLE);
	add(&record, 1ULL << 40);
	record_format_share(&ring, &same);
	assert_false(fits(&record, &ring));
	record_format_share(&ring, &other);
	assert_true(fits(&record, &ring));
}

static void test_other_records(void **state)
{
	/* Type, words after the header, and the word where a name starts. */
	static const struct {
		uint32_t type;
		size_t words, name;
	} records[] = {{PERF_RECORD_LOST, 2, 0}, {PERF_RECORD_COMM, 1, 1}, {PERF_RECORD_EXIT, 3, 0},
		{PERF_RECORD_MMAP, 4, 4}, {PERF_RECORD_MMAP2, 8, 8}, {PERF_RECORD_KSYMBOL, 2, 2},
		{PERF_RECORD_CGROUP, 1, 1}, {PERF_RECORD_LOST_SAMPLES, 1, 0},
		{PERF_RECORD_BPF_EVENT, 2, 0}};
	const struct record_format format = {.sample_type = PERF_SAMPLE_RAW};
	struct record record;

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		begin(&record, records[i].type);
		record.count += records[i].words + (records[i].name ? 2 : 0);
		assert_true(fits(&record, &format));
		if (records[i].name) {
			memset(record.words + 1 + records[i].name, 'n', 2 * sizeof(uint64_t));
			assert_false(fits(&record, &format)); /* the name does not end */
		}
		record.count = records[i].words;
		assert_false(fits(&record, &format));
	}
	begin(&record, PERF_RECORD_NAMESPACES);
	add(&record, 7);
	add(&record, 0);
	record.count += 4;
	assert_checked(&record, &format, 2, 2);
	begin(&record, PERF_RECORD_TEXT_POKE);
	record.count += 3;
	assert_true(fits(&record, &format));
	memset(&record.words[2], 0xff, 4);
	assert_false(fits(&record, &format));
	begin(&record, 0);
	assert_false(fits(&record, &format));
	begin(&record, 4711); /* of a newer kernel */
	assert_true(fits(&record, &format));
}

static void test_ring_buffer(void **state)
{
	static const struct {
		uint32_t length; /* of the first record, in data of 32 bytes */
		bool fits;
	} lengths[] = {{24, true}, {17, true}, {8, true}, {24 | BPF_RINGBUF_DISCARD_BIT, true},
		{25, false}, {24 | BPF_RINGBUF_BUSY_BIT, false}, {0x3fffffff, false},
		{UINT32_MAX, false}};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const uint32_t data[8] = {lengths[i].length, 0, 0, 0, 8, 0, 0, 0};

		assert_int_equal(
			records_fit_map((const char *)data, sizeof(data)), lengths[i].fits);
		assert_false(records_fit_map((const char *)data, 4));
	}
	assert_true(records_fit_map("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_callchain),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_registers_and_stack),
		cmocka_unit_test(test_shared_ring),
		cmocka_unit_test(test_other_records),
		cmocka_unit_test(test_ring_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
