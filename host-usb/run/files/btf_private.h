/* SPDX-License-Identifier: Apache-2.0 */
/* BTF that was read: what the checks of its modules share. */
#ifndef HOST_USB_RUN_FILES_BTF_PRIVATE_H
#define HOST_USB_RUN_FILES_BTF_PRIVATE_H

#include <linux/btf.h>
#include <stddef.h>
#include <stdint.h>

#define KIND_ENUM64 19 /* Linux 6.0 */

struct btf_types {
	const struct btf_types *base;
	char *data;
	size_t size;
	const char *strings;
	uint32_t strings_size;
	uint32_t first, count; /* ids: from `first` on */
	uint32_t *offsets;     /* of each type in data, bytes */
	uint16_t *heights[2];  /* see visit(): 0 is not known, 1 is being visited */
	const char *why;
};

static inline uint32_t end_of(const struct btf_types *types)
{
	return types->first + types->count;
}

/* Returns the type of an id that exists and is not 0. */
static inline const struct btf_type *type_of(const struct btf_types *types, uint32_t id)
{
	while (id < types->first)
		types = types->base;
	return (const struct btf_type *)(types->data + types->offsets[id - types->first]);
}

static inline uint32_t kind_of(const struct btf_types *types, uint32_t id)
{
	return id ? BTF_INFO_KIND(type_of(types, id)->info) : BTF_KIND_UNKN;
}

static inline const void *after(const struct btf_type *type)
{
	return type + 1;
}

#endif
