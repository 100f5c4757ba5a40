/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead in maps: tools go through a map with two calls for each entry, and each would be a
 * round trip. */
#ifndef HOST_USB_RUN_OBJECTS_READ_AHEAD_H
#define HOST_USB_RUN_OBJECTS_READ_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object;

/* The key behind `key` (NULL: the first one). It is valid until the next call with this map.
 * Returns 0; -ENOENT: it was the last; -EOPNOTSUPP: this map is not read ahead, ask for it by
 * BPF_MAP_GET_NEXT_KEY; or the board's errno. */
int read_ahead_next(struct object *object, const void *key, const void **next);

/* The value of a key that was just read ahead, or NULL. */
const void *read_ahead_value(struct object *object, const void *key);

/* The tool changes the map. The keys stay: a walk that deletes what it passes goes on. */
void read_ahead_changed(struct object *object);

/* Entries that the board has sent: `count` times key and value, `entry` bytes together. */
struct read_ahead_page {
	const char *data; /* until the next call to the board */
	uint32_t count;
	size_t entry;
	bool ended; /* the map has no more */
};

/* Asks for about max_bytes of entries behind the newest of the n keys that is still there; the
 * newest is the first one. Without keys from the start. Returns 0 or a negative errno. */
int read_ahead_fetch(struct object *object, const char *keys, unsigned int n, uint32_t max_bytes,
	struct read_ahead_page *page);

#endif
