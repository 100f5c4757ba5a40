/* SPDX-License-Identifier: Apache-2.0 */
/* BPF programs: loads them and fetches the verifier's reasons. */
#ifndef CORE_BPFD_BPF_PROG_H
#define CORE_BPFD_BPF_PROG_H

#include "core/bpfd/bpf/handle.h"

#include <stddef.h>
#include <stdint.h>

extern const struct handle_class prog_class;

struct bpf_insn;
struct budget;
struct prog;

struct prog_spec {
	const char *name; /* NULL: none */
	const char *license;
	const struct bpf_insn *insns; /* with real descriptors of maps */
	uint32_t insn_count;
	uint32_t type;
};

/* Loads a program, whose memory counts against the budget; a name that the kernel refuses is left
 * out. Returns 0; -ENOMEM: the budget does not allow it; what the kernel refuses with, and then
 * *log is the verifier's log, cut at log_max bytes, or NULL if there is none; the caller frees
 * it. */
int prog_load(struct prog **prog, const struct prog_spec *spec, struct budget *budget,
	size_t log_max, char **log);

/* The kernel's version to load a program of that type with, whatever the client has given. */
uint32_t prog_kern_version(uint32_t type, uint32_t given);

/* For a program that the caller loads himself: takes what it will need from the budget, 0
 * instructions meaning that it exists already. prog_adopt() then gives it its descriptor. Returns
 * 0, -ENOMEM. */
int prog_reserve(struct prog **prog, uint32_t insn_count, struct budget *budget);
void prog_adopt(struct prog *prog, int fd);

/* Closes and frees it; the kernel keeps it while it is attached. NULL is fine. */
void prog_free(struct prog *prog);

/* The descriptor, which stays the program's. */
int prog_fd(const struct prog *prog);

#endif
