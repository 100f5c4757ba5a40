/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches whole stack trace maps ahead. */
#include "host-usb/run/objects/stacks.h"

#include "core/base/clock.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/read_ahead.h"

#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#define STACKS_QUICK	8	     /* lookups in a row before the whole map is fetched */
#define STACKS_PAUSE_MS 100	     /* longest time between two lookups of a row */
#define STACKS_AGE_MS	2000	     /* later an id may mean another stack */
#define STACKS_PAGE	(256U << 10) /* bytes of one request */
#define STACKS_MAX	(16U << 20)  /* bytes kept; lookups of other stacks go to the board */
#define STACKS_PAGES	(2 * STACKS_MAX / STACKS_PAGE)

struct stacks {
	struct object_part part;
	char *data; /* pairs of id and stack, by ascending id: the kernel iterates in that order */
	size_t count, entry;
	unsigned int quick; /* lookups in a row */
	bool fetched;
	uint64_t fetched_ms, used_ms;
};

static void stacks_free(struct object_part *part)
{
	struct stacks *stacks = (struct stacks *)part;

	free(stacks->data);
	free(stacks);
}

static void forget(struct stacks *stacks)
{
	free(stacks->data);
	stacks->data = NULL;
	stacks->count = 0;
	stacks->fetched = false;
}

void stacks_changed(struct object *object)
{
	if (object->stacks)
		forget(object->stacks);
}

static uint32_t id_at(const struct stacks *stacks, size_t i)
{
	uint32_t id;

	memcpy(&id, stacks->data + i * stacks->entry, sizeof(id));
	return id;
}

static bool add_page(struct stacks *stacks, const struct read_ahead_page *page)
{
	size_t size = stacks->count * page->entry, more = page->count * page->entry;
	char *data;

	if (size + more > STACKS_MAX)
		return false;
	data = realloc(stacks->data, size + more + 1);
	if (!data)
		return false;
	memcpy(data + size, page->data, more);
	stacks->data = data;
	stacks->entry = page->entry;
	for (uint32_t i = 0; i < page->count; i++, stacks->count++)
		if (stacks->count &&
			id_at(stacks, stacks->count) <= id_at(stacks, stacks->count - 1))
			return false; /* the last id was deleted, so the kernel started over */
	return true;
}

/* Ignores errors: the lookup that follows fails with the same error. */
static void fetch(struct object *object)
{
	struct stacks *stacks = object->stacks;
	struct read_ahead_page page = {.ended = false};
	uint32_t last;

	forget(stacks);
	for (unsigned int i = 0; i < STACKS_PAGES && !page.ended; i++) {
		if (stacks->count)
			last = id_at(stacks, stacks->count - 1);
		if (read_ahead_fetch(
			    object, (char *)&last, stacks->count > 0, STACKS_PAGE, &page) ||
			!page.count || !add_page(stacks, &page))
			break;
	}
	stacks->fetched = true;
	stacks->fetched_ms = stacks->used_ms = clock_monotonic_ms();
}

static const void *find(const struct stacks *stacks, uint32_t id)
{
	size_t low = 0, high = stacks->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (id_at(stacks, middle) == id)
			return stacks->data + middle * stacks->entry + sizeof(id);
		if (id_at(stacks, middle) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool has_stacks(const struct object *object)
{
	return object->map_type == BPF_MAP_TYPE_STACK_TRACE && object->key_size == sizeof(uint32_t);
}

bool stacks_none(const struct object *object, const void *key)
{
	uint64_t buckets = 1;
	uint32_t id;

	if (!has_stacks(object))
		return false;
	while (buckets < object->max_entries)
		buckets *= 2;
	memcpy(&id, key, sizeof(id));
	return id >= buckets;
}

const void *stacks_value(struct object *object, const void *key)
{
	struct stacks *stacks = object->stacks;
	uint64_t now = clock_monotonic_ms();
	uint32_t id;

	if (!has_stacks(object))
		return NULL;
	if (!stacks) {
		stacks = calloc(1, sizeof(*stacks));
		if (!stacks)
			return NULL;
		object->stacks = stacks;
		object_add_part(object, &stacks->part, stacks_free);
	}
	if (now - stacks->used_ms > STACKS_PAUSE_MS) {
		forget(stacks);
		stacks->quick = 0;
	}
	stacks->used_ms = now;
	if (stacks->quick < STACKS_QUICK) {
		stacks->quick++;
		return NULL;
	}
	if (!stacks->fetched || now - stacks->fetched_ms > STACKS_AGE_MS)
		fetch(object);
	memcpy(&id, key, sizeof(id));
	return find(stacks, id);
}
