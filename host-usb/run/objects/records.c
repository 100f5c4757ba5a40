/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the records of rings: everything in them that says how much a tool reads. */
#include "host-usb/run/objects/records.h"

#include "core/messages/rpc.h"

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <string.h>

#define WORD sizeof(uint64_t) /* both kinds of records are multiples of it */

/* Flags and a record that linux/perf_event.h lacked until Linux 6.8 and 6.0. */
#define BRANCH_COUNTERS (1U << 19)
#define FORMAT_LOST	(1U << 4)
#define FORMAT_GROUP	PERF_FORMAT_GROUP

#define BRANCH_SIZE 24 /* bytes of struct perf_branch_entry */

/* The rest of a record. Taking more than there is sets `failed`. */
struct rest {
	const char *at;
	size_t size;
	bool failed;
};

static void skip(struct rest *rest, uint64_t count, size_t unit)
{
	if (rest->failed || count > rest->size / unit) {
		rest->failed = true;
		return;
	}
	rest->at += count * unit;
	rest->size -= count * unit;
}

static uint64_t take_word(struct rest *rest)
{
	uint64_t value = 0;

	if (rest->size >= sizeof(value))
		memcpy(&value, rest->at, sizeof(value));
	skip(rest, 1, sizeof(value));
	return value;
}

static unsigned int bits(uint64_t value)
{
	return (unsigned int)__builtin_popcountll(value);
}

/* Values of counters, see "read_format" in perf_event_open(2). */
static void skip_read(struct rest *rest, uint64_t format)
{
	unsigned int times =
		bits(format & (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING));
	unsigned int words = 1 + bits(format & (PERF_FORMAT_ID | FORMAT_LOST));
	uint64_t count = format & FORMAT_GROUP ? take_word(rest) : 1;

	skip(rest, times, WORD);
	skip(rest, count, words * WORD);
}

/* The u32 size and the data together are a multiple of 8. */
static void skip_raw(struct rest *rest)
{
	uint32_t size = 0;

	if (rest->size >= sizeof(size))
		memcpy(&size, rest->at, sizeof(size));
	skip(rest, 1, sizeof(size));
	rest->failed |= (size + sizeof(size)) % WORD != 0;
	skip(rest, size, 1);
}

/* Parts of a sample in the order in which the kernel writes them. */
static bool is_sample(const struct record_format *format, struct rest rest)
{
	static const uint64_t words = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |
				      PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID |
				      PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD;
	uint64_t type = format->sample_type, count;

	skip(&rest, bits(type & words), WORD);
	if (type & PERF_SAMPLE_READ)
		skip_read(&rest, format->read_format);
	if (type & PERF_SAMPLE_CALLCHAIN)
		skip(&rest, take_word(&rest), WORD);
	if (type & PERF_SAMPLE_RAW)
		skip_raw(&rest);
	if (type & PERF_SAMPLE_BRANCH_STACK) {
		count = take_word(&rest);
		/* If there are no branches, the kernel may also leave out their index. */
		if (!count && format->branch_type & PERF_SAMPLE_BRANCH_HW_INDEX)
			return !rest.failed;
		skip(&rest, format->branch_type & PERF_SAMPLE_BRANCH_HW_INDEX ? 1 : 0, WORD);
		skip(&rest, count, BRANCH_SIZE);
		skip(&rest, format->branch_type & BRANCH_COUNTERS ? count : 0, WORD);
	}
	if (type & PERF_SAMPLE_REGS_USER && take_word(&rest) != PERF_SAMPLE_REGS_ABI_NONE)
		skip(&rest, bits(format->user_registers), WORD);
	if (type & PERF_SAMPLE_STACK_USER) {
		count = take_word(&rest);
		skip(&rest, count, 1);
		skip(&rest, count ? 1 : 0, WORD);
	}
	return !rest.failed;
}

