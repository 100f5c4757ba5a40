/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's end of a ring: a memory file that we fill instead of the kernel.
 *
 * It has the kernel's layout of a perf ring (perf_event_open(2)) or of a BPF ring buffer, which has
 * its data pages mapped twice. */
#ifndef HOST_USB_RUN_OBJECTS_TOOL_RING_H
#define HOST_USB_RUN_OBJECTS_TOOL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object;
struct objects;
struct tool_ring;

/* Makes the memory of a ring and subscribes to the board's ring. An event's ring has `size` bytes
 * of data, a power of 2; a map's size is known. Returns 0 or a negative errno. */
int tool_ring_open_event(struct object *object, uint64_t size);
int tool_ring_open_map(struct object *object);

/* Makes a ring object of a pipe that receives a file of the board. Takes over `fd`, the pipe's
 * write end. The board may send `credit` bytes at first. */
int tool_ring_open_pipe(struct object *object, int fd, uint64_t credit);

/* Makes a ring object that receives the kernel's log of the board. Takes over `fd`, our end of a
 * SOCK_SEQPACKET pair; each packet is a record. With -1 the ring keeps all it receives. */
int tool_ring_open_log(struct object *object, int fd, uint64_t credit);

/* Begins again for another handle of the object: forgets what was received. */
void tool_ring_restart(struct object *object);

/* Returns the bytes that the tool's end has not taken yet. */
const char *tool_ring_kept(const struct object *object, size_t *size);

/* If the tool's end of a log is empty, fetches what the board has. Returns 0 or a negative errno.
 */
int tool_ring_fill(struct object *object);

/* Returns the size of an event's data in bytes. */
uint64_t tool_ring_size(const struct tool_ring *ring);

/* Stores data from the board. Sends nothing, because data may arrive while a request is pending. */
void tool_ring_receive(struct object *object, uint64_t position, const void *data, size_t size);

/* Returns true if the tool has something to read. */
bool tool_ring_readable(const struct object *object);

/* Gives the board credit for what the tool has read from its rings. Returns true if a ring is so
 * full that the board waits for the tool: the caller must then call this again soon. */
bool tool_rings_credit(struct objects *objects);

#endif
