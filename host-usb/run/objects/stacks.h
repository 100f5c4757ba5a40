/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead in maps of stack traces: tools that print look up hundreds of stacks one after the
 * other, and each would be a round trip, which adds stacks to a map that traces the scheduler. */
#ifndef HOST_USB_RUN_OBJECTS_STACKS_H
#define HOST_USB_RUN_OBJECTS_STACKS_H

#include <stdbool.h>

struct object;

/* Whether no stack can have this id: what bpf_get_stackid() returns may be an errno, and tools look
 * it up all the same. The kernel answers ENOENT. */
bool stacks_none(const struct object *object, const void *key);

/* The stack of an id, valid until the next call with this map; NULL: the board has to be asked. The
 * whole map is fetched (16 MiB at most) after a few lookups in quick succession. What was fetched
 * is served while the tool goes on, for two seconds at most. */
const void *stacks_value(struct object *object, const void *key);

/* The tool changes the map: nothing that was fetched is good any more. */
void stacks_changed(struct object *object);

#endif
