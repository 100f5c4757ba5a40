/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of bpf(2), from linux/bpf.h. Fields that older headers lack are given as numbers. */
#include "core/messages/bpf_abi.h"

#include <linux/bpf.h>
#include <string.h>

#define AT(member) offsetof(union bpf_attr, member)
#define OUT(member)                                               \
	{                                                         \
		AT(member), sizeof(((union bpf_attr *)0)->member) \
	}
#define END(member) (AT(member) + sizeof(((union bpf_attr *)0)->member))
#define KEY_IN                                         \
	{                                              \
		AT(key), BPF_ABI_IN, BPF_ABI_KEY, 0, 0 \
	}
#define VALUE_IN                                           \
	{                                                  \
		AT(value), BPF_ABI_IN, BPF_ABI_VALUE, 0, 0 \
	}
#define VALUE_OUT                                           \
	{                                                   \
		AT(value), BPF_ABI_OUT, BPF_ABI_VALUE, 0, 0 \
	}
#define MAP_FD                                 \
	{                                      \
		AT(map_fd), BPF_ABI_MAP, false \
	}
#define ELEMENT .end = END(flags), .map = 1 + AT(map_fd), .fds = {MAP_FD}
#define BATCH                                                 \
	.end = END(batch.flags), .map = 1 + AT(batch.map_fd), \
	.fds = {{AT(batch.map_fd), BPF_ABI_MAP, false}}, .outs = {OUT(batch.count)}
#define BATCH_TOKENS                                                  \
	{AT(batch.in_batch), BPF_ABI_IN, BPF_ABI_TOKEN, 0, 0},        \
	{                                                             \
		AT(batch.out_batch), BPF_ABI_OUT, BPF_ABI_TOKEN, 0, 0 \
	}
#define BATCH_KEYS(direction)                                 \
	{                                                     \
		AT(batch.keys), direction, BPF_ABI_KEYS, 0, 0 \
	}
#define BATCH_VALUES(direction)                                   \
	{                                                         \
		AT(batch.values), direction, BPF_ABI_VALUES, 0, 0 \
	}
