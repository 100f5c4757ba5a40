/* SPDX-License-Identifier: Apache-2.0 */
/* The operation MAP_WALK: many entries of a map in one reply. */
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/translate.h"
#include "core/bpfd/rpc/operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WALK_MAX (1U << 20) /* bytes of keys and values in a reply, roughly */

struct walk_reply {
	struct map *map;
	size_t key_size, value_size, max;
	char *key;    /* the last key; NULL before the first */
	char *memory; /* for `key` */
	uint32_t count;
	bool ended;
};

/* Chooses the key to resume after. After a deleted key the kernel would begin again at the first
 * entry, so this takes the newest of the keys that still exists; if none does, the newest. */
static void resume(struct walk_reply *walk, const char *keys, unsigned int count)
{
	const char *found = keys;
	const void *value;

	for (const char *key = keys; count; count--, key += walk->key_size) {
		if (map_lookup(walk->map, key, &value))
			continue;
		found = key;
		break;
	}
	walk->key = walk->memory;
	memcpy(walk->key, found, walk->key_size);
}

static int add_entry(struct walk_reply *walk, struct bytes_out *out)
{
	const void *value;
	int err = map_lookup(walk->map, walk->key, &value);
	char *to;

	if (err == -ENOENT) /* an empty slot, or deleted meanwhile */
		return 0;
	if (err)
		return err;
	to = bytes_put_room(out, walk->key_size + walk->value_size);
	if (!to)
		return -ENOMEM;
	memcpy(to, walk->key, walk->key_size);
	memcpy(to + walk->key_size, value, walk->value_size);
	walk->count++;
	return 0;
}

static int add_entries(struct walk_reply *walk, struct bytes_out *out)
{
	uint64_t steps = map_walk_steps(walk->map);
	size_t start = out->size;
	const void *next;
	int err = 0;

	while (!err && steps-- && (!walk->count || out->size - start < walk->max)) {
		err = map_next_key(walk->map, walk->key, &next);
		walk->ended = err == -ENOENT;
		if (err)
			break;
		walk->key = walk->memory;
		memcpy(walk->key, next, walk->key_size);
		err = add_entry(walk, out);
	}
	return walk->ended ? 0 : err;
}

int rpc_map_walk(struct rpc *rpc, struct bytes_in *in)
{
	const struct handle *handle = handle_get(rpc->bpfd->handles, bytes_get_u32(in), &map_class);
	struct walk_reply walk = {.map = handle ? handle->object : NULL};
	unsigned int keys = bytes_get_u8(in);
	struct bytes_out *out = &rpc->out;
	const char *sent;
	size_t size, start;
	int err;

	sent = rpc_get_bytes(in, &size);
	walk.max = bytes_get_u32(in);
	if (!bytes_get_end(in))
		return -EBADMSG;
	err = handle ? translate_key(map_type(walk.map)) : -EBADF;
	if (err)
		return err;
	walk.key_size = map_key_size(walk.map);
	walk.value_size = map_value_size(walk.map);
	if (keys > RPC_WALK_KEYS || size != keys * walk.key_size)
		return -EBADMSG;
	if (walk.max > WALK_MAX)
		walk.max = WALK_MAX;
	walk.memory = malloc(walk.key_size + 1);
	if (!walk.memory)
		return -ENOMEM;
	if (keys)
		resume(&walk, sent, keys);
	start = out->size;
	bytes_put_u32(out, 0); /* count, ended and size are written at the end */
	bytes_put_u8(out, 0);
	bytes_put_u32(out, 0);
	err = add_entries(&walk, out);
	free(walk.memory);
	if (err || out->failed)
		return err ? err : -ENOMEM;
	bytes_put_u32_at(out, start, walk.count);
	out->data[start + 4] = walk.ended;
	bytes_put_u32_at(out, start + 5, walk.count * (uint32_t)(walk.key_size + walk.value_size));
	return 0;
}
