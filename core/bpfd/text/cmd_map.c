/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about maps. */
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/translate.h"
#include "core/bpfd/text/command.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The map, and the key if there is one, that a command names. */
struct target {
	struct map *map;
	const void *key;
};

/* Reads the handle from field 1, the length of a key, and the key unless key_field is 0. Returns 0;
 * -EBADF: the handle is not a map of this session; -EINVAL: the length is not the map's key size.
 * Wrong fields are noted in args. */
static int read_target(struct bpfd *bpfd, struct args *args, unsigned int key_field,
	unsigned int length_field, struct target *target)
{
	int64_t number = args_handle(args, 1);
	size_t size = args_unsigned(args, length_field, 0, UINT32_MAX);
	const struct handle *handle;

	target->key = key_field ? args_base64(args, key_field, size) : NULL;
	handle = handle_get(bpfd->handles, number, &map_class);
	if (!handle)
		return -EBADF;
	target->map = handle->object;
	if (translate_key(map_type(target->map)))
		return -EBADF;
	return size == map_key_size(target->map) ? 0 : -EINVAL;
}

/* Like read_target(), for a command with the fields FD KEY KLEN. A map without keys, such as a
 * queue, has keys of 0 bytes: then there is no field KEY. */
static int read_key(struct bpfd *bpfd, struct args *args, bool has_key, struct target *target)
{
	if (has_key)
		return read_target(bpfd, args, 2, 3, target);
	args_unsigned(args, 2, 0, 0); /* notes another length */
	return read_target(bpfd, args, 0, 2, target);
}

/* Like read_key(), for a command that also states the length of a value. Returns -EINVAL also if
 * that is not the map's value size. */
static int read_entry(struct bpfd *bpfd, struct args *args, bool has_key, size_t value_size,
	struct target *target)
{
	int err = read_key(bpfd, args, has_key, target);

	if (err)
		return err;
	return value_size == map_value_size(target->map) ? 0 : -EINVAL;
}

/* Clients send "__none__" for a map without a name. */
static const char *read_name(struct args *args, unsigned int field)
{
	const char *name = args_text(args, field);

	return strcmp(name, "__none__") == 0 ? NULL : name;
}

/* Clients of 2017 send TYPE KEY VALUE MAX FLAGS, those of 2018 add NAME after TYPE. Clients of 2019
 * add a last field that allows raising the memory limit, which happened when the session opened. */
void cmd_create_map(struct bpfd *bpfd, struct args *args)
{
	unsigned int named = args->count > 6;
	struct map_spec spec = {
		.type = (uint32_t)args_unsigned(args, 1, 0, UINT32_MAX),
		.name = named ? read_name(args, 2) : NULL,
		.key_size = (uint32_t)args_unsigned(args, 2 + named, 0, UINT32_MAX),
		.value_size = (uint32_t)args_unsigned(args, 3 + named, 0, UINT32_MAX),
		.max_entries = (uint32_t)args_unsigned(args, 4 + named, 0, UINT32_MAX),
		.flags = (uint32_t)args_unsigned(args, 5 + named, 0, UINT32_MAX),
	};
	struct map *map;
	int ret;

	if (args_wrong(args))
		return;
	ret = map_new(&map, &spec, &bpfd->memory);
	if (!ret) {
		ret = handle_add(bpfd->handles, &map_class, map, map_fd(map));
		if (ret < 0)
			map_free(map);
	}
	reply_ret(bpfd->reply, "bpf_create_map", ret);
}

void cmd_update_elem(struct bpfd *bpfd, struct args *args)
{
	bool has_key = args->count > 6;
	size_t size = args_unsigned(args, 4 + has_key, 0, UINT32_MAX);
	void *value = args_base64(args, 3 + has_key, size);
	uint64_t flags = args_unsigned(args, 5 + has_key, 0, UINT64_MAX);
	struct target target;
	int ret;

	ret = read_entry(bpfd, args, has_key, size, &target);
	if (args_wrong(args))
		return;
	if (!ret)
		ret = translate_value(bpfd->handles, map_type(target.map), value, size);
	if (!ret)
		ret = map_update(target.map, target.key, value, flags);
	reply_ret(bpfd->reply, "bpf_update_elem", ret);
}

