/* SPDX-License-Identifier: Apache-2.0 */
/* Reads map entries ahead. */
#include "host-usb/run/objects/read_ahead.h"

#include "core/base/clock.h"
#include "host-usb/run/client.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD_BYTES (64U << 10) /* about 3 ms on a high-speed link */

/* A tool that continues to read gets the entries that were read ahead, each key and each value
 * once. After a pause, or when the entries are too old, they are fetched again. */
#define AHEAD_PAUSE_MS 300 /* less than the second that tools sleep between two passes */
#define AHEAD_AGE_MS   2000

struct read_ahead {
	struct object_part part;
	char *data; /* keys and values */
	size_t count, entry;
	size_t at;     /* number of entries whose keys were handed out */
	size_t values; /* number of entries whose values were handed out or skipped */
	bool ended;    /* the last entry is the last one of the map */
	bool changed;  /* the tool has changed the map since: values are no longer valid */
	uint64_t time_ms, used_ms;
};

static void read_ahead_free(struct object_part *part)
{
	struct read_ahead *ahead = (struct read_ahead *)part;

	free(ahead->data);
	free(ahead);
}

void read_ahead_changed(struct object *object)
{
	if (object->read_ahead)
		object->read_ahead->changed = true;
}

/* Returns true for map types whose entries can be looked up ahead without changing the map. */
static bool can_read_ahead(const struct object *object)
{
	switch (object->map_type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_STACK_TRACE:
		return object->key_size + object->value_size <= AHEAD_BYTES;
	default:
		return false;
	}
}

static bool is_fresh(const struct read_ahead *ahead)
{
	uint64_t now = clock_monotonic_ms();

	return ahead && now - ahead->used_ms <= AHEAD_PAUSE_MS &&
	       now - ahead->time_ms <= AHEAD_AGE_MS;
}

static const char *entry_at(const struct read_ahead *ahead, size_t i)
{
	return ahead->data + i * ahead->entry;
}

/* Returns true if `key` is the key that was handed out last. */
static bool is_last(const struct object *object, const void *key)
{
	const struct read_ahead *ahead = object->read_ahead;

	return key && ahead && ahead->at &&
	       memcmp(entry_at(ahead, ahead->at - 1), key, object->key_size) == 0;
}

int read_ahead_fetch(struct object *object, const char *keys, unsigned int n, uint32_t max_bytes,
	struct read_ahead_page *page)
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

/* Collects `key` and the keys that were handed out before it, newest first, because the tool may
 * have deleted some of them. Returns their number; *keys is NULL if memory is short. */
static unsigned int collect_keys(const struct object *object, const void *key, char **keys)
{
	size_t n = is_last(object, key) ? object->read_ahead->at : key != NULL;

	n = n > RPC_WALK_KEYS ? RPC_WALK_KEYS : n;
	*keys = malloc(n * object->key_size + 1);
	for (size_t i = 0; *keys && i < n; i++)
		memcpy(*keys + i * object->key_size,
			i ? entry_at(object->read_ahead, object->read_ahead->at - 1 - i) : key,
			object->key_size);
	return (unsigned int)n;
}

/* Replaces the entries that were read ahead of this map. */
static int keep(struct object *object, const struct read_ahead_page *page)
{
	struct read_ahead *ahead = object->read_ahead;
	char *data = malloc(page->count * page->entry + 1);

	if (!data)
		return -ENOMEM;
	if (!ahead) {
		ahead = calloc(1, sizeof(*ahead));
		if (!ahead) {
			free(data);
			return -ENOMEM;
		}
		object->read_ahead = ahead;
		object_add_part(object, &ahead->part, read_ahead_free);
	}
	memcpy(data, page->data, page->count * page->entry);
	free(ahead->data);
	*ahead = (struct read_ahead){
		.part = ahead->part,
		.data = data,
		.count = page->count,
		.entry = page->entry,
		.ended = page->ended,
	};
	ahead->time_ms = ahead->used_ms = clock_monotonic_ms();
	return 0;
}

static int fetch(struct object *object, const void *key)
{
	struct read_ahead_page page;
	unsigned int n;
	char *keys;
	int err;

	n = collect_keys(object, key, &keys);
	if (!keys)
		return -ENOMEM;
	err = read_ahead_fetch(object, keys, n, AHEAD_BYTES, &page);
	free(keys);
	return err ? err : keep(object, &page);
}

int read_ahead_next(struct object *object, const void *key, const void **next)
{
	bool goes_on = is_last(object, key) && is_fresh(object->read_ahead);
	int err;

	if (!can_read_ahead(object))
		return -EOPNOTSUPP;
	if (goes_on && object->read_ahead->at == object->read_ahead->count &&
		object->read_ahead->ended)
		return -ENOENT;
	if (!goes_on || object->read_ahead->at == object->read_ahead->count) {
		err = fetch(object, key);
		if (err)
			return err;
		if (object->read_ahead->count == 0)
			return object->read_ahead->ended ? -ENOENT : -EOPNOTSUPP;
	}
	object->read_ahead->used_ms = clock_monotonic_ms();
	*next = entry_at(object->read_ahead, object->read_ahead->at++);
	return 0;
}

const void *read_ahead_value(struct object *object, const void *key)
{
	struct read_ahead *ahead = object->read_ahead;

	if (!is_fresh(ahead) || ahead->changed)
		return NULL;
	/* Some tools ask for the next key before they look up the value of the last one. */
	for (size_t i = ahead->at > 2 ? ahead->at - 2 : 0; i < ahead->at; i++) {
		if (i < ahead->values || memcmp(entry_at(ahead, i), key, object->key_size) != 0)
			continue;
		ahead->values = i + 1;
		ahead->used_ms = clock_monotonic_ms();
		return entry_at(ahead, i) + object->key_size;
	}
	return NULL;
}