#define READS	 .reads = true
#define NEXT_ID	 .end = END(open_flags), .outs = {OUT(next_id)}
#define FD_BY_ID .end = END(open_flags)
#define RECORDS(member)                                                                          \
	{                                                                                        \
		AT(member), BPF_ABI_IN, BPF_ABI_RECORDS, AT(member##_cnt), AT(member##_rec_size) \
	}

/* Offsets of fields that linux/bpf.h lacked until the kernel version named. */
#define PROG_LOAD_LOG_TRUE_SIZE 140 /* 6.4 */
#define BTF_LOAD_LOG_TRUE_SIZE	28  /* 6.4 */
#define LINK_EVENT_TYPE		16  /* 6.6: enum bpf_perf_event_type */
#define LINK_EVENT_PLAIN	6   /* 6.6: BPF_PERF_EVENT_EVENT */
#define LINK_EVENT_NAME		24  /* 6.6: the file or the function of a perf event's link */
#define LINK_EVENT_NAME_LEN	32  /* 6.6 */
/* Of a link to many functions of the kernel, and of a program. */
#define LINK_FUNCTIONS		   16 /* 6.6 */
#define LINK_FUNCTIONS_COUNT	   24 /* 6.6 */
#define LINK_FUNCTIONS_COOKIES	   40 /* 6.9 */
#define LINK_UFUNCTIONS_PATH	   16 /* 6.8 */
#define LINK_UFUNCTIONS_OFFSETS	   24 /* 6.8 */
#define LINK_UFUNCTIONS_SEMAPHORES 32 /* 6.8 */
#define LINK_UFUNCTIONS_COOKIES	   40 /* 6.8 */
#define LINK_UFUNCTIONS_PATH_SIZE  48 /* 6.8 */
#define LINK_UFUNCTIONS_COUNT	   52 /* 6.8 */

/* Flags of elements that leave the size of a value as it is. */
#define ELEMENT_FLAGS (BPF_NOEXIST | BPF_EXIST | BPF_F_LOCK)

static const struct bpf_abi_command commands[] = {
	{BPF_MAP_CREATE, "MAP_CREATE", BPF_ABI_MAP, .end = END(map_extra),
		.fds = {{AT(inner_map_fd), BPF_ABI_MAP, true}, {AT(btf_fd), BPF_ABI_BTF, true}}},
	{BPF_MAP_LOOKUP_ELEM, "MAP_LOOKUP_ELEM", READS, ELEMENT, .ptrs = {KEY_IN, VALUE_OUT}},
	{BPF_MAP_UPDATE_ELEM, "MAP_UPDATE_ELEM", ELEMENT, .ptrs = {KEY_IN, VALUE_IN}},
	{BPF_MAP_DELETE_ELEM, "MAP_DELETE_ELEM", ELEMENT, .ptrs = {KEY_IN}},
	{BPF_MAP_GET_NEXT_KEY, "MAP_GET_NEXT_KEY", READS, ELEMENT,
		.ptrs = {KEY_IN, {AT(next_key), BPF_ABI_OUT, BPF_ABI_KEY, 0, 0}}},
	{BPF_MAP_LOOKUP_AND_DELETE_ELEM, "MAP_LOOKUP_AND_DELETE_ELEM", ELEMENT,
		.ptrs = {KEY_IN, VALUE_OUT}},
	{BPF_MAP_FREEZE, "MAP_FREEZE", .end = END(map_fd), .fds = {MAP_FD}},
	{BPF_MAP_LOOKUP_BATCH, "MAP_LOOKUP_BATCH", READS, BATCH,
		.ptrs = {BATCH_TOKENS, BATCH_KEYS(BPF_ABI_OUT), BATCH_VALUES(BPF_ABI_OUT)}},
	{BPF_MAP_LOOKUP_AND_DELETE_BATCH, "MAP_LOOKUP_AND_DELETE_BATCH", BATCH,
		.ptrs = {BATCH_TOKENS, BATCH_KEYS(BPF_ABI_OUT), BATCH_VALUES(BPF_ABI_OUT)}},
	{BPF_MAP_UPDATE_BATCH, "MAP_UPDATE_BATCH", BATCH,
		.ptrs = {BATCH_KEYS(BPF_ABI_IN), BATCH_VALUES(BPF_ABI_IN)}},
	{BPF_MAP_DELETE_BATCH, "MAP_DELETE_BATCH", BATCH, .ptrs = {BATCH_KEYS(BPF_ABI_IN)}},
	{BPF_PROG_LOAD, "PROG_LOAD", BPF_ABI_PROG, .end = PROG_LOAD_LOG_TRUE_SIZE + 4,
		.fds = {{AT(prog_btf_fd), BPF_ABI_BTF, true},
			{AT(attach_prog_fd), BPF_ABI_PROG | BPF_ABI_BTF, true}},
		/* fd_array is missing: its length is not in the attributes. */
		.ptrs = {{AT(insns), BPF_ABI_IN, BPF_ABI_COUNT, AT(insn_cnt), 8},
			{AT(license), BPF_ABI_IN, BPF_ABI_STRING, 0, 0},
			{AT(log_buf), BPF_ABI_OUT, BPF_ABI_COUNT, AT(log_size), 1},
			RECORDS(func_info), RECORDS(line_info),
			{AT(core_relos), BPF_ABI_IN, BPF_ABI_RECORDS, AT(core_relo_cnt),
				AT(core_relo_rec_size)}},
		.outs = {{PROG_LOAD_LOG_TRUE_SIZE, 4}}},
	{BPF_BTF_LOAD, "BTF_LOAD", BPF_ABI_BTF, .end = BTF_LOAD_LOG_TRUE_SIZE + 4,
		.ptrs = {{AT(btf), BPF_ABI_IN, BPF_ABI_COUNT, AT(btf_size), 1},
			{AT(btf_log_buf), BPF_ABI_OUT, BPF_ABI_COUNT, AT(btf_log_size), 1}},
		.outs = {{BTF_LOAD_LOG_TRUE_SIZE, 4}}},
	{BPF_PROG_TEST_RUN, "PROG_TEST_RUN", .end = END(test.batch_size),
		.fds = {{AT(test.prog_fd), BPF_ABI_PROG, false}},
		.ptrs = {{AT(test.data_in), BPF_ABI_IN, BPF_ABI_COUNT, AT(test.data_size_in), 1},
			{AT(test.data_out), BPF_ABI_OUT, BPF_ABI_COUNT, AT(test.data_size_out), 1},
			{AT(test.ctx_in), BPF_ABI_IN, BPF_ABI_COUNT, AT(test.ctx_size_in), 1},
			{AT(test.ctx_out), BPF_ABI_OUT, BPF_ABI_COUNT, AT(test.ctx_size_out), 1}},
		.outs = {OUT(test.retval), OUT(test.data_size_out), OUT(test.duration),
			OUT(test.ctx_size_out)}},
	{BPF_PROG_GET_NEXT_ID, "PROG_GET_NEXT_ID", READS, NEXT_ID},
	{BPF_MAP_GET_NEXT_ID, "MAP_GET_NEXT_ID", READS, NEXT_ID},
	{BPF_BTF_GET_NEXT_ID, "BTF_GET_NEXT_ID", READS, NEXT_ID},
	{BPF_LINK_GET_NEXT_ID, "LINK_GET_NEXT_ID", READS, NEXT_ID},
	{BPF_PROG_GET_FD_BY_ID, "PROG_GET_FD_BY_ID", BPF_ABI_PROG, READS, FD_BY_ID},
	{BPF_MAP_GET_FD_BY_ID, "MAP_GET_FD_BY_ID", BPF_ABI_MAP, READS, FD_BY_ID,
		.open_flags = 1 + AT(open_flags)},
	{BPF_BTF_GET_FD_BY_ID, "BTF_GET_FD_BY_ID", BPF_ABI_BTF, READS, FD_BY_ID},
	{BPF_LINK_GET_FD_BY_ID, "LINK_GET_FD_BY_ID", BPF_ABI_LINK, READS, FD_BY_ID},
	{BPF_RAW_TRACEPOINT_OPEN, "RAW_TRACEPOINT_OPEN", BPF_ABI_LINK,
		.end = END(raw_tracepoint.prog_fd),
		.fds = {{AT(raw_tracepoint.prog_fd), BPF_ABI_PROG, false}},
		.ptrs = {{AT(raw_tracepoint.name), BPF_ABI_IN, BPF_ABI_STRING, 0, 0}}},
	/* The known fields end with the cookie. The board refuses kinds of links that have pointers
	 * after it: see link_types in core/bpfd/rpc/bpf.c. */
	{BPF_LINK_CREATE, "LINK_CREATE", BPF_ABI_LINK, .end = END(link_create.tracing.cookie),
		.fds = {{AT(link_create.prog_fd), BPF_ABI_PROG, false},
			{AT(link_create.target_fd), BPF_ABI_EVENT | BPF_ABI_PROG, true}}},
	{BPF_LINK_UPDATE, "LINK_UPDATE", .end = END(link_update.old_prog_fd),
		.fds = {{AT(link_update.link_fd), BPF_ABI_LINK, false},
			{AT(link_update.new_prog_fd), BPF_ABI_PROG, false},
			{AT(link_update.old_prog_fd), BPF_ABI_PROG, true}}},
	{BPF_LINK_DETACH, "LINK_DETACH", .end = END(link_detach.link_fd),
		.fds = {{AT(link_detach.link_fd), BPF_ABI_LINK, false}}},
	{BPF_ENABLE_STATS, "ENABLE_STATS", BPF_ABI_OTHER, .end = END(enable_stats.type)},
	{BPF_PROG_BIND_MAP, "PROG_BIND_MAP", .end = END(prog_bind_map.flags),
		.fds = {{AT(prog_bind_map.prog_fd), BPF_ABI_PROG, false},
			{AT(prog_bind_map.map_fd), BPF_ABI_MAP, false}}},
	{BPF_TASK_FD_QUERY, "TASK_FD_QUERY", READS, .end = END(task_fd_query.probe_addr),
		.ptrs = {{AT(task_fd_query.buf), BPF_ABI_OUT, BPF_ABI_COUNT,
			AT(task_fd_query.buf_len), 1}},
		.outs = {OUT(task_fd_query.buf_len), OUT(task_fd_query.prog_id),
			OUT(task_fd_query.fd_type), OUT(task_fd_query.probe_offset),
			OUT(task_fd_query.probe_addr)}},
	{BPF_OBJ_PIN, "OBJ_PIN", .end = END(file_flags),
		.fds = {{AT(bpf_fd), BPF_ABI_MAP | BPF_ABI_PROG | BPF_ABI_LINK, false}},
		.ptrs = {{AT(pathname), BPF_ABI_IN, BPF_ABI_STRING, 0, 0}}},
	/* The class of the object depends on the file, so the board's reply names it. */
	{BPF_OBJ_GET, "OBJ_GET", BPF_ABI_MAP | BPF_ABI_PROG | BPF_ABI_LINK, READS,
		.open_flags = 1 + AT(file_flags), .end = END(file_flags),
		.ptrs = {{AT(pathname), BPF_ABI_IN, BPF_ABI_STRING, 0, 0}}},
};

const struct bpf_abi_command *bpf_abi_find(uint32_t number)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].number == number)
			return &commands[i];
	return NULL;
}

