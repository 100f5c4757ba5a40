/* SPDX-License-Identifier: Apache-2.0 */
/* Walks and clears maps, with the kernel's batch calls or key by key. */
#include "core/bpfd/bpf/map.h"

#include "core/base/kernel_errno.h"
#include "core/bpfd/bpf/map_private.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WALK_HISTORY   16 /* keys to go back to if the current one is deleted */
#define MAP_WALK_SLACK 64 /* steps beyond twice the size of the map */
#define BATCH_GROWTH   64 /* a piece may grow by this factor to hold one bucket of a hash */

typedef int batch_call(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
	const struct bpf_map_batch_opts *opts);

struct batch {
	struct map *map;
	size_t room;	/* entries */
	size_t most;	/* entries that room may grow to */
	char *data;	/* room keys, then room values */
	char *position; /* two tokens: where the next piece starts, and the piece after it */
	size_t token_size;
};

uint64_t map_walk_steps(const struct map *map)
{
	return 2 * (uint64_t)map->max_entries + MAP_WALK_SLACK;
}

static char *batch_values(const struct batch *b)
{
	return b->data + b->room * b->map->key_size;
}

/* Sets the number of entries of a piece. Its content is lost. */
static int batch_resize(struct batch *b, size_t room)
{
	free(b->data);
	b->data = malloc(room * (b->map->key_size + b->map->value_size) + 1);
	b->room = room;
	return b->data ? 0 : -ENOMEM;
}

static int batch_open(struct batch *b, struct map *map, size_t chunk)
{
	size_t entry = map->key_size + map->value_size, room = entry ? chunk / entry : 0;

	if (room > map->max_entries)
		room = map->max_entries;
	if (room == 0)
		room = 1;
	*b = (struct batch){.map = map, .most = room * BATCH_GROWTH};
	b->token_size = map->key_size > sizeof(uint32_t) ? map->key_size : sizeof(uint32_t);
	b->position = calloc(2, b->token_size);
	if (!b->position)
		return -ENOMEM;
	return batch_resize(b, room);
}

static void batch_close(struct batch *b)
{
	free(b->data);
	free(b->position);
}

static int batch_emit(const struct batch *b, uint32_t count, map_sink sink, void *arg)
{
	const char *key = b->data, *value = batch_values(b);
	int err = 0;

	for (; sink && count && !err; count--) {
		err = sink(arg, key, value);
		key += b->map->key_size;
		value += b->map->value_size;
	}
	return err;
}

/* Returns the number of entries or a negative errno. Sets *started if the sink received any. */
static int64_t batch_run(struct batch *b, batch_call *call, map_sink sink, void *arg, bool *started)
{
	char *in = NULL, *out = b->position, *next = b->position + b->token_size;
	uint64_t steps = map_walk_steps(b->map);
	int64_t total = 0;

	while (steps--) {
		uint32_t count = (uint32_t)b->room;
		int err = call(b->map->fd, in, out, b->data, batch_values(b), &count, NULL), ended;

		if (err == -ENOSPC && b->room < b->most) { /* one bucket of a hash holds more */
			err = batch_resize(b, 2 * b->room);
			if (err)
				return err;
			continue;
		}
		ended = err == -ENOENT;
		if (err && !ended && err != -EINTR) /* EINTR: keys were deleted; count is valid */
			return err;
		*started = true;
		total += count;
		err = batch_emit(b, count, sink, arg);
		if (err)
			return err;
		if (ended || (uint64_t)total > map_walk_steps(b->map))
			return total;
		if (count) {
			in = out;
			out = next;
			next = in;
		}
	}
	return total;
}

/* Returns -EOPNOTSUPP, with nothing passed to the sink, if the kernel cannot do it. */
static int64_t map_batch(struct map *map, size_t chunk, batch_call *call, map_sink sink, void *arg)
{
	bool started = false;
	struct batch b;
	int64_t total;

	total = batch_open(&b, map, chunk);
	if (!total)
		total = batch_run(&b, call, sink, arg, &started);
	batch_close(&b);
	/* EINVAL: the kernel does not know the call. ENOSPC: a bucket is too big for a piece. */
	if (!started && (total == -EINVAL || total == -KERNEL_ENOTSUPP || total == -ENOSPC))
		return -EOPNOTSUPP;
	return total;
}

struct map_walk {
	struct map *map;
	char *current, *next, *first; /* keys */
	char *history;		      /* the last WALK_HISTORY keys that had a value */
	unsigned int passed;	      /* number of keys that were put into the history */
};

