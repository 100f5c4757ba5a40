/* SPDX-License-Identifier: Apache-2.0 */
/* Memory files that mirror mapped array maps of the board (libbpf's .data, .bss, .rodata). */
#ifndef HOST_USB_RUN_OBJECTS_MIRROR_H
#define HOST_USB_RUN_OBJECTS_MIRROR_H

#include <stdbool.h>

#define MIRROR_MS 20 /* maximum age of the data; native tools read it about once a second */

struct mirror;
struct object;
struct run;

/* Fills the map's memory file from the board. `writable` is true if the tool may change it. Returns
 * 0 or a negative errno. */
int mirror_open(struct object *object, bool writable);

/* Exchanges changes with the board, for all mirrors. If tool and board have both changed a word of
 * 8 bytes, the two differences are added, so that counters lose nothing. */
void mirrors_sync(struct run *run);

/* Makes the end of `object`, an event or link, synchronize the mirrors: a program's counters are
 * final once it is detached. */
void mirrors_sync_at_end(struct object *object);

/* Returns true if there are any mirrors. */
bool mirrors_exist(const struct run *run);

#endif
