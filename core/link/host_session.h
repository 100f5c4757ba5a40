/* SPDX-License-Identifier: Apache-2.0 */
/* The host's end of a session: a state machine without I/O, driven by bpfd-usb.
 *
 * The caller hands in received transfers and takes events out of them one by one, so that output
 * can be written straight from the transfer's buffer and a blocked stdout only means not asking
 * for the next event. Times are milliseconds of any clock that never runs backwards. */
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
	HOST_NONE,   /* the transfer holds nothing more */
	HOST_OPENED, /* the board answered HELLO: see host_session_reply */
	HOST_ASKED,  /* the board asks for a key, or for another one: see host_session_answer */
	HOST_OUTPUT, /* stdout of the board's process: data, len */
	HOST_NOTE,   /* its stderr: data, len */
	HOST_EXIT,   /* the process ended: exit; the session is over */
	HOST_RESET,  /* the board ended the session: reset; the session is over */
	HOST_BROKEN, /* the board broke the protocol: reset.text says how; the session is over */
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
	HOST_TICK_DEAD,	 /* the board is not heard any more; the session is over */
};

struct host_counts {
	uint64_t sent;	   /* bytes of DATA put into transfers */
	uint64_t consumed; /* bytes of them that the board's process took, as last told */
	uint64_t received; /* bytes of DATA taken out as HOST_OUTPUT */
	uint64_t pongs;	   /* answers to PING */
};

struct host_session;

/* Returns a closed session, or NULL when memory is short. `config` is copied. */
struct host_session *host_session_new(const struct host_config *config);
void host_session_free(struct host_session *s);

/* Starts, or starts over, with HELLO; the nonce must never have been used on this board before
 * (getrandom). What comes in is discarded until the board returns it. Each time it starts over
 * it waits twice as long, 1, 2, then 4 s: HELLO ends what the one before has opened, and a busy
 * board would be late for ever. */
void host_session_open(struct host_session *s, uint64_t nonce, uint64_t now_ms);

bool host_session_is_open(const struct host_session *s);

/* What the board asks, and the message that a key has to sign for it; valid from HOST_ASKED on.
 * host_session_message writes it and returns its length. */
const struct auth_challenge *host_session_challenge(const struct host_session *s);
size_t host_session_message(const struct host_session *s, const uint8_t key[AUTH_KEY_SIZE],
	uint8_t message[AUTH_MESSAGE_MAX]);

/* Answers HOST_ASKED: the response becomes pending. */
void host_session_answer(
	struct host_session *s, const struct auth_response *response, uint64_t now_ms);

/* What the board answered; valid from HOST_OPENED on. */
const struct hello_reply *host_session_reply(const struct host_session *s);

/* Call once for each transfer that arrives, before its events are taken; and after a time in which
 * none could be taken, to which the lease does not apply. */
void host_session_heard(struct host_session *s, uint64_t now_ms);

/* Takes the next event out of a received transfer; *offset starts at 0 and is advanced. */
enum host_event_type host_session_next(struct host_session *s, const uint8_t *transfer, size_t len,
	size_t *offset, struct host_event *event);

/* While `blocked`, transfers are left unread because stdout does not take more: the board's silence
 * is then no sign of its death. */
void host_session_block(struct host_session *s, bool blocked, uint64_t now_ms);

/* Looks at the clock; makes a PING pending when one is due. */
enum host_tick host_session_tick(struct host_session *s, uint64_t now_ms);

/* Makes a PING pending now; the next of host_session_tick is due that much later. No effect unless
 * the session is open. */
void host_session_ping(struct host_session *s, uint64_t now_ms);

/* When host_session_tick has to be called next; UINT64_MAX when closed. */
uint64_t host_session_deadline(const struct host_session *s);

/* All of stdin was put: EOF becomes pending. No effect unless the session is open. */
void host_session_eof(struct host_session *s);

/* Closes from the host's side: a RESET becomes pending, nothing else is sent or expected. */
void host_session_close(struct host_session *s);

/* True if there are frames to send besides input for the board's process. */
bool host_session_pending(const struct host_session *s);

/* Builds a transfer in `buffer` (config.max_transfer bytes): begin puts all pending frames in. Then
 * up to room bytes of stdin can be stored at link_payload() and put; room is 0 without credit.
 * finish returns the length to send, 0 for nothing. */
void host_session_begin(struct host_session *s, struct transfer *t, uint8_t *buffer);
size_t host_session_room(const struct host_session *s, const struct transfer *t);
void host_session_put(struct host_session *s, struct transfer *t, size_t len);
size_t host_session_finish(struct host_session *s, struct transfer *t);

/* Bytes of stdin that the board takes now. */
size_t host_session_credit(const struct host_session *s);

struct host_counts host_session_counts(const struct host_session *s);

#endif
