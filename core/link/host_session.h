/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of a session: a state machine without I/O, driven by bpfd-usb.
 *
 * The caller passes in received transfers and takes events out of them one by one. It can write
 * output straight from the transfer's buffer; while stdout is blocked it asks for no event. Times
 * are milliseconds of any monotonic clock. */
#ifndef CORE_LINK_HOST_SESSION_H
#define CORE_LINK_HOST_SESSION_H

#include "core/link/link.h"

#include <stdbool.h>

struct host_config {
	uint32_t max_transfer; /* bytes, TRANSFER_MIN to TRANSFER_MAX: size of a receive buffer */
	uint32_t lease_ms;     /* asked of the board; 0 for LEASE_MS */
	uint32_t ping_ms;      /* 0 for a fifth of the lease, at most PING_MS */
};

enum host_event_type {
	HOST_NONE,   /* the transfer has no more events */
	HOST_OPENED, /* the board opened the session: see host_session_reply */
	HOST_ASKED,  /* the board asks for a key, or for another one: see host_session_answer */
	HOST_OUTPUT, /* stdout of the board's process: data, len */
	HOST_NOTE,   /* its stderr: data, len */
	HOST_EXIT,   /* the process ended, see exit; the session is over */
	HOST_RESET,  /* the board ended the session, see reset; the session is over */
	HOST_BROKEN, /* the board broke the protocol, see reset.text; the session is over */
};

struct host_event {
	enum host_event_type type;
	const uint8_t *data; /* inside the transfer */
	size_t len;
	struct exit_info exit;
	struct reset_info reset;
};

enum host_tick {
	HOST_TICK_NOTHING,
	HOST_TICK_RETRY, /* HELLO was not answered: call host_session_open with a new nonce */
	HOST_TICK_DEAD,	 /* the board was silent for the lease; the session is over */
};

struct host_counts {
	uint64_t sent;	   /* bytes of DATA put into transfers */
	uint64_t consumed; /* bytes that the board's process read, by the last WINDOW */
	uint64_t received; /* bytes of DATA taken out as HOST_OUTPUT */
	uint64_t pongs;	   /* answers to PING */
};

struct host_session;

/* Returns a closed session, or NULL if memory is short. `config` is copied. */
struct host_session *host_session_new(const struct host_config *config);

/* Frees a session; NULL is allowed. */
void host_session_free(struct host_session *s);

/* Starts, or starts again, with HELLO. `nonce` must be new to the board: take it from getrandom(2).
 * Everything received is discarded until the board returns the nonce. Each retry waits twice as
 * long for that: 1, 2, then 4 s. A HELLO ends the session that the one before it opened, so with a
 * constant wait a busy board would be late forever. */
void host_session_open(struct host_session *s, uint64_t nonce, uint64_t now_ms);

bool host_session_is_open(const struct host_session *s);

/* Returns the board's last challenge; valid after HOST_ASKED. */
const struct auth_challenge *host_session_challenge(const struct host_session *s);

/* Writes the message that `key` must sign to answer the challenge, and returns its length in bytes;
 * valid after HOST_ASKED. */
size_t host_session_message(const struct host_session *s, const uint8_t key[AUTH_KEY_SIZE],
	uint8_t message[AUTH_MESSAGE_MAX]);

/* Answers HOST_ASKED: the response becomes pending. No effect if nothing is asked. */
void host_session_answer(
	struct host_session *s, const struct auth_response *response, uint64_t now_ms);

/* Returns the board's HELLO_REPLY; valid after HOST_OPENED. */
const struct hello_reply *host_session_reply(const struct host_session *s);

/* Restarts the lease. Call for each transfer that arrives, before its events are taken, and after a
 * time in which the caller could take none: the board's silence then means nothing. */
void host_session_heard(struct host_session *s, uint64_t now_ms);

/* Takes the next event out of a received transfer and returns its type. *offset starts at 0 and
 * moves on with each call. */
enum host_event_type host_session_next(struct host_session *s, const uint8_t *transfer, size_t len,
	size_t *offset, struct host_event *event);

/* Call with `blocked` while stdout is full: transfers stay unread, and the lease does not apply. */
void host_session_block(struct host_session *s, bool blocked, uint64_t now_ms);

/* Call at the deadline: makes a PING pending if it is due, and reports a missing answer. */
enum host_tick host_session_tick(struct host_session *s, uint64_t now_ms);

/* Makes a PING pending now; the next one of host_session_tick is due one interval later. No effect
 * unless the session is open. */
void host_session_ping(struct host_session *s, uint64_t now_ms);

/* Returns when host_session_tick must be called next; UINT64_MAX: it need not be called. */
uint64_t host_session_deadline(const struct host_session *s);

/* Call after all of stdin was put: EOF becomes pending. No effect unless the session is open. */
void host_session_eof(struct host_session *s);

/* Closes the session from the host's side: a RESET becomes pending, nothing else is sent. */
void host_session_close(struct host_session *s);

/* True if there are frames to send besides input for the board's process. */
bool host_session_pending(const struct host_session *s);

/* Build a transfer in `buffer` of config.max_transfer bytes. begin writes all pending frames. Then
 * the caller stores up to `room` bytes of stdin at link_payload() and calls put; `room` is 0
 * without credit. finish returns the length to send in bytes; 0: nothing to send. */
void host_session_begin(struct host_session *s, struct transfer *t, uint8_t *buffer);
size_t host_session_room(const struct host_session *s, const struct transfer *t);
void host_session_put(struct host_session *s, struct transfer *t, size_t len);
size_t host_session_finish(struct host_session *s, struct transfer *t);

/* Returns how many bytes of stdin the window allows to send now. */
size_t host_session_credit(const struct host_session *s);

struct host_counts host_session_counts(const struct host_session *s);

#endif