const char *bpf_abi_name(uint32_t number)
{
	const struct bpf_abi_command *command = bpf_abi_find(number);

	if (command)
		return command->name;
	switch (number) {
	case BPF_OBJ_GET_INFO_BY_FD:
		return "OBJ_GET_INFO_BY_FD";
	case BPF_PROG_ATTACH:
		return "PROG_ATTACH";
	case BPF_PROG_DETACH:
		return "PROG_DETACH";
	case BPF_PROG_QUERY:
		return "PROG_QUERY";
	case BPF_ITER_CREATE:
		return "ITER_CREATE";
	case BPF_ABI_TOKEN_CREATE:
		return "TOKEN_CREATE";
	case BPF_ABI_PROG_STREAM_READ_BY_FD:
		return "PROG_STREAM_READ_BY_FD";
	case BPF_ABI_PROG_ASSOC_STRUCT_OPS:
		return "PROG_ASSOC_STRUCT_OPS";
	default:
		return NULL;
	}
}

#define PROG_AT(member) offsetof(struct bpf_prog_info, member)

static const struct bpf_abi_nested prog_nested[] = {
	{PROG_AT(jited_prog_insns), PROG_AT(jited_prog_len), 1, 0},
	{PROG_AT(xlated_prog_insns), PROG_AT(xlated_prog_len), 1, 0},
	{PROG_AT(map_ids), PROG_AT(nr_map_ids), 4, 0},
	{PROG_AT(jited_ksyms), PROG_AT(nr_jited_ksyms), 8, 0},
	{PROG_AT(jited_func_lens), PROG_AT(nr_jited_func_lens), 4, 0},
	{PROG_AT(func_info), PROG_AT(nr_func_info), 0, PROG_AT(func_info_rec_size)},
	{PROG_AT(line_info), PROG_AT(nr_line_info), 0, PROG_AT(line_info_rec_size)},
	{PROG_AT(jited_line_info), PROG_AT(nr_jited_line_info), 0,
		PROG_AT(jited_line_info_rec_size)},
	{PROG_AT(prog_tags), PROG_AT(nr_prog_tags), BPF_TAG_SIZE, 0},
};