static int walk_open(struct map_walk *w, struct map *map)
{
	size_t size = map->key_size;

	*w = (struct map_walk){.map = map};
	w->current = malloc((3 + WALK_HISTORY) * size + 1);
	if (!w->current)
		return -ENOMEM;
	w->next = w->current + size;
	w->first = w->next + size;
	w->history = w->first + size;
	return 0;
}

static char *walk_passed(const struct map_walk *w, unsigned int number)
{
	return w->history + number % WALK_HISTORY * w->map->key_size;
}

/* Continues after a current key that has no value; `next` is the kernel's next key for it. In an
 * array of descriptors the key is an empty slot; in other maps it was deleted. If it was deleted
 * before the kernel was asked for the next key, the kernel returned the first key of the map, and
 * the walk would start again. So it continues after the most recent key that still exists. Returns
 * like bpf_map_get_next_key(). */
static int walk_resume(struct map_walk *w, int next_err)
{
	unsigned int oldest = w->passed > WALK_HISTORY ? w->passed - WALK_HISTORY : 0;
	const void *value;
	int err;

	if (next_err)
		return next_err;
	err = map_first_key(w->map, w->first);
	if (err || memcmp(w->first, w->next, w->map->key_size) != 0)
		return err;
	for (unsigned int i = w->passed; i > oldest; i--) {
		char *key = walk_passed(w, i - 1);

		err = bpf_map_get_next_key(w->map->fd, key, w->next);
		if (err && err != -ENOENT)
			return err;
		/* Checked second: if the key exists now, it existed when its next was asked for. */
		if (map_lookup(w->map, key, &value) == 0)
			return err;
	}
	return map_first_key(w->map, w->next);
}

static int64_t walk_run(struct map_walk *w, map_sink sink, void *arg)
{
	uint64_t steps = map_walk_steps(w->map);
	int64_t total = 0;
	const void *value;
	char *swap;
	int err;

	err = map_first_key(w->map, w->current);
	while (!err && steps--) {
		int next_err = bpf_map_get_next_key(w->map->fd, w->current, w->next);

		err = map_lookup(w->map, w->current, &value);
		if (err == -ENOENT) {
			next_err = walk_resume(w, next_err);
		} else if (err) {
			return err;
		} else {
			err = sink(arg, w->current, value);
			if (err)
				return err;
			total++;
			memcpy(walk_passed(w, w->passed++), w->current, w->map->key_size);
		}
		swap = w->current;
		w->current = w->next;
		w->next = swap;
		err = next_err;
	}
	return err && err != -ENOENT ? err : total;
}

static int64_t walk_keys(struct map *map, map_sink sink, void *arg)
{
	struct map_walk w;
	int64_t total;
	char *memory;

	total = walk_open(&w, map);
	if (total)
		return total;
	memory = w.current; /* the walk swaps its keys */
	total = walk_run(&w, sink, arg);
	free(memory);
	return total;
}

int64_t map_walk(struct map *map, size_t chunk, map_sink sink, void *arg)
{
	int64_t total = -EOPNOTSUPP;

	if (map->batch)
		total = map_batch(map, chunk, bpf_map_lookup_batch, sink, arg);
	if (total != -EOPNOTSUPP)
		return total;
	map->batch = false;
	return walk_keys(map, sink, arg);
}

/* Asks for the next key before the current one is deleted: for a missing key the kernel searches
 * from the start. If another process has deleted it, the loop continues with the first key, which
 * is correct too. */
static int64_t clear_keys(struct map *map)
{
	char *keys = malloc(2 * map->key_size + 1), *current = keys, *swap;
	uint64_t steps = map_walk_steps(map);
	int64_t total = 0;
	char *next;
	int err;

	if (!keys)
		return -ENOMEM;
	next = keys + map->key_size;
	err = map_first_key(map, current);
	while (!err && steps--) {
		int next_err = bpf_map_get_next_key(map->fd, current, next);

		err = map_delete(map, current);
		if (err && err != -ENOENT)
			break;
		total += !err;
		swap = current;
		current = next;
		next = swap;
		err = next_err;
	}
	free(keys);
	return err && err != -ENOENT ? err : total;
}

int64_t map_clear(struct map *map, size_t chunk)
{
	int64_t total = -EOPNOTSUPP;

	if (map->batch)
		total = map_batch(map, chunk, bpf_map_lookup_and_delete_batch, NULL, NULL);
	return total == -EOPNOTSUPP ? clear_keys(map) : total;
}
