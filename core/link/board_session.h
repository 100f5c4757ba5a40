/* SPDX-License-Identifier: Apache-2.0 */
/* The board's end of a session: a state machine without I/O, driven by bpfd-gadget.
 *
 * The caller passes in received transfers, reads the host's input for the process from here, and
 * asks for the next transfer to send. Times are milliseconds of any monotonic clock. */
#ifndef CORE_LINK_BOARD_SESSION_H
#define CORE_LINK_BOARD_SESSION_H

#include "core/link/link.h"

#include <stdbool.h>

/* Decides who may open a session. Neither function may block. */
struct board_gate {
	/* Called for each HELLO. Returns 0 if any host may open a session; 1 if the host must show
	 * a key, with fresh random bytes in `nonce`; -EACCES if no host may, with the reason and a
	 * text in *refusal. */
	int (*ask)(void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal);

	/* True if the board knows the key and the signature is the key's for `message`. */
	bool (*check)(void *context, const struct auth_response *response, const uint8_t *message,
		size_t len);

	void *context;
	const char *serial; /* of the board, not copied */
	uint8_t lane;

	/* How long the board waits before it answers a HELLO with a challenge, ms; NULL: not at
	 * all. */
	uint64_t (*wait_ms)(void *context);
};

struct board_config {
	uint32_t max_transfer; /* bytes, TRANSFER_MIN to TRANSFER_MAX: size of a receive buffer */
	uint32_t max_send;     /* bytes, the same range: size of a buffer to send */
	uint32_t window;       /* bytes of input that a session may hold */
	const char *version;   /* of the program, not copied */
	const struct board_gate *gate; /* not copied; NULL: any host may open a session */
};

/* What the caller must do. A HELLO that replaces a session gives only BOARD_START: the caller must
 * end the process of the old session before it starts the new one. */
enum board_event {
	BOARD_NOTHING,
	BOARD_START, /* a session opened: start a process for it */
	BOARD_STOP,  /* the session ended: end its process, if it has one */
};

struct board_session;

/* Returns an idle session, or NULL if memory is short. `config` is copied. */
struct board_session *board_session_new(const struct board_config *config);

/* Frees a session; NULL is allowed. */
void board_session_free(struct board_session *s);

/* True after an accepted HELLO, and an accepted key if the gate asks for one, until EXIT or RESET
 * was sent or received. */
bool board_session_is_open(const struct board_session *s);

/* True if the transfer starts with a HELLO. Ignore all other transfers that were started before a
 * link reset: they are of an older session. */
bool board_session_is_hello(const uint8_t *transfer, size_t len);

/* Processes a transfer from the host. Input stays in the transfer, which must therefore stay
 * unchanged until board_session_keep(). */
enum board_event board_session_receive(
	struct board_session *s, const uint8_t *transfer, size_t len, uint64_t now_ms);

/* Call after a link reset (the host set the altsetting or reset the bus): drops the session and all
 * pending frames. Returns BOARD_STOP if a session was open or waited for a key. */
enum board_event board_session_drop(struct board_session *s);

/* Ends a session from the board's side: a RESET with the reason and `text`, which is copied and may
 * be NULL, becomes pending. No effect without a session. */
void board_session_end(struct board_session *s, enum reset_reason reason, const char *text);

/* Does what is due: makes a challenge pending that was held back, or ends a session whose time has
 * run out, and then returns BOARD_STOP. */
enum board_event board_session_tick(struct board_session *s, uint64_t now_ms);

/* Returns when board_session_tick() has something to do: the lease, the time to show a key, or the
 * wait before a challenge runs out; UINT64_MAX without a session. */
uint64_t board_session_deadline(const struct board_session *s);

/* Returns the next contiguous part of the input for the process. *len is its size in bytes; 0:
 * there is no input. The bytes stay valid until the next call that changes the session. */
const uint8_t *board_session_input(const struct board_session *s, size_t *len);

/* Removes `len` bytes of that part: the process has read them. */
void board_session_consume(struct board_session *s, size_t len);

/* Copies the input that is still in the last transfer, which may then be reused. */
void board_session_keep(struct board_session *s);

/* True if the host sent EOF and all input before it was consumed. */
bool board_session_input_ended(const struct board_session *s);

/* Call if the process no longer reads: discards the input that is held and all that still arrives.
 * It counts as consumed, so the host can go on sending. */
void board_session_discard_input(struct board_session *s);

/* True if there are frames to send besides output of the process. */
bool board_session_pending(const struct board_session *s);

/* Build a transfer in `buffer` of config.max_send bytes. begin writes all pending frames. Then, any
 * number of times, the caller stores up to `room` bytes of output at link_payload() and calls put
 * with FRAME_DATA or FRAME_NOTE. finish returns the length to send in bytes; 0: nothing to send. */
void board_session_begin(struct board_session *s, struct transfer *t, uint8_t *buffer);
size_t board_session_room(const struct board_session *s, const struct transfer *t);
void board_session_put(
	struct board_session *s, struct transfer *t, enum frame_type type, size_t len);
size_t board_session_finish(struct board_session *s, struct transfer *t);

/* Call after all output was put: EXIT becomes pending. `code` and `signal` are those of waitpid(2),
 * one of them 0. */
void board_session_exit(struct board_session *s, int code, int signal);

/* Return how many bytes of DATA this session received from the host and sent to it. */
uint64_t board_session_received(const struct board_session *s);
uint64_t board_session_sent(const struct board_session *s);

#endif
