/* SPDX-License-Identifier: Apache-2.0 */
/* BPF programs: loads them and fetches the verifier's reasons. */
#ifndef CORE_PROG_H
#define CORE_PROG_H

#include "core/handle.h"

#include <stddef.h>
#include <stdint.h>

extern const struct handle_class prog_class;

struct bpf_insn;

struct prog_spec {
	const char *name; /* NULL: none */
	const char *license;
	const struct bpf_insn *insns; /* with real descriptors of maps */
	uint32_t insn_count;
	uint32_t type;
	uint32_t kern_version; /* kernels before 5.0 want theirs for kprobes */
};

/* Loads a program; a name that the kernel refuses is left out. Returns its descriptor or the
 * kernel's errno. On failure *log is the verifier's log, cut at log_max bytes, or NULL if there is
 * none; the caller frees it. */
int prog_load(const struct prog_spec *spec, size_t log_max, char **log);

#endif
