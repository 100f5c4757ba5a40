/* SPDX-License-Identifier: Apache-2.0 */
/* Puts real descriptors in the place of handle numbers in programs and in map values. */
#ifndef CORE_BPFD_BPF_TRANSLATE_H
#define CORE_BPFD_BPF_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

struct bpf_insn;
struct handles;

/* Replaces the maps, and BTF of modules, that a program's instructions name. Returns 0; -EBADF: one
 * is not of this session, or a descriptor of another kind is named; -EINVAL: it uses a table of
 * descriptors. */
int translate_program(const struct handles *handles, struct bpf_insn *insns, size_t count);

/* Returns -EBADF if the keys of maps of that type are descriptors of kinds that sessions do not
 * have, else 0. */
int translate_key(uint32_t map_type);

/* Replaces the handle in a value for a map of that type, if its values hold one. The value need
 * not be aligned. Returns 0; -EBADF: no such handle of the kind that the map holds. */
int translate_value(const struct handles *handles, uint32_t map_type, void *value, size_t size);

#endif
