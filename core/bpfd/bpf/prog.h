/* SPDX-License-Identifier: Apache-2.0 */
/* BPF programs: loads them and fetches the verifier's log. */
#ifndef CORE_BPFD_BPF_PROG_H
#define CORE_BPFD_BPF_PROG_H

#include "core/bpfd/bpf/handle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const struct handle_class prog_class;

struct bpf_insn;
struct budget;
struct prog;

struct prog_spec {
	const char *name; /* NULL: none */
	const char *license;
	const struct bpf_insn *insns; /* with descriptors of this process, not handles */
	uint32_t insn_count;
	uint32_t type;
};

/* Loads a program, whose memory counts against the budget. A name that the kernel refuses is left
 * out. Returns 0; -ENOMEM: the budget does not allow it; or the kernel's errno. *log is then the
 * verifier's log of at most log_max bytes, which the caller frees, or NULL if there is none. */
int prog_load(struct prog **prog, const struct prog_spec *spec, struct budget *budget,
	size_t log_max, char **log);

/* The version code with which to load a program of that type: the running kernel's if it checks the
 * code, else the client's. */
uint32_t prog_kern_version(uint32_t type, uint32_t given);

/* With only_observes, checks that a program does no more than observe, and logs why not. Returns 0,
 * -EPERM. */
int prog_check(bool only_observes, uint32_t type, uint32_t attach_type,
	const struct bpf_insn *insns, size_t count);

/* Prepares a program that the caller loads with its own call of bpf(2): takes its memory from the
 * budget, or none if insn_count is 0 because the program exists already. prog_adopt() then gives it
 * the descriptor. Returns 0, -ENOMEM. */
int prog_reserve(struct prog **prog, uint32_t insn_count, struct budget *budget);
void prog_adopt(struct prog *prog, int fd);

/* Closes and frees the program. The kernel keeps it while it is attached. NULL is fine. */
void prog_free(struct prog *prog);

/* The descriptor, which stays the program's. */
int prog_fd(const struct prog *prog);

#endif