static const struct bpf_abi_nested btf_nested[] = {
	{offsetof(struct bpf_btf_info, btf), offsetof(struct bpf_btf_info, btf_size), 1, 0},
	{offsetof(struct bpf_btf_info, name), offsetof(struct bpf_btf_info, name_len), 1, 0},
};

/* The name of a raw tracepoint, or of an iterator's target: both have the same offset. */
static const struct bpf_abi_nested link_name_nested[] = {
	{offsetof(struct bpf_link_info, raw_tracepoint.tp_name),
		offsetof(struct bpf_link_info, raw_tracepoint.tp_name_len), 1, 0},
};

static const struct bpf_abi_nested link_event_nested[] = {
	{LINK_EVENT_NAME, LINK_EVENT_NAME_LEN, 1, 0},
};

/* 6.6; cookies: 6.9. The addresses of a link to many functions of the kernel or of a program. */
static const struct bpf_abi_nested link_functions_nested[] = {
	{LINK_FUNCTIONS, LINK_FUNCTIONS_COUNT, 8, 0},
	{LINK_FUNCTIONS_COOKIES, LINK_FUNCTIONS_COUNT, 8, 0},
};

static const struct bpf_abi_nested link_ufunctions_nested[] = {
	{LINK_UFUNCTIONS_PATH, LINK_UFUNCTIONS_PATH_SIZE, 1, 0},
	{LINK_UFUNCTIONS_OFFSETS, LINK_UFUNCTIONS_COUNT, 8, 0},
	{LINK_UFUNCTIONS_SEMAPHORES, LINK_UFUNCTIONS_COUNT, 8, 0},
	{LINK_UFUNCTIONS_COOKIES, LINK_UFUNCTIONS_COUNT, 8, 0},
};

