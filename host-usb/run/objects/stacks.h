/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches whole stack trace maps ahead.
 *
 * When a tool prints, it looks up hundreds of stacks one after the other. Each lookup would be a
 * round trip, and if the tool traces the scheduler, each round trip would add more stacks. */
#ifndef HOST_USB_RUN_OBJECTS_STACKS_H
#define HOST_USB_RUN_OBJECTS_STACKS_H

#include <stdbool.h>

struct object;

/* Returns true if no stack can have this id. Tools also look up the errnos that bpf_get_stackid()
 * returns; the kernel answers these with ENOENT. */
bool stacks_none(const struct object *object, const void *key);

/* Returns the stack with this id, valid until the next call with this map; NULL if the caller must
 * ask the board. After a few lookups in quick succession this fetches the whole map, at most 16
 * MiB. The copy serves the lookups that follow, for at most two seconds. */
const void *stacks_value(struct object *object, const void *key);

/* To be called when the tool changes the map: drops the copy. */
void stacks_changed(struct object *object);

#endif
