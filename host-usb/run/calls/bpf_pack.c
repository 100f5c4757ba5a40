/* SPDX-License-Identifier: Apache-2.0 */
/* Packs a bpf(2) call of the tool; the table in bpf_abi.h describes its attributes. */
#include "host-usb/run/calls/bpf_pack.h"

#include "core/messages/rpc.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

/* Bytes of one buffer. Larger than any tool needs: the verifier's log has 16 MiB, the largest
 * program 8 MB. */
#define CONTENT_MAX (24U << 20)

static uint32_t handle_of(const struct call *call, int fd, unsigned int classes)
{
	const struct object *object = object_of(call, fd, classes);

	return object ? object->handle : RPC_NO_HANDLE;
}

/* Replaces descriptors by board handles. An invalid descriptor becomes an invalid handle, so the
 * board's kernel reports the error. */
static void pack_fds(struct bpf_request *b)
{
	for (const struct bpf_abi_fd *fd = b->command->fds; fd->classes; fd++) {
		uint32_t number = bpf_abi_get32(b->attr, b->size, fd->offset);

		if (fd->offset + sizeof(number) > b->size || (fd->optional && !number))
			continue;
		bpf_abi_set32(b->packed, sizeof(b->packed), fd->offset,
			handle_of(b->call, (int)number, fd->classes));
	}
}

/* Replaces the descriptor in the value of a map, if its type has one. */
static int pack_value(struct bpf_request *b, char *value, uint64_t size)
{
	uint32_t offset, classes = bpf_abi_value_classes(b->map->map_type, &offset);
	int32_t number;

	if (!classes || size < offset + sizeof(number))
		return 0;
	memcpy(&number, value + offset, sizeof(number));
	if (classes == UINT32_MAX) {
		run_unsupported(b->call, "a map of sockets or control groups");
		return -EOPNOTSUPP;
	}
	if (offset && number <= 0)
		return 0;
	bpf_abi_set32(value, size, offset, handle_of(b->call, number, classes));
	return 0;
}

/* An instruction may name a map by its index in the array of descriptors, fd_array. Resolves it to
 * a descriptor. */
static int map_by_index(struct bpf_request *b, struct bpf_insn *insn)
{
	uint64_t table = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, fd_array));
	int32_t fd;
	int err;

	if (!table || insn->imm < 0)
		return -EINVAL;
	err = memory_read(b->call, table + (uint64_t)insn->imm * sizeof(fd), &fd, sizeof(fd));
	if (err)
		return err;
	insn->src_reg =
		insn->src_reg == BPF_PSEUDO_MAP_IDX ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
	insn->imm = fd;
	return 0;
}

/* Replaces the descriptor in a 16-byte load of a map. `insn` is its first half. */
static int pack_load(struct bpf_request *b, struct bpf_insn *insn)
{
	int err = 0;

	if (insn->src_reg == BPF_PSEUDO_MAP_IDX || insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE)
		err = map_by_index(b, insn);
	if (!err && (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE))
		insn->imm = (int32_t)handle_of(b->call, insn->imm, BPF_ABI_MAP);
	return err;
}

/* Replaces the descriptors in a program of `count` instructions, which are not aligned. */
static int pack_program(struct bpf_request *b, char *at, size_t count)
{
	struct bpf_insn insn;
	int err;

	for (; count; count--, at += sizeof(insn)) {
		memcpy(&insn, at, sizeof(insn));
		if (insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == BPF_PSEUDO_KFUNC_CALL &&
			insn.off) {
			run_unsupported(b->call, "a function of a kernel module");
			return -EOPNOTSUPP;
		}
		if (insn.code != (BPF_LD | BPF_IMM | BPF_DW) || count == 1)
			continue;
		err = pack_load(b, &insn);
		if (err)
			return err;
		memcpy(at, &insn, sizeof(insn));
		at += sizeof(insn);
		count--;
	}
	return 0;
}

/* Copies a buffer of the tool into the message and replaces the descriptors in it. */
static int pack_content(
	struct bpf_request *b, const struct bpf_abi_ptr *ptr, struct bytes_out *out, uint64_t size)
{
	uint64_t from = bpf_abi_get64(b->attr, b->size, ptr->offset);
	char *content;
	int err;

