/* SPDX-License-Identifier: Apache-2.0 */
/* Checks BTF: sections, names, references, and cycles. */
#include "host-usb/run/files/btf.h"

#include "host-usb/run/files/btf_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KIND_COUNT 20

#define HEIGHT_MAX 512	       /* references in a row; real kernels have less than 40 */
#define NAME_SIZE  512	       /* bytes of a name; the kernel's limit */
#define BYTES_MAX  (16U << 20) /* of a structure; tools print padding in lines of 8 bytes */

/* What names of a kind may contain. */
enum name_rule { NAME_NONE, NAME_OPTIONAL, NAME_IDENTIFIER, NAME_WORDS, NAME_TEXT };

/* For each kind: its name, and the bytes that follow struct btf_type, once or for each entry. */
static const struct {
	uint8_t name, once, each;
} kinds[KIND_COUNT] = {
	[BTF_KIND_INT] = {NAME_WORDS, sizeof(uint32_t), 0},
	[BTF_KIND_PTR] = {NAME_NONE, 0, 0},
	[BTF_KIND_ARRAY] = {NAME_NONE, sizeof(struct btf_array), 0},
	[BTF_KIND_STRUCT] = {NAME_OPTIONAL, 0, sizeof(struct btf_member)},
	[BTF_KIND_UNION] = {NAME_OPTIONAL, 0, sizeof(struct btf_member)},
	[BTF_KIND_ENUM] = {NAME_OPTIONAL, 0, sizeof(struct btf_enum)},
	[BTF_KIND_FWD] = {NAME_IDENTIFIER, 0, 0},
	[BTF_KIND_TYPEDEF] = {NAME_IDENTIFIER, 0, 0},
	[BTF_KIND_VOLATILE] = {NAME_NONE, 0, 0},
	[BTF_KIND_CONST] = {NAME_NONE, 0, 0},
	[BTF_KIND_RESTRICT] = {NAME_NONE, 0, 0},
	[BTF_KIND_FUNC] = {NAME_IDENTIFIER, 0, 0},
	[BTF_KIND_FUNC_PROTO] = {NAME_NONE, 0, sizeof(struct btf_param)},
	[BTF_KIND_VAR] = {NAME_IDENTIFIER, sizeof(struct btf_var), 0},
	[BTF_KIND_DATASEC] = {NAME_TEXT, 0, sizeof(struct btf_var_secinfo)},
	[BTF_KIND_FLOAT] = {NAME_WORDS, 0, 0},
	[BTF_KIND_DECL_TAG] = {NAME_TEXT, sizeof(int32_t), 0},
	[BTF_KIND_TYPE_TAG] = {NAME_TEXT, 0, 0},
	[KIND_ENUM64] = {NAME_OPTIONAL, 0, 3 * sizeof(uint32_t)},
};

static bool bad(struct btf_types *types, const char *why)
{
	types->why = why;
	return false;
}

/* Strings of a module continue those of the kernel. */
static const char *string_at(const struct btf_types *types, uint32_t offset)
{
	uint32_t before = types->base ? types->base->strings_size : 0;

	if (offset < before)
		return string_at(types->base, offset);
	return offset - before < types->strings_size ? types->strings + (offset - before) : NULL;
}

/* The names get into source code (vmlinux.h) and onto terminals. The rules are those of the kernel,
 * which also allows dots. */
static bool is_name(const struct btf_types *types, uint32_t offset, enum name_rule rule)
{
	const char *name = string_at(types, offset);
	size_t length = name ? strnlen(name, NAME_SIZE) : NAME_SIZE;

	if (rule == NAME_NONE)
		return offset == 0;
	if (length == NAME_SIZE)
		return false;
	if (!length)
		return rule == NAME_OPTIONAL;
	if (rule != NAME_TEXT && isdigit((unsigned char)name[0]))
		return false;
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (rule == NAME_TEXT && (c < ' ' || c > '~' || c == '"' || c == '\\'))
			return false;
		if (rule != NAME_TEXT && !isalnum(c) && c != '_' && c != '.' &&
			!(rule == NAME_WORDS && c == ' '))
			return false;
	}
	return true;
}

