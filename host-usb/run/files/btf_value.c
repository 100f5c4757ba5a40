/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that the type of a value fits its size. */
#include "host-usb/run/files/btf.h"
#include "host-usb/run/files/btf_private.h"

#define RESOLVE_MAX 64 /* modifiers and arrays in a row */

/* Returns the size of a type in bytes, or -1 if it has none. `word` is the size of a pointer. */
static int64_t size_of(const struct btf_types *types, uint32_t id, unsigned int word)
{
	int64_t count = 1;

	for (int i = 0; i < RESOLVE_MAX && id && id < end_of(types); i++) {
		const struct btf_type *type = type_of(types, id);
		const struct btf_array *array = after(type);

		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_FLOAT:
		case BTF_KIND_DATASEC:
		case KIND_ENUM64:
			return __builtin_mul_overflow(count, type->size, &count) ? -1 : count;
		case BTF_KIND_PTR:
			return __builtin_mul_overflow(count, word, &count) ? -1 : count;
		case BTF_KIND_ARRAY:
			if (__builtin_mul_overflow(count, array->nelems, &count))
				return -1;
			id = array->type;
			break;
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
		case BTF_KIND_VAR:
			id = type->type;
			break;
		default:
			return -1;
		}
	}
	return -1;
}

/* Returns the number of bits that a member without a size of its own takes, or -1. An integer can
 * be a bit field. */
static int64_t bits_of(const struct btf_types *types, uint32_t id, unsigned int word)
{
	const struct btf_type *type = type_of(types, id);
	const uint32_t *encoding = after(type);
	int64_t size = size_of(types, id, word);

	if (kind_of(types, id) == BTF_KIND_INT)
		return BTF_INT_OFFSET(*encoding) + BTF_INT_BITS(*encoding);
	return size < 0 || size > UINT32_MAX ? -1 : size * 8;
}

static bool members_fit(
	const struct btf_types *types, const struct btf_type *type, unsigned int word)
{
	const struct btf_member *member = after(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++, member++) {
		bool has_size = BTF_INFO_KFLAG(type->info);
		int64_t at = has_size ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset,
			bits = has_size ? BTF_MEMBER_BITFIELD_SIZE(member->offset) : 0;

		if (!bits)
			bits = bits_of(types, member->type, word);
		if (bits < 0 || at + bits > (int64_t)type->size * 8)
			return false;
	}
	return true;
}

static bool variables_fit(
	const struct btf_types *types, const struct btf_type *type, unsigned int word)
{
	const struct btf_var_secinfo *var = after(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++, var++) {
		int64_t size = size_of(types, var->type, word);

		if (kind_of(types, var->type) == BTF_KIND_VAR &&
			(size < 0 || var->offset + (uint64_t)size > type->size))
			return false;
	}
	return true;
}

bool btf_is_value(const struct btf_types *types, uint32_t id, uint64_t size, unsigned int word)
{
	int64_t own = size_of(types, id, word);

	if (own < 0 || (uint64_t)own != size)
		return false;
	/* The parts of the value are among all types. */
	for (uint32_t i = types->first; i < end_of(types); i++) {
		const struct btf_type *type = type_of(types, i);

		switch (kind_of(types, i)) {
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
			if (!members_fit(types, type, word))
				return false;
			break;
		case BTF_KIND_DATASEC:
			if (!variables_fit(types, type, word))
				return false;
			break;
		default:
			break;
		}
	}
	return true;
}

bool btf_is_function(const struct btf_types *types, uint32_t id)
{
	return id < end_of(types) && kind_of(types, id) == BTF_KIND_FUNC;
}