#define LIST(list) (*count = sizeof(list) / sizeof((list)[0]), (list))

const struct bpf_abi_nested *bpf_abi_nested(unsigned int class, uint32_t link_type, size_t *count)
{
	if (class == BPF_ABI_PROG)
		return LIST(prog_nested);
	if (class == BPF_ABI_BTF)
		return LIST(btf_nested);
	if (class == BPF_ABI_LINK &&
		(link_type == BPF_LINK_TYPE_RAW_TRACEPOINT || link_type == BPF_LINK_TYPE_ITER))
		return LIST(link_name_nested);
	if (class == BPF_ABI_LINK && link_type == BPF_LINK_TYPE_PERF_EVENT)
		return LIST(link_event_nested);
	if (class == BPF_ABI_LINK && link_type == BPF_LINK_TYPE_KPROBE_MULTI)
		return LIST(link_functions_nested);
	if (class == BPF_ABI_LINK && link_type == BPF_ABI_LINK_UPROBE_MULTI)
		return LIST(link_ufunctions_nested);
	*count = 0;
	return NULL;
}

bool bpf_abi_link_is_plain_event(uint32_t link_type, const void *info, size_t size)
{
	return link_type == BPF_LINK_TYPE_PERF_EVENT &&
	       bpf_abi_get32(info, size, LINK_EVENT_TYPE) == LINK_EVENT_PLAIN;
}

uint32_t bpf_abi_get32(const void *attr, size_t size, size_t offset)
{
	uint32_t value = 0;

	if (offset + sizeof(value) <= size)
		memcpy(&value, (const char *)attr + offset, sizeof(value));
	return value;
}

uint64_t bpf_abi_get64(const void *attr, size_t size, size_t offset)
{
	uint64_t value = 0;

	if (offset + sizeof(value) <= size)
		memcpy(&value, (const char *)attr + offset, sizeof(value));
	return value;
}

void bpf_abi_set32(void *attr, size_t size, size_t offset, uint32_t value)
{
	if (offset + sizeof(value) <= size)
		memcpy((char *)attr + offset, &value, sizeof(value));
}

void bpf_abi_set64(void *attr, size_t size, size_t offset, uint64_t value)
{
	if (offset + sizeof(value) <= size)
		memcpy((char *)attr + offset, &value, sizeof(value));
}

