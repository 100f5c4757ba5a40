/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of the binary protocol: requests and replies over two descriptors. */
#ifndef HOST_USB_RUN_CLIENT_H
#define HOST_USB_RUN_CLIENT_H

#include "core/messages/rpc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct client;

struct client_events {
	/* Data of a ring has arrived. It is valid during the call. */
	void (*data)(void *arg, uint32_t handle, uint64_t position, const void *data, size_t size);
	/* Whether to give up waiting for a board that has been silent for so long, in an operation
	 * that began at start_ms of clock_monotonic_ms(); asked every now and then. */
	bool (*abort)(void *arg, uint64_t silent_ms, uint64_t start_ms);
	void *arg;
};

/* Makes a client that reads from `in` and writes to `out`, which stay the caller's and are made
 * non-blocking. trace: a stream for one line per operation, or NULL. Returns 0, -ENOMEM. */
int client_new(
	struct client **client, int in, int out, const struct client_events *events, FILE *trace);
void client_free(struct client *client);

/* What is read: when it can be, client_receive() has something to do. */
int client_fd(const struct client *client);

/* A request is written between these two: client_begin() returns where its payload goes. `what`,
 * for the trace, is set after it with client_note(). */
struct bytes_out *client_begin(struct client *client, enum rpc_op op);
void client_note(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Drops the request that was begun. */
void client_cancel(struct client *client);

/* Sends the request and waits for its reply, handing over ring data that comes before it. Returns
 * the reply's `ret`, and what follows it in *reply, which is valid until the next call; -EIO: the
 * link is lost, or the reply makes no sense; -ENOMEM; -EINTR: aborted, the client is dead then. */
int64_t client_call(struct client *client, struct bytes_in *reply);

/* The next part of a reply that came in parts: whether there is one. */
bool client_more(const struct client *client);
int64_t client_next(struct client *client, struct bytes_in *reply);

/* Sends a request that has no reply. */
void client_send(struct client *client);
void client_close_handle(struct client *client, uint32_t handle);

/* Whether something has arrived already that client_receive() would take. */
bool client_pending(const struct client *client);

/* Takes what has arrived without waiting. Returns 0 or -EIO: the link is lost. */
int client_receive(struct client *client);

/* Ends the link to a board that sends what makes no sense; `what` is said. */
void client_give_up(struct client *client, const char *what);

/* Whether the link is lost. */
bool client_dead(const struct client *client);

#endif
