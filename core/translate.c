/* SPDX-License-Identifier: Apache-2.0 */
/* A client writes handle numbers where the kernel reads descriptors of this process: whatever is
 * one for the kernel is replaced here, and refused if the session does not own it. */
#include "core/translate.h"

#include "core/handle.h"
#include "core/map.h"
#include "core/prog.h"
#include "core/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>

static int translate_number(
	const struct handles *handles, const struct handle_class *class, int64_t number)
{
	const struct handle *handle = handle_get(handles, number, class);

	return handle ? handle->fd : -EBADF;
}

/* One instruction that loads 64 bits, of which the second half is in the next one. */
static int translate_load(const struct handles *handles, struct bpf_insn *insn)
{
	int fd;

	switch (insn->src_reg) {
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_VALUE:
		fd = translate_number(handles, &map_class, insn->imm);
		if (fd < 0)
			return fd;
		insn->imm = fd;
		return 0;
	case BPF_PSEUDO_BTF_ID: /* the second half is a module's BTF; 0 means the kernel's own */
		return insn[1].imm ? -EBADF : 0;
	default: /* the rest are numbers, or indexes in a table of descriptors that we do not pass
		  */
		return 0;
	}
}

int translate_program(const struct handles *handles, struct bpf_insn *insns, size_t count)
{
	int err;

	for (size_t i = 0; i + 1 < count; i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		err = translate_load(handles, &insns[i]);
		if (err)
			return err;
		i++;
	}
	return 0;
}

/* Map types whose values hold a descriptor. */
static const struct descriptor_value {
	uint32_t type;
	uint32_t offset;		  /* bytes */
	const struct handle_class *class; /* NULL: of a kind that sessions do not have */
	bool optional;			  /* the value may end before it, or hold 0 for none */
} descriptor_values[] = {
	{BPF_MAP_TYPE_PROG_ARRAY, 0, &prog_class, false},
	{BPF_MAP_TYPE_PERF_EVENT_ARRAY, 0, &ring_class, false},
	{BPF_MAP_TYPE_ARRAY_OF_MAPS, 0, &map_class, false},
	{BPF_MAP_TYPE_HASH_OF_MAPS, 0, &map_class, false},
	{BPF_MAP_TYPE_CGROUP_ARRAY, 0, NULL, false},
	{BPF_MAP_TYPE_SOCKMAP, 0, NULL, false},
	{BPF_MAP_TYPE_SOCKHASH, 0, NULL, false},
	{BPF_MAP_TYPE_XSKMAP, 0, NULL, false},
	{BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 0, NULL, false},
	{BPF_MAP_TYPE_DEVMAP, 4, &prog_class, true},
	{BPF_MAP_TYPE_DEVMAP_HASH, 4, &prog_class, true},
	{BPF_MAP_TYPE_CPUMAP, 4, &prog_class, true},
};

int translate_value(const struct handles *handles, uint32_t map_type, void *value, size_t size)
{
	const struct descriptor_value *d = descriptor_values;
	const struct descriptor_value *end =
		d + sizeof(descriptor_values) / sizeof(descriptor_values[0]);
	int32_t number;
	int fd;

	while (d < end && d->type != map_type)
		d++;
	if (d == end)
		return 0;
	if (size < d->offset + sizeof(number))
		return d->optional ? 0 : -EBADF;
	memcpy(&number, (char *)value + d->offset, sizeof(number));
	if (d->optional && number <= 0) /* the kernel takes 0 and -1 as none */
		return 0;
	fd = d->class ? translate_number(handles, d->class, number) : -EBADF;
	if (fd < 0)
		return fd;
	memcpy((char *)value + d->offset, &fd, sizeof(fd));
	return 0;
}
