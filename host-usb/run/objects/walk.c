/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead in maps. */
#include "host-usb/run/objects/walk.h"
#include "host-usb/clock.h"

#include "host-usb/run/client.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#define WALK_BYTES (64U << 10) /* some 3 ms on a high-speed link */

/* A tool that goes on reading gets what was read ahead, each key and each value once; one that has
 * paused, or takes very long, gets a new look. */
#define WALK_PAUSE_MS 300 /* less than the second that tools sleep between two looks */
#define WALK_AGE_MS   2000

struct walk {
	char *data; /* keys and values */
	size_t count, entry;
	size_t at;     /* entries whose keys were handed out */
	size_t values; /* entries whose values were, or were passed over */
	bool ended;
	bool changed; /* the tool has changed the map since: only the keys are good */
	uint64_t time_ms, used_ms;
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
	uint64_t now = clock_ms();

	return walk && now - walk->used_ms <= WALK_PAUSE_MS && now - walk->time_ms <= WALK_AGE_MS;
}

static const char *entry_at(const struct walk *walk, size_t i)
{
	return walk->data + i * walk->entry;
}

/* Whether `key` is the one that was handed out last. */
static bool is_last(const struct object *object, const void *key)
{
	const struct walk *walk = object->walk;

	return key && walk && walk->at &&
	       memcmp(entry_at(walk, walk->at - 1), key, object->key_size) == 0;
}

int walk_fetch(struct object *object, const char *keys, unsigned int n, uint32_t max_bytes,
	struct walk_page *page)
{
	struct client *client = object->run->client;
	struct bytes_out *out = client_begin(client, RPC_MAP_WALK);
	struct bytes_in reply;
	int64_t ret;
	size_t size;

	bytes_put_u32(out, object->handle);
	bytes_put_u8(out, (uint8_t)n);
	rpc_put_bytes(out, keys, (size_t)n * object->key_size);
	bytes_put_u32(out, max_bytes);
	client_note(client, "%u%s", object->handle, n ? "" : " from the start");
	ret = client_call(client, &reply);
	if (ret < 0)
		return (int)ret;
	page->entry = (size_t)object->key_size + object->value_size;
	page->ended = bytes_get_u8(&reply);
	page->data = rpc_get_bytes(&reply, &size);
	if (reply.failed || ret > UINT32_MAX || !page->entry || size != (uint64_t)ret * page->entry)
		return -EIO;
	page->count = (uint32_t)ret;
	return 0;
}

/* The key, and those that were handed out before it: it may be deleted by now. Returns how many. */
static unsigned int keys_behind(const struct object *object, const void *key, char **keys)
{
	size_t n = is_last(object, key) ? object->walk->at : key != NULL;

	n = n > RPC_WALK_KEYS ? RPC_WALK_KEYS : n;
	*keys = malloc(n * object->key_size + 1);
	for (size_t i = 0; *keys && i < n; i++)
		memcpy(*keys + i * object->key_size,
			i ? entry_at(object->walk, object->walk->at - 1 - i) : key,
			object->key_size);
	return (unsigned int)n;
}

static int fetch(struct object *object, const void *key)
{
	struct walk_page page;
	struct walk *walk;
	unsigned int n;
	char *keys;
	int err;

	n = keys_behind(object, key, &keys);
	if (!keys)
		return -ENOMEM;
	err = walk_fetch(object, keys, n, WALK_BYTES, &page);
	free(keys);
	if (err)
		return err;
	walk_free(object->walk);
	object->walk = NULL;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->data = malloc(page.count * page.entry + 1);
	if (!walk->data) {
		free(walk);
		return -ENOMEM;
	}
	memcpy(walk->data, page.data, page.count * page.entry);
	walk->count = page.count;
	walk->entry = page.entry;
	walk->ended = page.ended;
	walk->time_ms = walk->used_ms = clock_ms();
	object->walk = walk;
	return 0;
}

int walk_next(struct object *object, const void *key, const void **next)
{
	bool goes_on = is_last(object, key) && is_fresh(object->walk);
	int err;

	if (!can_walk(object))
		return -EOPNOTSUPP;
	if (goes_on && object->walk->at == object->walk->count && object->walk->ended)
		return -ENOENT;
	if (!goes_on || object->walk->at == object->walk->count) {
		err = fetch(object, key);
		if (err)
			return err;
		if (object->walk->count == 0)
			return object->walk->ended ? -ENOENT : -EOPNOTSUPP;
	}
	object->walk->used_ms = clock_ms();
	*next = entry_at(object->walk, object->walk->at++);
	return 0;
}

const void *walk_value(struct object *object, const void *key)
{
	struct walk *walk = object->walk;

	if (!is_fresh(walk) || walk->changed)
		return NULL;
	/* Near the key that was handed out last: some look one ahead before they take the value. */
	for (size_t i = walk->at > 2 ? walk->at - 2 : 0; i < walk->at; i++) {
		if (i < walk->values || memcmp(entry_at(walk, i), key, object->key_size) != 0)
			continue;
		walk->values = i + 1;
		walk->used_ms = clock_ms();
		return entry_at(walk, i) + object->key_size;
	}
	return NULL;
}
