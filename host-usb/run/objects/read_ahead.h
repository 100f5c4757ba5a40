/* SPDX-License-Identifier: Apache-2.0 */
/* Reads map entries ahead: iterating costs a tool two round trips for each entry. */
#ifndef HOST_USB_RUN_OBJECTS_READ_AHEAD_H
#define HOST_USB_RUN_OBJECTS_READ_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object;

/* Finds the key after `key`, or the first one for NULL. *next is valid until the next call with
 * this map. Returns 0; -ENOENT after the last key; -EOPNOTSUPP if this map is not read ahead and
 * the caller must use BPF_MAP_GET_NEXT_KEY; or the board's errno. */
int read_ahead_next(struct object *object, const void *key, const void **next);

/* Returns the value of a key if it was just read ahead, else NULL. */
const void *read_ahead_value(struct object *object, const void *key);

/* To be called when the tool changes the map. Drops the values but keeps the keys, so that a tool
 * can delete the entries it iterates over. */
void read_ahead_changed(struct object *object);

/* Entries from the board: `count` pairs of key and value, `entry` bytes each. */
struct read_ahead_page {
	const char *data; /* valid until the next request to the board */
	uint32_t count;
	size_t entry;
	bool ended; /* these are the last entries of the map */
};

/* Fetches about max_bytes of entries after the first of the `n` keys that is still in the map;
 * `keys` starts with the newest one. With n == 0 it starts at the first entry. Returns 0 or a
 * negative errno. */
int read_ahead_fetch(struct object *object, const char *keys, unsigned int n, uint32_t max_bytes,
	struct read_ahead_page *page);

#endif
