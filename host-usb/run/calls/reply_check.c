/* SPDX-License-Identifier: Apache-2.0 */
/* Checks replies to bpf(2) for numbers that no kernel returns. */
#include "host-usb/run/calls/reply_check.h"

#include "core/base/printable.h"
#include "core/messages/rpc.h"
#include "host-usb/run/calls/bpf_pack.h"
#include "host-usb/run/files/btf.h"
#include "host-usb/run/objects/objects.h"

#include <ctype.h>
#include <linux/bpf.h>
#include <string.h>

/* Limits of Linux, or numbers far above what it reaches where it has none. */
#define FUNCTIONS_MAX 1024	 /* of a program; Linux allows 256 and adds one */
#define MAPS_MAX      4096	 /* of a program; Linux: 64, and those of BPF_PROG_BIND_MAP */
#define INSNS_MAX     (2U << 20) /* of a program; Linux: 1,000,000, and what it inserts */
#define RECORD_MAX    252	 /* bytes, as in the kernel */
#define SYMBOLS_MAX   (1U << 20) /* of a link to many functions, as in the kernel */
#define NAME_MAX_SIZE 4096	 /* bytes of a name that a link has, with its NUL */

#define FUNC_INFO_MIN  8 /* bytes of the records in Linux 5.0, which has them first */
#define LINE_INFO_MIN  16
#define JITED_LINE_MIN 8

#define PROG_AT(member) offsetof(struct bpf_prog_info, member)

static bool is_string(const void *data, size_t size)
{
	return memchr(data, 0, size) != NULL;
}

/* A name for a terminal: tools print names as they are. */
static bool is_name(const char *data, size_t size)
{
	return is_string(data, size) && printable_is_text(data, strlen(data));
}

static bool is_out(const struct bpf_abi_command *command, size_t offset)
{
	for (const struct bpf_abi_out *out = command->outs; out->size; out++)
		if (out->offset == offset)
			return true;
	return false;
}

/* Tools go on from the id that they get, so it must be higher. */
static bool is_next_id(const struct bpf_request *b, const void *attr)
{
	switch (b->command->number) {
	case BPF_PROG_GET_NEXT_ID:
	case BPF_MAP_GET_NEXT_ID:
	case BPF_BTF_GET_NEXT_ID:
	case BPF_LINK_GET_NEXT_ID:
		return bpf_abi_get32(attr, b->size, offsetof(union bpf_attr, next_id)) >
		       bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, start_id));
	default:
		return true;
	}
}

bool reply_attr_is_possible(const struct bpf_request *b, const void *attr, int64_t ret)
{
	const struct bpf_abi_ptr *ptr = b->command->ptrs;
	size_t batch = b->command->outs[0].offset;

	/* A batch never returns more entries than the tool has room for. */
	if (b->command->map && b->command->outs[0].size &&
		bpf_abi_get32(attr, b->size, batch) > bpf_abi_get32(b->attr, b->size, batch))
		return false;
	if (ret < 0)
		return true;
	/* Nor does a call that succeeds return more bytes. */
	for (size_t i = 0; ptr[i].size; i++)
		if (ptr[i].size == BPF_ABI_COUNT && b->room[i] &&
			is_out(b->command, ptr[i].count) &&
			bpf_abi_get32(attr, b->size, ptr[i].count) >
				bpf_abi_get32(b->attr, b->size, ptr[i].count))
			return false;
	return is_next_id(b, attr);
}

bool reply_data_is_possible(
	const struct bpf_request *b, size_t i, const void *data, size_t size, int64_t ret)
{
	const struct bpf_abi_ptr *ptr = &b->command->ptrs[i];

	if (!data || size > b->room[i])
		return false;
	switch (ptr->size) {
	case BPF_ABI_KEY:
	case BPF_ABI_VALUE:
		return ret < 0 || size == b->room[i];
	case BPF_ABI_COUNT:
		/* Text: tools print it up to its NUL. */
		if (bpf_abi_is_log(b->command, ptr))
			return !size || is_string(data, size);
		if (b->command->number == BPF_TASK_FD_QUERY)
			return !size || is_name(data, size);
		return true;
	default:
		return true;
	}
}

/* The kernel allows only these names for maps and programs. */
static bool is_object_name(const struct info_reply *info, size_t offset)
{
	const char *name = info->data + offset;

	if (offset + BPF_OBJ_NAME_LEN > info->size)
		return true; /* an older kernel, or a tool that asks for less */
	for (size_t i = 0; i < BPF_OBJ_NAME_LEN; i++)
		if (!name[i])
			return true;
		else if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '.')
			return false;
	return false;
}