uint64_t bpf_abi_nested_room(const struct bpf_abi_nested *nested, const void *info, size_t size)
{
	uint64_t unit = nested->unit ? nested->unit : bpf_abi_get32(info, size, nested->unit_field);

	return unit * bpf_abi_get32(info, size, nested->count);
}

bool bpf_abi_is_log(const struct bpf_abi_command *command, const struct bpf_abi_ptr *ptr)
{
	return (command->number == BPF_PROG_LOAD || command->number == BPF_BTF_LOAD) &&
	       ptr->direction == BPF_ABI_OUT;
}

static uint64_t times(uint64_t count, uint64_t size)
{
	uint64_t product;

	return __builtin_mul_overflow(count, size, &product) ? UINT64_MAX : product;
}

uint64_t bpf_abi_ptr_size(const struct bpf_abi_command *command, const struct bpf_abi_ptr *ptr,
	const void *attr, size_t attr_size, uint64_t key_size, uint64_t value_size)
{
	uint64_t count = bpf_abi_get32(attr, attr_size, ptr->count);

	switch (ptr->size) {
	case BPF_ABI_KEY:
		return key_size;
	case BPF_ABI_VALUE:
		return value_size;
	case BPF_ABI_TOKEN:
		return key_size < sizeof(uint32_t) ? sizeof(uint32_t) : key_size;
	case BPF_ABI_KEYS:
		return times(bpf_abi_get32(attr, attr_size, AT(batch.count)), key_size);
	case BPF_ABI_VALUES:
		return times(bpf_abi_get32(attr, attr_size, AT(batch.count)), value_size);
	case BPF_ABI_COUNT:
		return times(count, ptr->unit);
	case BPF_ABI_RECORDS:
		return times(count, bpf_abi_get32(attr, attr_size, ptr->unit));
	default:
		return 0;
	}
}

uint32_t bpf_abi_value_classes(uint32_t map_type, uint32_t *offset)
{
	*offset = 0;
	switch (map_type) {
	case BPF_MAP_TYPE_PROG_ARRAY:
		return BPF_ABI_PROG;
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
		return BPF_ABI_EVENT;
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		return BPF_ABI_MAP;
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_XSKMAP:
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
		return UINT32_MAX;
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
	case BPF_MAP_TYPE_CPUMAP:
		*offset = 4;
		return BPF_ABI_PROG;
	default:
		return 0;
	}
}

unsigned int bpf_abi_direction(
	const struct bpf_abi_command *command, const struct bpf_abi_ptr *ptr, uint32_t map_type)
{
	if (command->number == BPF_MAP_LOOKUP_ELEM && ptr->size == BPF_ABI_VALUE &&
		map_type == BPF_MAP_TYPE_BLOOM_FILTER)
		return BPF_ABI_IN;
	return ptr->direction;
}

bool bpf_abi_flags_known(uint64_t flags)
{
	return !(flags & ~(uint64_t)ELEMENT_FLAGS);
}

bool bpf_abi_element_flags_known(
	const struct bpf_abi_command *command, const void *attr, size_t size)
{
	size_t offset = command->map == 1 + AT(batch.map_fd) ? AT(batch.elem_flags) : AT(flags);
	uint64_t flags = 0;

	/* Attributes may end within the flags: the kernel sees zeroes after them. */
	if (command->map && offset < size)
		memcpy(&flags, (const char *)attr + offset,
			size - offset < sizeof(flags) ? size - offset : sizeof(flags));
	return bpf_abi_flags_known(flags);
}

bool bpf_abi_is_percpu(uint32_t map_type)
{
	return map_type == BPF_MAP_TYPE_PERCPU_HASH || map_type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       map_type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

uint64_t bpf_abi_value_size(uint32_t map_type, uint32_t value_size, uint32_t cpus)
{
	if (!bpf_abi_is_percpu(map_type))
		return value_size;
	return ((uint64_t)value_size + 7) / 8 * 8 * cpus;
}