/* Not all strings are names: tools also print lines of source code from there. */
static bool check_strings(struct btf_types *types)
{
	for (uint32_t i = 0; i < types->strings_size; i++) {
		unsigned char c = (unsigned char)types->strings[i];

		if (c && (c < ' ' || c == 0x7f) && c != '\t' && c != '\f')
			return bad(types, "its strings have control characters");
	}
	return true;
}

/* Finds the sections. As in the kernel, the types end where the strings begin, or before. */
static bool read_header(struct btf_types *types)
{
	struct btf_header header;
	size_t rest;

	if (types->size < sizeof(header))
		return bad(types, "it is too short");
	memcpy(&header, types->data, sizeof(header));
	if (header.magic != BTF_MAGIC || header.version != BTF_VERSION || header.flags)
		return bad(types, "its header is unknown");
	if (header.hdr_len < sizeof(header) || header.hdr_len > types->size || header.hdr_len % 4)
		return bad(types, "its header has a wrong size");
	rest = types->size - header.hdr_len;
	if (header.type_off % 4 || header.type_off > rest || header.str_off > rest ||
		header.type_len > rest - header.type_off ||
		header.str_len > rest - header.str_off ||
		header.type_off + header.type_len > header.str_off)
		return bad(types, "its sections are not within it");
	types->strings = types->data + header.hdr_len + header.str_off;
	types->strings_size = header.str_len;
	if (!header.str_len || types->strings[header.str_len - 1] ||
		(!types->base && types->strings[0]))
		return bad(types, "its strings do not end");
	return check_strings(types);
}

/* Returns the size of a type with all that follows it, or 0 if it is not within `room` bytes. */
static size_t whole_size(const struct btf_type *type, size_t room)
{
	uint32_t kind = BTF_INFO_KIND(type->info);
	size_t size = sizeof(*type);

	if (room < size || kind >= KIND_COUNT || kind == BTF_KIND_UNKN)
		return 0;
	size += kinds[kind].once + (size_t)kinds[kind].each * BTF_INFO_VLEN(type->info);
	return size <= room ? size : 0;
}

/* Finds the types. */
static bool read_types(struct btf_types *types)
{
	struct btf_header header;
	const char *start, *at, *end;
	size_t size;

	memcpy(&header, types->data, sizeof(header));
	start = types->data + header.hdr_len + header.type_off;
	end = start + header.type_len;
	for (at = start; at < end; at += size, types->count++) {
		const struct btf_type *type = (const struct btf_type *)at;

		size = whole_size(type, (size_t)(end - at));
		if (!size)
			return bad(types, "a type is unknown or truncated");
		if (type->info & 0x60ff0000)
			return bad(types, "a type has unknown flags");
	}
	types->offsets = malloc((types->count + 1) * sizeof(types->offsets[0]));
	for (int i = 0; i < 2; i++)
		types->heights[i] = calloc(types->count + 1, sizeof(types->heights[i][0]));
	if (!types->offsets || !types->heights[0] || !types->heights[1])
		return bad(types, NULL);
	for (at = start, types->count = 0; at < end; types->count++) {
		types->offsets[types->count] = (uint32_t)(at - types->data);
		at += whole_size((const struct btf_type *)at, (size_t)(end - at));
	}
	return true;
}

/* Functions, variables, sections and tags are no types of something. */
static bool is_type(const struct btf_types *types, uint32_t id)
{
	if (id >= end_of(types))
		return false;
	switch (kind_of(types, id)) {
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
	case BTF_KIND_DATASEC:
	case BTF_KIND_DECL_TAG:
		return false;
	default:
		return true;
	}
}

