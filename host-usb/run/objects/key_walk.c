/* SPDX-License-Identifier: Apache-2.0 */
/* Ends a tool's walk over the keys of a map if the board does not.
 *
 * Tools keep all keys in memory. A walk can have more keys than the map: if the key that the tool
 * names was deleted, the kernel starts again at the first one. But it cannot have many more. */
#include "host-usb/run/objects/key_walk.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "host-usb/run/objects/objects.h"

#include <errno.h>

#define PAUSE_MS  1000	/* the next walk begins after it */
#define KEYS_MORE 65536 /* than four times as many as the map has */

int64_t key_walk(struct object *map, bool from_start, int64_t ret)
{
	uint64_t now = clock_monotonic_ms();

	if (from_start || ret || now - map->walk_ms > PAUSE_MS)
		map->walk_keys = 0;
	map->walk_ms = now;
	if (ret || ++map->walk_keys <= 4 * (uint64_t)map->max_entries + KEYS_MORE)
		return ret;
	log_error("map %u: the board reports more keys than the map can have", map->handle);
	map->walk_keys = 0;
	return -EIO;
}
