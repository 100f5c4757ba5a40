/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the type ids in replies to bpf(2). Tools read memory as these types say. */
#include "core/base/log.h"
#include "host-usb/run/calls/reply_check.h"
#include "host-usb/run/files/btf.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/btf_known.h"
#include "host-usb/run/objects/objects.h"

#include <linux/bpf.h>
#include <string.h>

/* The kernel requires that the types of keys and values have exactly their sizes. */
static bool fits(const struct btf_types *types, uint32_t id, uint64_t size, unsigned int word)
{
	return !id || btf_is_value(types, id, size, word);
}

/* Returns false if the types of the map are known and do not fit. *types is NULL if they are not
 * known. */
static bool map_fits(
	struct run *run, const struct bpf_map_info *map, const struct btf_types **types)
{
	unsigned int word = run->board.word_bits / 8;

	if (map->btf_vmlinux_value_type_id) {
		*types = remote_kernel_types(run->remote);
		return !*types ||
		       fits(*types, map->btf_vmlinux_value_type_id, map->value_size, word);
	}
	*types = btf_known_get(run, map->btf_id, NULL);
	return !*types || (fits(*types, map->btf_key_type_id, map->key_size, word) &&
				  fits(*types, map->btf_value_type_id, map->value_size, word));
}

/* Without types a tool shows a map's contents as bytes. */
static void check_map(const struct info_reply *info)
{
	const struct btf_types *types;
	struct bpf_map_info map = {.type = 0};
	size_t size = info->size < sizeof(map) ? info->size : sizeof(map);
	bool is_good;

	memcpy(&map, info->data, size);
	if (!map.btf_key_type_id && !map.btf_value_type_id && !map.btf_vmlinux_value_type_id)
		return;
	is_good = map_fits(info->object->run, &map, &types);
	if (!is_good)
		log_warning("map %u: its keys or values do not have the sizes of their types; the "
			    "tool gets no types",
			map.id);
	if (is_good && types)
		return;
	map.btf_id = map.btf_key_type_id = map.btf_value_type_id = 0;
	map.btf_vmlinux_value_type_id = 0;
	memcpy(info->data, &map, size);
}

/* A tool expects types of all functions if it expects some, so they cannot be left out. */
static bool is_prog(const struct info_reply *info)
{
	struct bpf_prog_info prog = {.type = 0};
	struct bpf_func_info function;
	const struct btf_types *types;
	const char *list;
	size_t size;

	memcpy(&prog, info->data, info->size < sizeof(prog) ? info->size : sizeof(prog));
	list = reply_info_list(info, offsetof(struct bpf_prog_info, func_info), &size);
	if (!list || !prog.nr_func_info || prog.func_info_rec_size < sizeof(function))
		return true;
	types = btf_known_get(info->object->run, prog.btf_id, NULL);
	if (!types)
		return false;
	for (uint32_t i = 0; i < prog.nr_func_info && size >= prog.func_info_rec_size; i++) {
		memcpy(&function, list, sizeof(function));
		if (!btf_is_function(types, function.type_id))
			return false;
		list += prog.func_info_rec_size;
		size -= prog.func_info_rec_size;
	}
	return true;
}

bool reply_info_check_types(const struct info_reply *info)
{
	if (info->object->class == BPF_ABI_MAP)
		check_map(info);
	return info->object->class != BPF_ABI_PROG || is_prog(info);
}