/* Limits of a program's lists: entries, and the least size of a record if the info states it. */
static const struct {
	size_t count;
	uint32_t max, record_min;
	size_t record;
} prog_limits[] = {
	{PROG_AT(jited_prog_len), RPC_INFO_MAX, 0, 0},
	{PROG_AT(xlated_prog_len), RPC_INFO_MAX, 0, 0},
	{PROG_AT(nr_map_ids), MAPS_MAX, 0, 0},
	{PROG_AT(nr_jited_ksyms), FUNCTIONS_MAX, 0, 0},
	{PROG_AT(nr_jited_func_lens), FUNCTIONS_MAX, 0, 0},
	{PROG_AT(nr_func_info), FUNCTIONS_MAX, FUNC_INFO_MIN, PROG_AT(func_info_rec_size)},
	{PROG_AT(nr_line_info), INSNS_MAX, LINE_INFO_MIN, PROG_AT(line_info_rec_size)},
	{PROG_AT(nr_jited_line_info), INSNS_MAX, JITED_LINE_MIN, PROG_AT(jited_line_info_rec_size)},
	{PROG_AT(nr_prog_tags), FUNCTIONS_MAX, 0, 0},
};

/* A tool walks over the machine code of functions, and expects as many addresses and, if there are
 * any, as many types. */
static bool fit_counts(const struct info_reply *info)
{
	uint32_t n = bpf_abi_get32(info->data, info->size, PROG_AT(nr_jited_func_lens));
	uint32_t addresses = bpf_abi_get32(info->data, info->size, PROG_AT(nr_jited_ksyms));
	uint32_t types = bpf_abi_get32(info->data, info->size, PROG_AT(nr_func_info));

	return (!addresses || n <= addresses) && (!types || n <= types);
}

static bool is_prog(const struct info_reply *info)
{
	for (size_t i = 0; i < sizeof(prog_limits) / sizeof(prog_limits[0]); i++) {
		uint32_t count = bpf_abi_get32(info->data, info->size, prog_limits[i].count);
		uint32_t record = bpf_abi_get32(info->data, info->size, prog_limits[i].record);

		if (count > prog_limits[i].max)
			return false;
		if (count && prog_limits[i].record_min &&
			(record < prog_limits[i].record_min || record > RECORD_MAX || record % 4))
			return false;
	}
	return fit_counts(info) && is_object_name(info, PROG_AT(name));
}

/* From the info of a map a tool computes how much memory its lookups and mappings need, so the info
 * must agree with what we know of the map. All kernels that have the call have these fields. */
static bool is_map(const struct info_reply *info)
{
	struct bpf_map_info map = {.type = 0};

	if (info->size < offsetof(struct bpf_map_info, map_flags))
		return true; /* the tool asks for less */
	memcpy(&map, info->data, info->size < sizeof(map) ? info->size : sizeof(map));
	return object_is_map_of(info->object, &map) &&
	       is_object_name(info, offsetof(struct bpf_map_info, name));
}

static bool is_link(const struct info_reply *info)
{
	uint32_t type = bpf_abi_get32(info->data, info->size, 0);
	const struct bpf_abi_nested *nested;
	size_t n;

	/* The type decides which fields are pointers, and their counts. */
	if (info->size >= sizeof(type) && type != info->object->link_type)
		return false;
	nested = bpf_abi_nested(BPF_ABI_LINK, type, &n);
	for (size_t i = 0; i < n; i++) {
		uint32_t max = nested[i].unit == 1 ? NAME_MAX_SIZE : SYMBOLS_MAX;

		if (bpf_abi_get32(info->data, info->size, nested[i].count) > max)
			return false;
	}
	return true;
}

static bool is_info(const struct info_reply *info)
{
	switch (info->object->class) {
	case BPF_ABI_PROG:
		return is_prog(info);
	case BPF_ABI_MAP:
		return is_map(info);
	case BPF_ABI_BTF:
		return bpf_abi_get32(info->data, info->size,
			       offsetof(struct bpf_btf_info, btf_size)) <= BTF_SIZE_MAX;
	default:
		return is_link(info);
	}
}

