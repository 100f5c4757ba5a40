/* SPDX-License-Identifier: Apache-2.0 */
/* Checks BTF, the types of a kernel, a module or a program, before a tool reads it.
 *
 * libbpf's parser trusts its kernel: a wrong type id, a name outside of the strings or a type that
 * contains itself crashes the tool or makes it run forever. Pure. */
#ifndef HOST_USB_RUN_FILES_BTF_H
#define HOST_USB_RUN_FILES_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BTF_SIZE_MAX (64U << 20) /* bytes; Linux: 16 MiB for a program's, the kernel's is less */

struct btf_types;

/* Checks `size` bytes of BTF, and copies them. BTF of a module needs that of the kernel as `base`,
 * which must outlive the result; otherwise base is NULL. Returns 0 and *types, which the caller
 * frees; -EPROTO with *why if a kernel would not have it; or -ENOMEM. */
int btf_read(struct btf_types **types, const void *data, size_t size, const struct btf_types *base,
	const char **why);
void btf_free(struct btf_types *types);

/* Returns true if the types were read from this data. */
bool btf_is(const struct btf_types *types, const void *data, size_t size);

/* Returns the data that the types were read from. It is freed with the types. */
const void *btf_data(const struct btf_types *types, size_t *size);

/* Returns true if a value of this type has `size` bytes, and no structure has parts outside of it.
 * A tool that prints the value then reads nothing else. `word`: bytes of a pointer on the board.
 * Types without a base only. */
bool btf_is_value(const struct btf_types *types, uint32_t id, uint64_t size, unsigned int word);

/* Returns true for the id of a function. */
bool btf_is_function(const struct btf_types *types, uint32_t id);

#endif
