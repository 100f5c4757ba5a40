/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces handles by descriptors of this process, in programs and in map values. */
#ifndef CORE_BPFD_BPF_TRANSLATE_H
#define CORE_BPFD_BPF_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

struct bpf_insn;
struct handles;

/* Replaces the handles of maps, and of BTF of modules, in a program's instructions. Returns 0;
 * -EBADF: the session has no such handle, or it is of another kind; -EINVAL: the program refers to
 * a table of descriptors. */
int translate_program(const struct handles *handles, struct bpf_insn *insns, size_t count);

/* Returns 0, or -EBADF if keys of maps of that type are descriptors of a kind that sessions do not
 * have. */
int translate_key(uint32_t map_type);

/* Replaces the handle in a value for a map of that type, if its values contain one. The value need
 * not be aligned. Returns 0; -EBADF: there is no such handle of a kind that the map can hold. */
int translate_value(const struct handles *handles, uint32_t map_type, void *value, size_t size);

#endif
