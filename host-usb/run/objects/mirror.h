/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped memory of array maps (libbpf's .data, .bss and .rodata): a memory file that is kept equal
 * to the map on the board. */
#ifndef HOST_USB_RUN_OBJECTS_MIRROR_H
#define HOST_USB_RUN_OBJECTS_MIRROR_H

#include <stdbool.h>

#define MIRROR_MS 20 /* how old what the tool sees may be; native tools look once a second */

struct mirror;
struct object;
struct run;

/* Fills the map's memory file; writable: the tool may change it. Returns 0 or a negative errno. */
int mirror_open(struct object *object, bool writable);

/* Tells the board what the tool has changed, and takes over what has changed there. What both have
 * changed adds up, in words of 8 bytes: counters lose nothing. */
void mirrors_sync(struct run *run);

/* Lets the mirrors be brought up to date when an event or link ends: what a program has counted is
 * complete when the program is detached. */
void mirrors_sync_at_end(struct object *object);

/* Whether there is any. */
bool mirrors_exist(const struct run *run);

#endif
