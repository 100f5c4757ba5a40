/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for rings. Memory files cannot be polled: in an epoll set an eventfd of ours stands for
 * the ring; a poll(2) is held until there is something. */
#ifndef HOST_USB_RUN_CALLS_WAIT_H
#define HOST_USB_RUN_CALLS_WAIT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;
struct waits;

int waits_new(struct waits **waits);
void waits_free(struct waits *waits);

/* Answers the polls for which there is something or whose time is up. */
void waits_answer(struct run *run);

/* When waits_answer() must be called, ms of the monotonic clock; UINT64_MAX: no poll is held. */
uint64_t waits_deadline(const struct run *run);

/* The descriptors that they wait for beside rings, into `polled`, at most `room`. Returns how many;
 * revents are looked at by waits_answer() itself. */
size_t waits_poll(const struct run *run, struct pollfd *polled, size_t room);

#endif
