/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces the handles that a client writes where the kernel reads descriptors.
 * Everything that the kernel would read as a descriptor must be a handle of the session: otherwise
 * a client could use any descriptor of this process. */
#include "core/bpfd/bpf/translate.h"

#include "core/bpfd/bpf/fd_object.h"
#include "core/messages/bpf_abi.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>

/* Values of insn->src_reg that headers before 5.14 lack. */
#define PSEUDO_MAP_IDX	     5
#define PSEUDO_MAP_IDX_VALUE 6
#define PSEUDO_KFUNC_CALL    2

/* Map types whose keys are descriptors. Values of STRUCT_OPS have descriptors in unknown places. */
#define MAP_TYPE_SK_STORAGE    24
#define MAP_TYPE_STRUCT_OPS    26
#define MAP_TYPE_INODE_STORAGE 28
#define MAP_TYPE_TASK_STORAGE  29
#define MAP_TYPE_CGRP_STORAGE  32

/* Translates an instruction that loads 64 bits; insn[1] has the second half. */
static int translate_load(const struct handles *handles, struct bpf_insn *insn)
{
	int fd;

	switch (insn->src_reg) {
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_VALUE:
		fd = handle_abi_fd(handles, insn->imm, BPF_ABI_MAP);
		if (fd < 0)
			return fd;
		insn->imm = fd;
		return 0;
	case BPF_PSEUDO_BTF_ID: /* the second half is the BTF of a module, or 0 for the kernel */
		fd = insn[1].imm ? handle_abi_fd(handles, insn[1].imm, BPF_ABI_BTF) : 0;
		if (fd < 0)
			return fd;
		insn[1].imm = fd;
		return 0;
	case PSEUDO_MAP_IDX: /* an index into a table of descriptors, which is not passed */
	case PSEUDO_MAP_IDX_VALUE:
		return -EINVAL;
	default: /* the others are not descriptors */
		return 0;
	}
}

/* A call of a module's function names the module by its index in that table. */
static bool calls_module(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == PSEUDO_KFUNC_CALL &&
	       insn->off;
}

int translate_program(const struct handles *handles, struct bpf_insn *insns, size_t count)
{
	int err;

	for (size_t i = 0; i < count; i++) {
		if (calls_module(&insns[i]))
			return -EINVAL;
		if (i + 1 == count || insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		err = translate_load(handles, &insns[i]);
		if (err)
			return err;
		i++;
	}
	return 0;
}

int translate_key(uint32_t map_type)
{
	switch (map_type) {
	case MAP_TYPE_SK_STORAGE:
	case MAP_TYPE_INODE_STORAGE:
	case MAP_TYPE_TASK_STORAGE:
	case MAP_TYPE_CGRP_STORAGE:
		return -EBADF;
	default:
		return 0;
	}
}

int translate_value(const struct handles *handles, uint32_t map_type, void *value, size_t size)
{
	uint32_t offset, classes = bpf_abi_value_classes(map_type, &offset);
	bool optional = offset > 0; /* the value may end before the handle, or have 0 for none */
	int32_t number;
	int fd;

	if (map_type == MAP_TYPE_STRUCT_OPS || classes == UINT32_MAX)
		return -EBADF;
	if (!classes)
		return 0;
	if (size < offset + sizeof(number))
		return optional ? 0 : -EBADF;
	memcpy(&number, (char *)value + offset, sizeof(number));
	if (optional && number <= 0) /* for the kernel 0 and -1 mean none */
		return 0;
	fd = handle_abi_fd(handles, number, classes);
	if (fd < 0)
		return fd;
	memcpy((char *)value + offset, &fd, sizeof(fd));
	return 0;
}
