/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for rings. Memory files cannot be polled. In an epoll set an eventfd stands for the ring.
 * A poll(2) is held: it is answered when a ring has data. */
#ifndef HOST_USB_RUN_CALLS_WAIT_H
#define HOST_USB_RUN_CALLS_WAIT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;
struct waits;

/* Makes an empty list of held polls. Returns 0, -ENOMEM. */
int waits_new(struct waits **waits);
void waits_free(struct waits *waits);

/* Answers each held poll that has an event, has timed out or has a signal pending. */
void waits_answer(struct run *run);

/* Returns when waits_answer() must be called, in ms of the monotonic clock; UINT64_MAX: never. */
uint64_t waits_deadline(const struct run *run);

/* Stores the descriptors other than rings that held polls wait for in `polled`, at most `room`.
 * Returns their number. waits_answer() polls them itself and ignores the caller's revents. */
size_t waits_poll(const struct run *run, struct pollfd *polled, size_t room);

#endif