/* Records other than samples: the least size, and where a name starts that ends with a NUL. */
static const struct {
	uint16_t size, name;
} layouts[] = {
	[PERF_RECORD_MMAP] = {40, 40},
	[PERF_RECORD_LOST] = {24, 0},
	[PERF_RECORD_COMM] = {16, 16},
	[PERF_RECORD_EXIT] = {32, 0},
	[PERF_RECORD_THROTTLE] = {32, 0},
	[PERF_RECORD_UNTHROTTLE] = {32, 0},
	[PERF_RECORD_FORK] = {32, 0},
	[PERF_RECORD_READ] = {24, 0},
	[PERF_RECORD_MMAP2] = {72, 72},
	[PERF_RECORD_AUX] = {32, 0},
	[PERF_RECORD_ITRACE_START] = {16, 0},
	[PERF_RECORD_LOST_SAMPLES] = {16, 0},
	[PERF_RECORD_SWITCH] = {8, 0},
	[PERF_RECORD_SWITCH_CPU_WIDE] = {16, 0},
	[PERF_RECORD_NAMESPACES] = {24, 0},
	[PERF_RECORD_KSYMBOL] = {24, 24},
	[PERF_RECORD_BPF_EVENT] = {24, 0},
	[PERF_RECORD_CGROUP] = {16, 16},
	[PERF_RECORD_TEXT_POKE] = {20, 0},
};

/* Records with a count of their own. `rest` begins after the header. */
static bool has_counted(uint32_t type, struct rest rest)
{
	uint16_t lengths[2];

	if (type == PERF_RECORD_NAMESPACES) {
		skip(&rest, 1, WORD);
		skip(&rest, take_word(&rest), 2 * WORD);
	} else if (type == PERF_RECORD_TEXT_POKE) {
		skip(&rest, 1, WORD);
		memcpy(lengths, rest.at, sizeof(lengths));
		skip(&rest, sizeof(lengths), 1);
		skip(&rest, (uint64_t)lengths[0] + lengths[1], 1);
	}
	return !rest.failed;
}

/* Tools skip types that they do not know, so newer kernels may have more. */
static bool is_record(
	const struct record_format *format, uint32_t type, const char *record, size_t size)
{
	struct rest rest = {record + sizeof(struct perf_event_header),
		size - sizeof(struct perf_event_header), false};
	size_t name;

	if (type == PERF_RECORD_SAMPLE)
		return format->mixed || is_sample(format, rest);
	if (type >= sizeof(layouts) / sizeof(layouts[0]) || !layouts[type].size)
		return type != 0;
	name = layouts[type].name;
	return size >= layouts[type].size &&
	       (!name || (size > name && memchr(record + name, 0, size - name))) &&
	       has_counted(type, rest);
}

struct record_format record_format_of(const struct perf_event_attr *attr)
{
	return (struct record_format){
		.sample_type = attr->sample_type,
		.read_format = attr->read_format,
		.branch_type = attr->branch_sample_type,
		.user_registers = attr->sample_regs_user,
	};
}

void record_format_share(struct record_format *ring, const struct record_format *other)
{
	ring->mixed |= other->mixed || ring->sample_type != other->sample_type ||
		       ring->read_format != other->read_format ||
		       ring->branch_type != other->branch_type ||
		       ring->user_registers != other->user_registers;
}

bool records_fit_event(const struct record_format *format, const char *data, size_t size)
{
	struct perf_event_header header;

	for (; size; data += header.size, size -= header.size) {
		if (size < sizeof(header))
			return false;
		memcpy(&header, data, sizeof(header));
		if (header.size < sizeof(header) || header.size % WORD || header.size > size ||
			!is_record(format, header.type, data, header.size))
			return false;
	}
	return true;
}

/* The board sends only records that were committed or discarded. */
bool records_fit_map(const char *data, size_t size)
{
	uint32_t length;
	size_t record;

	for (; size; data += record, size -= record) {
		if (size < BPF_RINGBUF_HDR_SZ)
			return false;
		memcpy(&length, data, sizeof(length));
		record = BPF_RINGBUF_HDR_SZ +
			 ((length & ~BPF_RINGBUF_DISCARD_BIT) + WORD - 1) / WORD * WORD;
		if (length & BPF_RINGBUF_BUSY_BIT || record > size)
			return false;
	}
	return true;
}

size_t record_log_size(const char *data, size_t size)
{
	size_t at = 0;

	if (!size || *data < '0' || *data > '9')
		return 0;
	while (at < size && at < RPC_LOG_RECORD_MAX) {
		char c = data[at++];

		if (c == '\n' && (at == size || data[at] != ' '))
			return at;
		if (c != '\n' && (c < ' ' || c > '~'))
			return 0;
	}
	return 0;
}

bool records_fit_log(const char *data, size_t size)
{
	size_t record;

	for (; size; data += record, size -= record) {
		record = record_log_size(data, size);
		if (!record)
			return false;
	}
	return true;
}
