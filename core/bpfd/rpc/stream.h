/* SPDX-License-Identifier: Apache-2.0 */
/* What the board sends of its own accord: what is written into perf rings and BPF ring buffers, and
 * what files yield, each within the credit that the host gave. */
#ifndef CORE_BPFD_RPC_STREAM_H
#define CORE_BPFD_RPC_STREAM_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct rpc;
struct stream;
struct stream_set;

/* Makes an empty set. Returns 0, -ENOMEM. */
int stream_set_new(struct stream_set **set, struct budget *budget);

/* Ends all streams. NULL is fine. */
void stream_set_free(struct stream_set *set);

/* Start streams; fd stays the handle's and must live as long. `bytes` is the size of the ring's
 * data in bytes, a power of 2. Return 0; -EINVAL: no such size; -EBUSY: the handle has a stream;
 * -ENOMEM; what the kernel refuses with. */
int stream_open_perf(
	struct stream_set *set, uint32_t handle, int fd, uint64_t bytes, uint64_t credit);
int stream_open_ringbuf(
	struct stream_set *set, uint32_t handle, int fd, uint64_t bytes, uint64_t credit);
int stream_open_file(struct stream_set *set, uint32_t handle, int fd, uint64_t credit);

/* Lets a stream send bytes up to that position; unknown handles and positions that fall are
 * ignored. */
void stream_credit(struct stream_set *set, uint32_t handle, uint64_t position);

/* Ends the stream of a handle, if it has one. */
void stream_close(struct stream_set *set, uint32_t handle);

/* Sends one piece of each stream that has one and is allowed it. Returns whether there was any. */
bool stream_set_send(struct rpc *rpc, struct stream_set *set);

/* Waits until fd can be read, a stream has something that may be sent, or a signal comes; not at
 * all unless `wait`. Returns whether fd can be read, or a negative errno. */
int stream_set_poll(struct stream_set *set, int fd, bool wait);

#endif
