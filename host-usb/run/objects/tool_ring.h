/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's end of a ring: a memory file with the kernel's layout, which we fill in the kernel's
 * place: a perf ring (perf_event_open(2)), or a BPF ring buffer, whose data is there twice. */
#ifndef HOST_USB_RUN_OBJECTS_TOOL_RING_H
#define HOST_USB_RUN_OBJECTS_TOOL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object;
struct tool_ring;

/* Makes the memory of an event's ring of `size` bytes of data, a power of 2, or of a map's, and
 * asks the board for what is written into it. Returns 0 or a negative errno. */
int tool_ring_open_event(struct object *object, uint64_t size);
int tool_ring_open_map(struct object *object);

/* A pipe into which a file of the board goes. Takes the descriptor. */
int tool_ring_open_pipe(struct object *object, int fd, uint64_t credit);

/* The size of an event's data, bytes. */
uint64_t tool_ring_size(const struct tool_ring *ring);

/* Data from the board. Sends nothing: it may come while a reply is waited for. */
void tool_ring_receive(struct object *object, uint64_t position, const void *data, size_t size);

/* Whether the tool has something to read. */
bool tool_ring_readable(const struct object *object);

/* Allows the board to send more, as far as the tool has read its rings. Returns whether the board
 * has to wait for the tool to read one of them: then this has to be called again soon. */
struct objects;
bool tool_rings_credit(struct objects *objects);

#endif
