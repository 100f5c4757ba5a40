/* SPDX-License-Identifier: Apache-2.0 */
/* The versions in which bpf(2) and perf_event_open(2) got commands, attributes, types, helpers and
 * instructions. */
#include "tests/tools/oldkernel.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define ATTR_MAX  256
#define INSNS_MAX 4096 /* before 5.2 */
#define LOG_MAX	  (UINT32_MAX >> 8)

/* The highest number of an enum from a version on. */
struct highest {
	unsigned int since;
	uint32_t number;
};

static const struct highest commands[] = {{VERSION(4, 9), BPF_OBJ_GET},
	{VERSION(4, 10), BPF_PROG_DETACH}, {VERSION(4, 12), BPF_PROG_TEST_RUN},
	{VERSION(4, 13), BPF_OBJ_GET_INFO_BY_FD}, {VERSION(4, 15), BPF_PROG_QUERY},
	{VERSION(4, 17), BPF_RAW_TRACEPOINT_OPEN}, {VERSION(4, 18), BPF_TASK_FD_QUERY},
	{VERSION(4, 20), BPF_MAP_LOOKUP_AND_DELETE_ELEM}, {VERSION(5, 2), BPF_MAP_FREEZE},
	{VERSION(5, 4), BPF_BTF_GET_NEXT_ID}, {VERSION(5, 6), BPF_MAP_DELETE_BATCH},
	{VERSION(5, 7), BPF_LINK_UPDATE}, {VERSION(5, 8), BPF_ITER_CREATE},
	{VERSION(5, 9), BPF_LINK_DETACH}, {VERSION(5, 10), BPF_PROG_BIND_MAP}};

static const struct highest map_types[] = {{VERSION(4, 9), BPF_MAP_TYPE_CGROUP_ARRAY},
	{VERSION(4, 10), BPF_MAP_TYPE_LRU_PERCPU_HASH}, {VERSION(4, 12), BPF_MAP_TYPE_HASH_OF_MAPS},
	{VERSION(4, 19), BPF_MAP_TYPE_REUSEPORT_SOCKARRAY},
	{VERSION(5, 4), BPF_MAP_TYPE_DEVMAP_HASH}, {VERSION(5, 8), BPF_MAP_TYPE_RINGBUF}};

static const struct highest prog_types[] = {{VERSION(4, 9), BPF_PROG_TYPE_PERF_EVENT},
	{VERSION(4, 17), BPF_PROG_TYPE_RAW_TRACEPOINT},
	{VERSION(4, 19), BPF_PROG_TYPE_SK_REUSEPORT},
	{VERSION(5, 2), BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE}, {VERSION(5, 7), BPF_PROG_TYPE_LSM}};

static const struct highest helpers[] = {{VERSION(4, 9), BPF_FUNC_set_hash_invalid},
	{VERSION(4, 11), BPF_FUNC_probe_read_str}, {VERSION(4, 15), BPF_FUNC_perf_prog_read_value},
	{VERSION(4, 19), BPF_FUNC_skb_ancestor_cgroup_id}, {VERSION(5, 3), BPF_FUNC_send_signal},
	{VERSION(5, 5), BPF_FUNC_probe_read_kernel_str}};

/* The known bytes of a command's attributes; all others must be 0. */
static const struct known {
	uint32_t command;
	unsigned int since;
	size_t end;
} attributes[] = {
	{BPF_MAP_CREATE, VERSION(4, 9), offsetof(union bpf_attr, inner_map_fd)},
	{BPF_MAP_CREATE, VERSION(4, 12), offsetof(union bpf_attr, numa_node)},
	{BPF_MAP_CREATE, VERSION(4, 14), offsetof(union bpf_attr, map_name)},
	{BPF_MAP_CREATE, VERSION(4, 15), offsetof(union bpf_attr, map_ifindex)},
	{BPF_MAP_CREATE, VERSION(4, 16), offsetof(union bpf_attr, btf_fd)},
	{BPF_MAP_CREATE, VERSION(4, 18), offsetof(union bpf_attr, btf_vmlinux_value_type_id)},
	{BPF_MAP_CREATE, VERSION(5, 6), offsetof(union bpf_attr, map_extra)},
	{BPF_PROG_LOAD, VERSION(4, 9), offsetof(union bpf_attr, prog_flags)},
	{BPF_PROG_LOAD, VERSION(4, 12), offsetof(union bpf_attr, prog_name)},
	{BPF_PROG_LOAD, VERSION(4, 15), offsetof(union bpf_attr, prog_ifindex)},
	{BPF_PROG_LOAD, VERSION(4, 16), offsetof(union bpf_attr, expected_attach_type)},
	{BPF_PROG_LOAD, VERSION(4, 17), offsetof(union bpf_attr, prog_btf_fd)},
	{BPF_PROG_LOAD, VERSION(5, 0), offsetof(union bpf_attr, attach_btf_id)},
	{BPF_PROG_LOAD, VERSION(5, 5), offsetof(union bpf_attr, fd_array)},
};

#define HIGHEST(table, version) highest(table, sizeof(table) / sizeof((table)[0]), version)

