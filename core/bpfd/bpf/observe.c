/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out from a program's types and calls whether it can do more than observe. */
#include "core/bpfd/bpf/observe.h"

#include <linux/bpf.h>
#include <stdbool.h>

#define PSEUDO_KFUNC_CALL 2 /* headers before 5.13 lack it */

static bool is_observing_type(uint32_t type)
{
	switch (type) {
	case BPF_PROG_TYPE_SOCKET_FILTER: /* tools load one to probe the kernel; nothing runs it */
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_TRACING:
		return true;
	default:
		return false;
	}
}

static bool is_observing_place(uint32_t attach_type)
{
	return attach_type == BPF_TRACE_RAW_TP || attach_type == BPF_TRACE_FENTRY ||
	       attach_type == BPF_TRACE_FEXIT || attach_type == BPF_TRACE_ITER;
}

static const char *beyond_call(const struct bpf_insn *insn)
{
	if (insn->code != (BPF_JMP | BPF_CALL))
		return NULL;
	if (insn->src_reg == PSEUDO_KFUNC_CALL)
		return "it calls a function of the kernel, which may change something";
	if (insn->src_reg)
		return NULL; /* a function of the program */
	switch (insn->imm) {
	case BPF_FUNC_override_return:
		return "bpf_override_return() makes kernel functions fail";
	case BPF_FUNC_probe_write_user:
		return "bpf_probe_write_user() changes the memory of processes";
	case BPF_FUNC_send_signal:
	case BPF_FUNC_send_signal_thread:
		return "bpf_send_signal() sends signals to processes";
	default:
		return NULL;
	}
}

const char *observe_beyond(
	uint32_t type, uint32_t attach_type, const struct bpf_insn *insns, size_t count)
{
	if (type == BPF_PROG_TYPE_LSM)
		return "LSM programs can deny operations";
	if (!is_observing_type(type))
		return "programs of this type do more than trace";
	if (type == BPF_PROG_TYPE_TRACING && !is_observing_place(attach_type))
		return "programs at this place can change what kernel functions return";
	for (size_t i = 0; i < count; i++) {
		const char *beyond = beyond_call(&insns[i]);

		if (beyond)
			return beyond;
		/* The second half of a load of 64 bits is not an instruction. */
		if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
			i++;
	}
	return NULL;
}