static void reply_base64_line(struct reply *reply, const void *data, size_t size)
{
	reply_base64(reply, data, size);
	reply_bytes(reply, "\n", 1);
}

void cmd_lookup_elem(struct bpfd *bpfd, struct args *args)
{
	bool has_key = args->count > 4;
	size_t size = args_unsigned(args, 3 + has_key, 0, UINT32_MAX);
	struct target target;
	const void *value;
	int ret;

	ret = read_entry(bpfd, args, has_key, size, &target);
	if (args_wrong(args))
		return;
	if (!ret)
		ret = map_lookup(target.map, target.key, &value);
	if (ret)
		reply_ret(bpfd->reply, "bpf_lookup_elem", ret);
	else
		reply_base64_line(bpfd->reply, value, size);
}

struct dump {
	struct reply *reply;
	size_t key_size, value_size;
};

static int dump_entry(void *arg, const void *key, const void *value)
{
	const struct dump *dump = arg;

	reply_base64_line(dump->reply, key, dump->key_size);
	reply_base64_line(dump->reply, value, dump->value_size);
	return reply_error(dump->reply);
}

/* Sends keys and values in turn, then an empty line, or the error that ended the walk. */
static void dump_map(struct bpfd *bpfd, struct map *map)
{
	struct dump dump = {bpfd->reply, map_key_size(map), map_value_size(map)};
	int64_t ret;

	ret = map_walk(map, bpfd->config.limits.chunk_bytes, dump_entry, &dump);
	if (ret > 0)
		reply_bytes(bpfd->reply, "\n", 1);
	else
		reply_ret(bpfd->reply, "bpf_get_first_key", ret ? ret : -ENOENT);
}

static void reply_key(struct bpfd *bpfd, struct map *map, const void *key, const char *what)
{
	const void *next;
	int ret = map_next_key(map, key, &next);

	if (ret)
		reply_ret(bpfd->reply, what, ret);
	else
		reply_base64_line(bpfd->reply, next, map_key_size(map));
}

void cmd_get_first_key(struct bpfd *bpfd, struct args *args)
{
	size_t size = args_unsigned(args, 3, 0, UINT32_MAX);
	bool dump = args_unsigned(args, 4, 0, 1);
	struct target target;
	int ret;

	ret = read_target(bpfd, args, 0, 2, &target);
	if (args_wrong(args))
		return;
	if (!ret && dump && size != map_value_size(target.map))
		ret = -EINVAL;
	if (ret)
		reply_ret(bpfd->reply, "bpf_get_first_key", ret);
	else if (dump)
		dump_map(bpfd, target.map);
	else
		reply_key(bpfd, target.map, NULL, "bpf_get_first_key");
}

void cmd_get_next_key(struct bpfd *bpfd, struct args *args)
{
	struct target target;
	int ret;

	ret = read_key(bpfd, args, args->count > 3, &target);
	if (args_wrong(args))
		return;
	if (ret)
		reply_ret(bpfd->reply, "bpf_get_next_key", ret);
	else
		reply_key(bpfd, target.map, target.key, "bpf_get_next_key");
}

void cmd_delete_elem(struct bpfd *bpfd, struct args *args)
{
	struct target target;
	int ret;

	ret = read_key(bpfd, args, args->count > 3, &target);
	if (args_wrong(args))
		return;
	if (!ret)
		ret = map_delete(target.map, target.key);
	reply_ret(bpfd->reply, "bpf_delete_elem", ret);
}

void cmd_clear_map(struct bpfd *bpfd, struct args *args)
{
	struct target target;
	int64_t ret;

	ret = read_target(bpfd, args, 0, 2, &target);
	if (args_wrong(args))
		return;
	if (!ret)
		ret = map_clear(target.map, bpfd->config.limits.chunk_bytes);
	reply_ret(bpfd->reply, "bpf_clear_map", ret);
}