static uint32_t highest(const struct highest *table, size_t count, unsigned int version)
{
	uint32_t number = 0;

	for (size_t i = 0; i < count && table[i].since <= version; i++)
		number = table[i].number;
	/* Versions from the last entry on have no limit. */
	return count && table[count - 1].since <= version ? UINT32_MAX : number;
}

static bool read_memory(pid_t pid, uint64_t from, void *to, size_t size)
{
	struct iovec here = {to, size}, there = {(void *)(uintptr_t)from, size};

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static bool all_zero(const char *data, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (data[i])
			return false;
	return true;
}

static bool knows_attributes(
	const struct old_kernel *kernel, uint32_t command, const void *attr, size_t size)
{
	size_t end = 0;

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (attributes[i].command == command && attributes[i].since <= kernel->version)
			end = attributes[i].end;
	return !end || all_zero(attr, end, size);
}

static bool knows_insn(const struct old_kernel *kernel, const struct bpf_insn *insn)
{
	unsigned int class = BPF_CLASS(insn->code);

	if (insn->code == (BPF_JMP | BPF_CALL)) {
		if (insn->src_reg == BPF_PSEUDO_CALL)
			return kernel->version >= VERSION(4, 16);
		return insn->src_reg == 0 &&
		       (uint32_t)insn->imm <= HIGHEST(helpers, kernel->version);
	}
	if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
		return insn->src_reg <= BPF_PSEUDO_MAP_FD || kernel->version >= VERSION(5, 2);
	if (class == BPF_JMP && BPF_OP(insn->code) >= BPF_JLT && BPF_OP(insn->code) <= BPF_JSLE)
		return kernel->version >= VERSION(4, 14);
	if (class == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC && insn->imm != BPF_ADD)
		return kernel->version >= VERSION(5, 12);
	if (class == BPF_JMP32)
		return kernel->version >= VERSION(5, 1);
	return true;
}

static int check_program(const struct old_kernel *kernel, pid_t pid, const union bpf_attr *attr)
{
	size_t size = (size_t)attr->insn_cnt * sizeof(struct bpf_insn);
	struct bpf_insn *insns;
	int err = 0;

	if (attr->prog_type > HIGHEST(prog_types, kernel->version))
		return -EINVAL;
	if (kernel->version < VERSION(5, 2) && attr->insn_cnt > INSNS_MAX)
		return -E2BIG;
	if (kernel->version < VERSION(5, 2) && attr->log_level && attr->log_size > LOG_MAX)
		return -EINVAL;
	if (kernel->version < VERSION(5, 0) && attr->prog_type == BPF_PROG_TYPE_KPROBE &&
		attr->kern_version != kernel->running)
		return -EINVAL;
	insns = malloc(size + 1);
	/* If the instructions cannot be read, let the running kernel fail. */
	if (insns && read_memory(pid, attr->insns, insns, size)) {
		for (uint32_t i = 0; i < attr->insn_cnt && !err; i++) {
			if (!knows_insn(kernel, &insns[i]))
				err = -EINVAL;
			else if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
				i++;
		}
	}
	free(insns);
	return err;
}

int old_bpf(const struct old_kernel *kernel, pid_t pid, const __u64 args[])
{
	uint32_t command = (uint32_t)args[0];
	union {
		union bpf_attr attr;
		char bytes[ATTR_MAX];
	} copy;
	size_t size = args[2] < ATTR_MAX ? (size_t)args[2] : ATTR_MAX;

	memset(&copy, 0, sizeof(copy));
	if (command > HIGHEST(commands, kernel->version))
		return -EINVAL;
	if (!read_memory(pid, args[1], &copy, size))
		return 0;
	if (!knows_attributes(kernel, command, &copy, size))
		return -EINVAL;
	switch (command) {
	case BPF_MAP_CREATE:
		return copy.attr.map_type > HIGHEST(map_types, kernel->version) ? -EINVAL : 0;
	case BPF_MAP_GET_NEXT_KEY:
		return !copy.attr.key && kernel->version < VERSION(4, 12) ? -EFAULT : 0;
	case BPF_PROG_LOAD:
		return check_program(kernel, pid, &copy.attr);
	default:
		return 0;
	}
}

int old_perf_event(const struct old_kernel *kernel, pid_t pid, const __u64 args[])
{
	union {
		struct perf_event_attr attr;
		char bytes[ATTR_MAX];
	} copy;
	size_t size;

	memset(&copy, 0, sizeof(copy));
	if (!read_memory(pid, args[0], &copy, PERF_ATTR_SIZE_VER0))
		return 0;
	size = copy.attr.size < ATTR_MAX ? copy.attr.size : ATTR_MAX;
	if (!read_memory(pid, args[0], &copy, size))
		return 0;
	if (kernel->version < VERSION(5, 5) && !all_zero(copy.bytes, PERF_ATTR_SIZE_VER5, size))
		return -E2BIG;
	/* PERF_FORMAT_LOST */
	if (kernel->version < VERSION(6, 0) && copy.attr.read_format >= 1U << 4)
		return -EINVAL;
	return 0;
}
