/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: what the board sends unasked, each within the credit that the host has given.
 *
 * A stream sends the data of a perf ring or of a BPF ring buffer, or what a file yields. */
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

/* Ends all streams and frees the set. NULL is fine. */
void stream_set_free(struct stream_set *set);

/* Start a stream. fd belongs to the handle and must stay open until the stream ends. `bytes` is the
 * size of the ring's data, a power of 2; `credit` is a position in bytes. Return 0; -EINVAL:
 * invalid size; -EBUSY: the handle has a stream; -ENOMEM; or the kernel's errno. */
int stream_open_perf(
	struct stream_set *set, uint32_t handle, int fd, uint64_t bytes, uint64_t credit);
int stream_open_ringbuf(
	struct stream_set *set, uint32_t handle, int fd, uint64_t bytes, uint64_t credit);
int stream_open_file(struct stream_set *set, uint32_t handle, int fd, uint64_t credit);
int stream_open_log(struct stream_set *set, uint32_t handle, int fd, uint64_t credit);

/* Allows a stream to send bytes up to a position. Ignores unknown handles and lower positions. */
void stream_credit(struct stream_set *set, uint32_t handle, uint64_t position);

/* Ends the stream of a handle, if it has one. */
void stream_close(struct stream_set *set, uint32_t handle);

/* Sends what the stream of a handle holds, as far as credit allows. rpc->out must be empty. Returns
 * 0, or -EBADF if the handle has no stream. */
int stream_drain(struct rpc *rpc, uint32_t handle);

/* Sends one piece of each stream that has data and credit. Returns true if it sent any. */
bool stream_set_send(struct rpc *rpc, struct stream_set *set);

/* Polls fd. With `wait` it waits until fd is readable, a stream may have data to send, or a signal
 * arrives. Returns 1 if fd is readable, 0 if not, or a negative errno. */
int stream_set_poll(struct stream_set *set, int fd, bool wait);

#endif
