/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of the link between bpfd-usb and bpfd-gadget: how they are laid out on the wire.
 *
 * Pure functions: no I/O, no allocation. All integers are little-endian. The format is this
 * project's own and is specified in PROTOCOL.md. */
#ifndef CORE_LINK_FRAME_H
#define CORE_LINK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 8 /* bytes: u8 type, u8 channel, u16 payload length, u32 seq */

#define LINK_MAJOR 1
#define LINK_MINOR 1

#define LINK_MINOR_AUTH 1 /* the first one with AUTH_CHALLENGE and AUTH_RESPONSE */

/* A transfer may not be a multiple of this, so that it always ends with a short packet: 64 divides
 * the bulk packet size of every speed (64, 512, 1024). */
#define TRANSFER_QUANTUM 64

/* Sizes of receive buffers, bytes. A transfer is always shorter than the buffer it goes to. */
#define TRANSFER_MIN 1024
#define TRANSFER_MAX 65536

#define LINK_TEXT_MAX 255 /* bytes of a version or of a RESET's text */

#define LINK_SERIAL_MAX	    126 /* characters of a board's serial number */
#define AUTH_NONCE_SIZE	    32
#define AUTH_KEY_SIZE	    32 /* of Ed25519 */
#define AUTH_SIGNATURE_SIZE 64

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_HELLO_REPLY,
	FRAME_DATA,
	FRAME_NOTE,
	FRAME_EOF,
	FRAME_WINDOW,
	FRAME_EXIT,
	FRAME_RESET,
	FRAME_PING,
	FRAME_PONG,
	FRAME_PAD,
	FRAME_AUTH_CHALLENGE,
	FRAME_AUTH_RESPONSE,
};

enum reset_reason {
	RESET_PROTOCOL = 1, /* malformed frame, gap in seq, frame out of place */
	RESET_VERSION,	    /* another major version */
	RESET_LEASE,	    /* the host was not heard for the lease */
	RESET_SUSPEND,	    /* the bus was suspended */
	RESET_SHUTDOWN,	    /* the board's daemon ends */
	RESET_START,	    /* the board cannot start bpfd */
	RESET_NO_SESSION,   /* a frame came, but no session is open */
	RESET_HOST,	    /* the host closes the session */
	RESET_AUTH,	    /* the host has shown no key that the board knows */
};

struct frame {
	enum frame_type type;
	uint16_t len;
	uint32_t seq;
	const uint8_t *payload; /* inside the transfer */
};

/* HELLO, and the part of HELLO_REPLY that is the same. Magic and nonce keep their place in every
 * version, so that a board can answer a host that is newer than itself. */
struct hello {
	uint8_t major, minor;
	uint16_t flags;
	uint32_t max_transfer; /* bytes, the sender's receive buffer */
	uint64_t nonce;
	uint32_t lease_ms;
};

struct hello_reply {
	struct hello hello;
	uint32_t window; /* bytes of DATA that may be unconsumed */
	uint16_t status; /* 0; other values are reserved */
	char version[LINK_TEXT_MAX + 1];
};

/* The board asks for a key. `hello` is as in HELLO_REPLY. */
struct auth_challenge {
	struct hello hello;
	uint8_t nonce[AUTH_NONCE_SIZE]; /* the board's */
	uint8_t tries; /* responses that it will still look at, this one included */
	uint8_t lane;
	char serial[LINK_SERIAL_MAX + 1];
};

/* An Ed25519 key and its signature of auth_message(). */
struct auth_response {
	uint8_t key[AUTH_KEY_SIZE];
	uint8_t signature[AUTH_SIGNATURE_SIZE];
};

struct exit_info {
	uint8_t code, signal;
	uint64_t received, sent; /* bytes of DATA, seen from the board */
};

struct reset_info {
	uint16_t reason;
	uint64_t nonce; /* of the HELLO that it answers or the session that it ends, 0 for none */
	char text[LINK_TEXT_MAX + 1];
};

/* The name of a frame type, for traces and messages; "?" for an unknown one. */
const char *frame_name(unsigned int type);

/* Puts a frame into words, on one line: name, seq, len, and its fields or the first bytes that it
 * carries. Returns the length; a buffer of FRAME_TEXT_MAX holds every frame. */
#define FRAME_TEXT_MAX 1024
size_t frame_describe(const struct frame *frame, char *text, size_t size);

/* Puts up to FRAME_TEXT_BYTES of data into quotes, and "..." behind them if there are more. What a
 * terminal could obey is escaped as in C. Returns the length; `size` is at least BYTES_TEXT_MAX. */
#define FRAME_TEXT_BYTES 48
#define BYTES_TEXT_MAX	 (4 * FRAME_TEXT_BYTES + 2 + 3 + 1)
size_t frame_describe_bytes(const uint8_t *data, size_t len, char *text, size_t size);

/* What a RESET reason means, one line of text for the user. */
const char *reset_reason_text(unsigned int reason);

/* Takes the next frame of a transfer from *offset on and advances it. Returns 1 with a frame, 0 at
 * the end of the transfer, -EBADMSG for a cut or unknown frame or a nonzero channel. */
int frame_next(const uint8_t *transfer, size_t len, size_t *offset, struct frame *frame);

/* True if the transfer is made of whole, known frames to its end. What is not is refused as a
 * whole: where a byte was lost or doubled, the frames before the one that shows it have wrong
 * bytes. */
bool frame_all_whole(const uint8_t *transfer, size_t len);

/* True for the types that have no payload. One that has is another frame, of which the type is
 * wrong. */
bool frame_is_empty_type(enum frame_type type);

/* Writes the header of a frame with len bytes of payload, which follow it. */
void frame_put_header(uint8_t *at, enum frame_type type, size_t len, uint32_t seq);

/* Each put writes a payload and returns its length; `at` has room for FRAME_PAYLOAD_MAX. Each get
 * returns 0, or -EBADMSG when the payload is too short or not what it should be. */
#define FRAME_PAYLOAD_MAX (30 + LINK_TEXT_MAX)

size_t hello_put(uint8_t *at, const struct hello *hello);
int hello_get(const struct frame *frame, struct hello *hello);
size_t hello_reply_put(uint8_t *at, const struct hello_reply *reply);
int hello_reply_get(const struct frame *frame, struct hello_reply *reply);
size_t window_put(uint8_t *at, uint64_t consumed);
int window_get(const struct frame *frame, uint64_t *consumed);
size_t exit_put(uint8_t *at, const struct exit_info *info);
int exit_get(const struct frame *frame, struct exit_info *info);
size_t reset_put(uint8_t *at, const struct reset_info *info);
int reset_get(const struct frame *frame, struct reset_info *info);
size_t auth_challenge_put(uint8_t *at, const struct auth_challenge *challenge);
int auth_challenge_get(const struct frame *frame, struct auth_challenge *challenge);
size_t auth_response_put(uint8_t *at, const struct auth_response *response);
int auth_response_get(const struct frame *frame, struct auth_response *response);

/* What a key signs, so that its signature is good for this session alone: a text that says what it
 * is for, the host's HELLO as the board got it, the key, and the board's challenge. Writes it and
 * returns its length; specified in PROTOCOL.md. */
#define AUTH_MESSAGE_MAX (24 + 24 + AUTH_KEY_SIZE + 58 + LINK_SERIAL_MAX)
size_t auth_message(uint8_t at[AUTH_MESSAGE_MAX], const struct hello *hello,
	const struct auth_challenge *challenge, const uint8_t key[AUTH_KEY_SIZE]);

#endif
