/* SPDX-License-Identifier: Apache-2.0 */
/* The board's end of a session: a state machine without I/O, driven by bpfd-gadget.
 *
 * The caller hands in received transfers, takes the host's input for the child process out of a
 * buffer here, and asks for the next transfer to send. Times are milliseconds of any clock that
 * never runs backwards. */
#ifndef CORE_LINK_BOARD_SESSION_H
#define CORE_LINK_BOARD_SESSION_H

#include "core/link/link.h"

#include <stdbool.h>

/* Who may open a session. Neither function may wait. */
struct board_gate {
	/* A HELLO came. Returns 0: anybody may; 1: with a key, and *nonce is fresh randomness;
	 * -EACCES: nobody may, for the reason and the text in *refusal. */
	int (*ask)(void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal);

	/* Whether the key is a known one and the signature is its signature of the message. */
	bool (*check)(void *context, const struct auth_response *response, const uint8_t *message,
		size_t len);

	void *context;
	const char *serial; /* of the board, not copied */
	uint8_t lane;
};

struct board_config {
	uint32_t max_transfer; /* bytes, TRANSFER_MIN to TRANSFER_MAX: size of a receive buffer */
	uint32_t max_send;     /* bytes, the same range: size of a buffer to send */
	uint32_t window;       /* bytes of input that a session may hold */
	const char *version;   /* of the program, not copied */
	const struct board_gate *gate; /* not copied; NULL: anybody may */
};

/* What the caller has to do. A HELLO that replaces a session gives BOARD_START alone: the process
 * of the old session must be ended before the new one starts. */
enum board_event {
	BOARD_NOTHING,
	BOARD_START, /* a session opened: start a process for it */
	BOARD_STOP,  /* the session is over: end its process, if one was started */
};

struct board_session;

/* Returns an idle session, or NULL when memory is short. `config` is copied. */
struct board_session *board_session_new(const struct board_config *config);
void board_session_free(struct board_session *s);

/* True from an accepted HELLO, and key if one is asked for, until EXIT or RESET has been sent or
 * received. */
bool board_session_is_open(const struct board_session *s);

/* True if the transfer starts with a HELLO: the only one to heed from before a link reset. */
bool board_session_is_hello(const uint8_t *transfer, size_t len);

/* Processes a transfer from the host. Input stays in the transfer, which must therefore stay
 * unchanged until board_session_keep(). */
enum board_event board_session_receive(
	struct board_session *s, const uint8_t *transfer, size_t len, uint64_t now_ms);

/* The host reset the link (the altsetting was set, or the bus was): whatever was open is gone and
 * nothing that is pending may be sent. Returns BOARD_STOP if a session was open. */
enum board_event board_session_drop(struct board_session *s);

/* Ends an open session from the board's side: a RESET with the reason and a text (may be NULL)
 * becomes pending. No effect without a session. */
void board_session_end(struct board_session *s, enum reset_reason reason, const char *text);

/* Ends a session whose lease has run out, and returns BOARD_STOP then. */
enum board_event board_session_tick(struct board_session *s, uint64_t now_ms);

/* When the lease ends; UINT64_MAX without a session. */
uint64_t board_session_deadline(const struct board_session *s);

/* Input for the child: a part of it that is contiguous, *len bytes, 0 if there is none. The bytes
 * stay valid until the next call that changes the session. */
const uint8_t *board_session_input(const struct board_session *s, size_t *len);
void board_session_consume(struct board_session *s, size_t len);

/* Copies input that is still in the last transfer and was not consumed. */
void board_session_keep(struct board_session *s);

/* True when the host has sent EOF and all input before it has been consumed. */
bool board_session_input_ended(const struct board_session *s);

/* The child does not read any more: input that is held or still comes is thrown away, and the host
 * may go on sending it. */
void board_session_discard_input(struct board_session *s);

/* True if there are frames to send besides output of the child. */
bool board_session_pending(const struct board_session *s);

/* Builds a transfer in `buffer` (config.max_send bytes): begin puts all pending frames in. Then
 * up to room bytes of output can be stored at link_payload() and put as FRAME_DATA or FRAME_NOTE,
 * more than once. finish returns the length to send, 0 for nothing. */
void board_session_begin(struct board_session *s, struct transfer *t, uint8_t *buffer);
size_t board_session_room(const struct board_session *s, const struct transfer *t);
void board_session_put(
	struct board_session *s, struct transfer *t, enum frame_type type, size_t len);
size_t board_session_finish(struct board_session *s, struct transfer *t);

/* All output was put: EXIT becomes pending. code and signal are of waitpid(2), one of them 0. */
void board_session_exit(struct board_session *s, int code, int signal);

/* Bytes of DATA received from and sent to the host in this session. */
uint64_t board_session_received(const struct board_session *s);
uint64_t board_session_sent(const struct board_session *s);

#endif
