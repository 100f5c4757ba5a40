/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead in maps. */
#include "host-usb/run/walk.h"
#include "host-usb/clock.h"

#include "host-usb/run/client.h"
#include "host-usb/run/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WALK_BYTES  (64U << 10) /* some 3 ms on a high-speed link */
#define WALK_AGE_MS 100		/* values older than this are asked for again */

struct walk {
	char *data; /* keys and values */
	size_t count, entry;
	size_t at; /* the entry that was handed out last */
	bool ended;
	bool changed; /* the tool has changed the map since: only the keys are good */
	uint64_t time_ms;
};

void walk_free(struct walk *walk)
{
	if (!walk)
		return;
	free(walk->data);
	free(walk);
}

void walk_changed(struct object *object)
{
	if (object->walk)
		object->walk->changed = true;
}

/* Those whose lookups yield what a walk needs, and change nothing. */
static bool can_walk(const struct object *object)
{
	switch (object->map_type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_STACK_TRACE:
		return object->key_size + object->value_size <= WALK_BYTES;
	default:
		return false;
	}
}

static bool is_fresh(const struct walk *walk)
{
	return walk && clock_ms() - walk->time_ms <= WALK_AGE_MS;
}

static int64_t fetch(struct object *object, const void *key)
{
	struct client *client = object->run->client;
	struct rpc_out *out = client_begin(client, RPC_MAP_WALK);
	size_t entry = object->key_size + object->value_size, size;
	struct walk *walk;
	struct rpc_in reply;
	const void *data;
	int64_t ret;
	bool ended;

	rpc_put_u32(out, object->handle);
	rpc_put_u8(out, key != NULL);
	rpc_put_bytes(out, key, key ? object->key_size : 0);
	rpc_put_u32(out, WALK_BYTES);
	client_note(client, "%u%s", object->handle, key ? "" : " from the start");
	ret = client_call(client, &reply);
	if (ret < 0)
		return ret;
	ended = rpc_get_u8(&reply);
	data = rpc_get_bytes(&reply, &size);
	if (reply.failed || !entry || size != (uint64_t)ret * entry)
		return -EIO;
	walk_free(object->walk);
	object->walk = NULL;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->data = malloc(size + 1);
	if (!walk->data) {
		free(walk);
		return -ENOMEM;
	}
	memcpy(walk->data, data, size);
	walk->count = (size_t)ret;
	walk->entry = entry;
	walk->ended = ended;
	walk->time_ms = clock_ms();
	object->walk = walk;
	return ret;
}

/* Whether `key` is the entry that was handed out last, or one next to it. */
static const char *find(struct object *object, const void *key)
{
	struct walk *walk = object->walk;
	size_t i = walk->at ? walk->at - 1 : 0;

	for (; i < walk->count && i <= walk->at + 1; i++)
		if (memcmp(walk->data + i * walk->entry, key, object->key_size) == 0)
			return walk->data + i * walk->entry;
	return NULL;
}

int walk_next(struct object *object, const void *key, const void **next)
{
	const char *entry = NULL;
	struct walk *walk;
	int64_t ret;

	if (!can_walk(object))
		return -EOPNOTSUPP;
	if (key && is_fresh(object->walk))
		entry = find(object, key);
	if (entry) {
		walk = object->walk;
		walk->at = (size_t)(entry - walk->data) / walk->entry + 1;
		if (walk->at < walk->count) {
			*next = entry + walk->entry;
			return 0;
		}
		if (walk->ended)
			return -ENOENT;
	}
	ret = fetch(object, key);
	if (ret < 0)
		return (int)ret;
	if (ret == 0)
		return object->walk->ended ? -ENOENT : -EOPNOTSUPP;
	*next = object->walk->data;
	return 0;
}

const void *walk_value(struct object *object, const void *key)
{
	const char *entry = NULL;

	if (is_fresh(object->walk) && !object->walk->changed)
		entry = find(object, key);
	return entry ? entry + object->key_size : NULL;
}
