/* SPDX-License-Identifier: Apache-2.0 */
/* Tells programs that only observe from those that change what the kernel or processes do. */
#ifndef CORE_BPFD_BPF_OBSERVE_H
#define CORE_BPFD_BPF_OBSERVE_H

#include <stddef.h>
#include <stdint.h>

struct bpf_insn;

/* Returns NULL if a program can only observe, or what else it can do, for a message. attach_type is
 * expected_attach_type of PROG_LOAD. Unknown types and functions count as more than observing. */
const char *observe_beyond(
	uint32_t type, uint32_t attach_type, const struct bpf_insn *insns, size_t count);

#endif
