/* SPDX-License-Identifier: Apache-2.0 */
/* Ends a tool's walk over the keys of a map if the board does not. */
#ifndef HOST_USB_RUN_OBJECTS_KEY_WALK_H
#define HOST_USB_RUN_OBJECTS_KEY_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct object;

/* To be called with the result of each BPF_MAP_GET_NEXT_KEY; `from_start`: the tool has given no
 * key. Returns the result, or -EIO after logging if the tool has got far more keys in a row than
 * the map has room for. */
int64_t key_walk(struct object *map, bool from_start, int64_t ret);

#endif
