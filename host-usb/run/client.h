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
	/* Receives ring data, which is valid during the call. */
	void (*data)(void *arg, uint32_t handle, uint64_t position, const void *data, size_t size);
	/* Called repeatedly during an operation that began at start_ms of clock_monotonic_ms().
	 * The board has been silent for silent_ms. Returns true to give up. */
	bool (*abort)(void *arg, uint64_t silent_ms, uint64_t start_ms);
	void *arg;
};

/* Makes a client that reads from `in` and writes to `out`. It makes both non-blocking; they stay
 * the caller's. `trace` gets a line for each operation, or is NULL. Returns 0 or -ENOMEM. */
int client_new(
	struct client **client, int in, int out, const struct client_events *events, FILE *trace);
void client_free(struct client *client);

/* The descriptor to poll: call client_receive() when it is readable. */
int client_fd(const struct client *client);

/* Begins a request. The caller writes its payload into the result, may describe it for the trace
 * with client_note(), and ends it with client_call(), client_send() or client_cancel(). */
struct bytes_out *client_begin(struct client *client, enum rpc_op op);
void client_note(struct client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Drops the request that client_begin() began. */
void client_cancel(struct client *client);

/* Sends the request and waits for its reply. Hands over ring data that arrives before the reply.
 * Returns the reply's `ret`, with the rest of the reply in *reply, valid until the next call.
 * Returns -EIO if the link is lost or the reply is malformed; -ENOMEM; -EINTR if the wait was
 * aborted: the client is dead then. */
int64_t client_call(struct client *client, struct bytes_in *reply);

/* client_more() returns true if more parts of the reply follow; client_next() waits for the next
 * one and returns like client_call(). */
bool client_more(const struct client *client);
int64_t client_next(struct client *client, struct bytes_in *reply);

/* Sends the request of an operation without a reply. */
void client_send(struct client *client);

/* Closes a handle on the board; there is no reply. */
void client_close_handle(struct client *client, uint32_t handle);

/* Returns true if data is buffered that client_receive() would handle without reading. */
bool client_pending(const struct client *client);

/* Handles what has arrived, without waiting. Returns 0, or -EIO if the link is lost. */
int client_receive(struct client *client);

/* Ends the link to a board that violates the protocol, and logs why. `what` names the object. */
void client_give_up(struct client *client, const char *what, const char *why);

/* Returns true if the link is lost. */
bool client_dead(const struct client *client);

#endif