static bool check_members(const struct btf_types *types, const struct btf_type *type)
{
	const struct btf_member *member = after(type);
	uint64_t bits = (uint64_t)type->size * 8;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++, member++) {
		uint32_t offset = BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(member->offset)
							     : member->offset;

		if (!is_name(types, member->name_off, NAME_OPTIONAL) || !member->type ||
			!is_type(types, member->type) || offset > bits)
			return false;
	}
	return type->size <= BYTES_MAX;
}

/* Values of both kinds of enumerations begin with the name. */
static bool check_values(const struct btf_types *types, const struct btf_type *type)
{
	size_t step = kinds[BTF_INFO_KIND(type->info)].each;
	const char *value = after(type);
	uint32_t name;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++, value += step) {
		memcpy(&name, value, sizeof(name));
		if (!is_name(types, name, NAME_IDENTIFIER))
			return false;
	}
	return type->size && type->size <= 8 && !(type->size & (type->size - 1));
}

static bool check_prototype(const struct btf_types *types, const struct btf_type *type)
{
	const struct btf_param *param = after(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++, param++)
		if (!is_name(types, param->name_off, NAME_OPTIONAL) || !is_type(types, param->type))
			return false;
	return is_type(types, type->type);
}

static bool check_section(const struct btf_types *types, const struct btf_type *type)
{
	const struct btf_var_secinfo *var = after(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++, var++)
		if (var->type >= end_of(types) ||
			(kind_of(types, var->type) != BTF_KIND_VAR &&
				kind_of(types, var->type) != BTF_KIND_FUNC))
			return false;
	return true;
}

static bool check_int(const struct btf_type *type)
{
	const uint32_t *encoding = after(type);
	uint32_t bits = BTF_INT_BITS(*encoding);

	return type->size && type->size <= 16 && !(type->size & (type->size - 1)) && bits &&
	       bits + BTF_INT_OFFSET(*encoding) <= type->size * 8;
}

/* Checks what a type refers to. */
static bool check_parts(const struct btf_types *types, const struct btf_type *type)
{
	const struct btf_array *array = after(type);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
		return check_int(type);
	case BTF_KIND_FLOAT:
		return type->size && type->size <= 16;
	case BTF_KIND_ARRAY:
		return array->type && is_type(types, array->type) && array->index_type &&
		       is_type(types, array->index_type);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return check_members(types, type);
	case BTF_KIND_ENUM:
	case KIND_ENUM64:
		return check_values(types, type);
	case BTF_KIND_FWD:
		return true;
	case BTF_KIND_FUNC:
		return type->type < end_of(types) &&
		       kind_of(types, type->type) == BTF_KIND_FUNC_PROTO;
	case BTF_KIND_FUNC_PROTO:
		return check_prototype(types, type);
	case BTF_KIND_DATASEC:
		return check_section(types, type);
	case BTF_KIND_DECL_TAG:
		return type->type && type->type < end_of(types);
	default: /* a variable, a pointer, a typedef or a modifier */
		return is_type(types, type->type);
	}
}

static bool check_types(struct btf_types *types)
{
	for (uint32_t i = 0; i < types->count; i++) {
		const struct btf_type *type = type_of(types, types->first + i);

		if (!is_name(types, type->name_off, kinds[BTF_INFO_KIND(type->info)].name))
			return bad(types, "a name is not allowed");
		if (!check_parts(types, type))
			return bad(types, "a type refers to something that does not exist or fit");
	}
	return true;
}

/* A reference: which type, and whether a pointer is on the way to it. */
struct edge {
	uint32_t id;
	bool by_pointer;
};

/* Returns the number of references of a type that tools follow. A structure with a name that is
 * reached by a pointer ends the way: only there may types form a cycle. */
static uint32_t edge_count(const struct btf_type *type, bool by_pointer)
{
	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return by_pointer && type->name_off ? 0 : BTF_INFO_VLEN(type->info);
	case BTF_KIND_ARRAY:
		return 2;
	case BTF_KIND_FUNC_PROTO:
		return 1 + BTF_INFO_VLEN(type->info);
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
		return 1;
	default:
		return 0;
	}
}