	bytes_put_u32(out, (uint32_t)size);
	content = bytes_put_room(out, size);
	if (!content)
		return -ENOMEM;
	err = memory_read(b->call, from, content, size);
	if (err)
		return err;
	if (b->command->number == BPF_PROG_LOAD && ptr->offset == offsetof(union bpf_attr, insns))
		return pack_program(b, content, size / sizeof(struct bpf_insn));
	if (ptr->size == BPF_ABI_VALUE)
		return pack_value(b, content, size);
	for (uint64_t i = 0; ptr->size == BPF_ABI_VALUES && i < size; i += b->map->value_size) {
		err = pack_value(b, content + i, b->map->value_size);
		if (err)
			return err;
	}
	return 0;
}

static int pack_string(struct bpf_request *b, const struct bpf_abi_ptr *ptr, struct bytes_out *out)
{
	uint64_t from = bpf_abi_get64(b->attr, b->size, ptr->offset);
	char text[BPF_ABI_STRING_MAX];
	ssize_t n = memory_read_string(b->call, from, text, sizeof(text));

	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	rpc_put_bytes(out, text, (size_t)n);
	return 0;
}

static int pack_ptr(
	struct bpf_request *b, const struct bpf_abi_ptr *ptr, struct bytes_out *out, uint64_t *room)
{
	bool is_out =
		bpf_abi_direction(b->command, ptr, b->map ? b->map->map_type : 0) == BPF_ABI_OUT;
	bool present = bpf_abi_get64(b->attr, b->size, ptr->offset) != 0;
	uint64_t size = 0;

	if (present)
		size = bpf_abi_ptr_size(b->command, ptr, b->attr, b->size,
			b->map ? b->map->key_size : 0, b->map ? b->map->value_size : 0);
	if (size > CONTENT_MAX && !bpf_abi_is_log(b->command, ptr))
		return -E2BIG;
	if (size > CONTENT_MAX)
		size = CONTENT_MAX;
	*room = present && is_out ? size : 0;
	bytes_put_u8(out, present);
	bytes_put_u32(out, (uint32_t)*room);
	if (!present || is_out)
		rpc_put_bytes(out, NULL, 0);
	else if (ptr->size == BPF_ABI_STRING)
		return pack_string(b, ptr, out);
	else
		return pack_content(b, ptr, out, size);
	return 0;
}

/* No address of the tool goes to the board. */
static void clear_pointers(struct bpf_request *b)
{
	static const size_t fd_array = offsetof(union bpf_attr, fd_array);

	for (const struct bpf_abi_ptr *ptr = b->command->ptrs; ptr->size; ptr++)
		for (size_t i = ptr->offset; i < ptr->offset + 8U && i < b->size; i++)
			b->packed[i] = 0;
	for (size_t i = fd_array; b->command->number == BPF_PROG_LOAD && i < fd_array + 8; i++)
		if (i < b->size)
			b->packed[i] = 0;
}

/* Limits the size of a log to the room that the message offers. */
static void cut_log(struct bpf_request *b)
{
	for (const struct bpf_abi_ptr *ptr = b->command->ptrs; ptr->size; ptr++)
		if (bpf_abi_is_log(b->command, ptr) &&
			bpf_abi_get32(b->packed, b->size, ptr->count) > CONTENT_MAX)
			bpf_abi_set32(b->packed, sizeof(b->packed), ptr->count, CONTENT_MAX);
}

int bpf_pack(struct bpf_request *b, struct bytes_out *out)
{
	const struct bpf_abi_ptr *ptr = b->command->ptrs;
	int err = 0;

	memcpy(b->packed, b->attr, sizeof(b->packed));
	clear_pointers(b);
	pack_fds(b);
	cut_log(b);
	bytes_put_u32(out, b->command->number);
	rpc_put_bytes(out, b->packed, b->size);
	for (size_t i = 0; !err && ptr[i].size; i++)
		err = pack_ptr(b, &ptr[i], out, &b->room[i]);
	return err;
}