const char *reply_info_list(const struct info_reply *info, size_t offset, size_t *size)
{
	for (size_t i = 0; i < info->count; i++) {
		if (info->nested[i]->offset != offset)
			continue;
		*size = info->list_size[i];
		return info->list[i];
	}
	*size = 0;
	return NULL;
}

/* A tool disassembles the machine code of one function after another and trusts their lengths. */
static bool fit_lengths(const struct info_reply *info)
{
	size_t size, code_size;
	const char *lengths = reply_info_list(info, PROG_AT(jited_func_lens), &size);
	uint32_t n = bpf_abi_get32(info->data, info->size, PROG_AT(nr_jited_func_lens)), length;
	uint64_t sum = 0;

	reply_info_list(info, PROG_AT(jited_prog_insns), &code_size);
	for (size_t i = 0; lengths && code_size && i < n && i < size / sizeof(length); i++) {
		memcpy(&length, lengths + i * sizeof(length), sizeof(length));
		sum += length;
	}
	return sum <= code_size;
}

/* True if an instruction, the one with number `at` of n, goes on within the program. bpftool draws
 * programs by their jumps and calls. */
static bool is_target_within(const struct bpf_insn *insn, size_t at, size_t n)
{
	unsigned int class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);
	int64_t offset = insn->off;

	if ((class != BPF_JMP && class != BPF_JMP32) || op == BPF_EXIT ||
		(op == BPF_CALL && (insn->src_reg != BPF_PSEUDO_CALL || n > INT16_MAX)))
		return true; /* in long programs the kernel cuts offsets of calls to 16 bits */
	if (class == BPF_JMP32 && op == BPF_JA) { /* bpftool before Linux 6.6 takes the offset */
		if (offset)
			return false;
		offset = insn->imm;
	}
	offset += (int64_t)at + 1;
	return offset >= 0 && offset < (int64_t)n;
}

/* Some instructions consist of two. The second one must not be missing, and has no code. */
static bool are_whole_insns(const struct info_reply *info)
{
	size_t size, n, at;
	const char *insns = reply_info_list(info, PROG_AT(xlated_prog_insns), &size);
	uint32_t length = bpf_abi_get32(info->data, info->size, PROG_AT(xlated_prog_len));
	struct bpf_insn insn;
	bool is_second = false;

	if (length % sizeof(insn))
		return false;
	if (!insns || length > size)
		return true; /* not asked for, or only the first part, which no tool prints */
	n = length / sizeof(insn);
	for (at = 0; at < n; at++) {
		memcpy(&insn, insns + at * sizeof(insn), sizeof(insn));
		if (is_second ? insn.code : !is_target_within(&insn, at, n))
			return false;
		is_second = !is_second && insn.code == (BPF_LD | BPF_IMM | BPF_DW);
	}
	return !is_second;
}

static bool are_lists(const struct info_reply *info)
{
	bool is_prog_info = info->object->class == BPF_ABI_PROG;

	for (size_t i = 0; i < info->count; i++) {
		const struct bpf_abi_nested *nested = info->nested[i];

		if (!nested->unit &&
			bpf_abi_get32(info->data, info->size, nested->unit_field) !=
				bpf_abi_get32(info->asked, info->size, nested->unit_field))
			return false;
		/* The other lists of bytes are names. */
		if (nested->unit == 1 && !is_prog_info &&
			!(info->object->class == BPF_ABI_BTF &&
				nested->offset == offsetof(struct bpf_btf_info, btf)) &&
			!is_name(info->list[i], info->list_size[i]))
			return false;
	}
	return !is_prog_info || (fit_lengths(info) && are_whole_insns(info));
}

void reply_info_hold_counts(const struct info_reply *info, struct object *object)
{
	uint32_t type = object->class == BPF_ABI_LINK ? object->link_type : 0;
	const struct bpf_abi_nested *nested;
	size_t n;

	nested = bpf_abi_nested(object->class, type, &n);
	for (size_t i = 0; i < n; i++) {
		uint32_t now = bpf_abi_get32(info->data, info->size, nested[i].count);
		uint32_t room = bpf_abi_get32(info->asked, info->size, nested[i].count);
		uint32_t *reported = &object->counts[i];

		if (now > room && room && *reported && *reported <= room)
			now = *reported;
		bpf_abi_set32(info->data, info->size, nested[i].count, now);
		*reported = now;
	}
}

bool reply_info_is_possible(const struct info_reply *info)
{
	return is_info(info) && are_lists(info);
}