static struct edge edge_at(const struct btf_type *type, bool by_pointer, uint32_t i)
{
	const struct btf_member *member = after(type);
	const struct btf_array *array = after(type);
	const struct btf_param *param = after(type);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return (struct edge){member[i].type, false};
	case BTF_KIND_ARRAY:
		return (struct edge){i ? array->index_type : array->type, false};
	case BTF_KIND_FUNC_PROTO:
		return (struct edge){i ? param[i - 1].type : type->type, by_pointer};
	case BTF_KIND_PTR:
		return (struct edge){type->type, true};
	default:
		return (struct edge){type->type, by_pointer};
	}
}

/* The height of a type is the largest number of references in a row that start at it. */
static uint16_t *height_of(const struct btf_types *types, struct edge edge)
{
	while (edge.id < types->first)
		types = types->base;
	return &types->heights[edge.by_pointer][edge.id - types->first];
}

/* A step of the way to the type that is being visited. */
struct step {
	struct edge edge;
	uint32_t next; /* the next of its references */
	uint16_t height;
};

/* Computes the heights of a type and of all that it refers to, without recursion. */
static bool visit(struct btf_types *types, struct edge from, struct step way[HEIGHT_MAX])
{
	size_t depth = 1;

	way[0] = (struct step){from, 0, 2};
	*height_of(types, from) = 1;
	while (depth) {
		struct step *step = &way[depth - 1];
		const struct btf_type *type = type_of(types, step->edge.id);
		struct edge to;
		uint16_t height;

		if (step->next == edge_count(type, step->edge.by_pointer)) {
			*height_of(types, step->edge) = step->height;
			depth--;
			continue;
		}
		to = edge_at(type, step->edge.by_pointer, step->next);
		height = to.id ? *height_of(types, to) : 2;
		if (height == 1)
			return bad(types, "a type refers to itself");
		if (height == 0) {
			if (depth == HEIGHT_MAX)
				return bad(types, "its types refer to each other too often");
			*height_of(types, to) = 1;
			way[depth++] = (struct step){to, 0, 2};
			continue; /* this reference is looked at again when its height is known */
		}
		if (height >= step->height)
			step->height = height + 1;
		if (step->height > HEIGHT_MAX)
			return bad(types, "its types refer to each other too often");
		step->next++;
	}
	return true;
}

static bool check_cycles(struct btf_types *types)
{
	struct step way[HEIGHT_MAX];

	for (uint32_t id = types->first; id < end_of(types); id++)
		for (int by_pointer = 0; by_pointer < 2; by_pointer++) {
			const struct edge edge = {id, by_pointer};

			if (!*height_of(types, edge) && !visit(types, edge, way))
				return false;
		}
	return true;
}

void btf_free(struct btf_types *types)
{
	if (!types)
		return;
	free(types->heights[0]);
	free(types->heights[1]);
	free(types->offsets);
	free(types->data);
	free(types);
}

int btf_read(struct btf_types **result, const void *data, size_t size, const struct btf_types *base,
	const char **why)
{
	struct btf_types *types = calloc(1, sizeof(*types));

	*why = NULL;
	if (!types)
		return -ENOMEM;
	types->base = base;
	types->first = base ? end_of(base) : 1;
	types->size = size;
	types->data = malloc(size + 1);
	if (!types->data) {
		btf_free(types);
		return -ENOMEM;
	}
	memcpy(types->data, data, size);
	if (read_header(types) && read_types(types) && check_types(types) && check_cycles(types)) {
		*result = types;
		return 0;
	}
	*why = types->why;
	btf_free(types);
	return *why ? -EPROTO : -ENOMEM;
}

const void *btf_data(const struct btf_types *types, size_t *size)
{
	*size = types->size;
	return types->data;
}

bool btf_is(const struct btf_types *types, const void *data, size_t size)
{
	return size == types->size && memcmp(types->data, data, size) == 0;
}
