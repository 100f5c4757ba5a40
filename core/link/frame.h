/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of the link between bpfd-usb and bpfd-gadget, and their layout on the wire.
 *
 * These functions do no I/O and allocate nothing. All integers are little-endian. PROTOCOL.md
 * specifies the format. */
#ifndef CORE_LINK_FRAME_H
#define CORE_LINK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 8 /* bytes: u8 type, u8 channel, u16 payload length, u32 seq */

#define LINK_MAJOR 1
#define LINK_MINOR 1

#define LINK_MINOR_AUTH 1 /* the first minor version with AUTH_CHALLENGE and AUTH_RESPONSE */

/* The length of a transfer is never a multiple of this many bytes, so every transfer ends with a
 * short packet: 64 divides the bulk packet size of every speed (64, 512, 1024). */
#define TRANSFER_QUANTUM 64

/* Bounds of the size of a receive buffer, bytes. A transfer is always shorter than the buffer that
 * receives it. */
#define TRANSFER_MIN 1024
#define TRANSFER_MAX 65536

#define LINK_TEXT_MAX	255 /* bytes of a version or of a RESET's text */
#define LINK_SERIAL_MAX 126 /* bytes of a board's serial number */

/* Bytes of an Ed25519 key and signature, and of the nonce that is signed. */
#define AUTH_NONCE_SIZE	    32
#define AUTH_KEY_SIZE	    32
#define AUTH_SIGNATURE_SIZE 64

/* Bytes of each payload, without the text at its end: the sum of its fields. */
#define HELLO_PAYLOAD	    (4 + 1 + 1 + 2 + 4 + 8 + 4)
#define HELLO_REPLY_PAYLOAD (HELLO_PAYLOAD + 4 + 2) /* and the version */
#define WINDOW_PAYLOAD	    8
#define EXIT_PAYLOAD	    (1 + 1 + 8 + 8)
#define RESET_PAYLOAD	    (2 + 8)				      /* and the text */
#define CHALLENGE_PAYLOAD   (HELLO_PAYLOAD + AUTH_NONCE_SIZE + 1 + 1) /* and the serial number */
#define RESPONSE_PAYLOAD    (AUTH_KEY_SIZE + AUTH_SIGNATURE_SIZE)

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
	RESET_LEASE,	    /* the board received nothing from the host for the lease */
	RESET_SUSPEND,	    /* the host suspended the bus */
	RESET_SHUTDOWN,	    /* the board's daemon exits */
	RESET_START,	    /* the board cannot start bpfd, or a pipe to it failed */
	RESET_NO_SESSION,   /* a frame arrived, but no session is open */
	RESET_HOST,	    /* the host closes the session */
	RESET_AUTH,	    /* the host has shown no key that the board knows */
};

struct frame {
	enum frame_type type;
	uint16_t len;
	uint32_t seq;
	const uint8_t *payload; /* inside the transfer */
};

/* The fields of HELLO, with which HELLO_REPLY and AUTH_CHALLENGE start too. Magic and nonce keep
 * their place in every version, so a board can answer a host that is newer than itself. */
struct hello {
	uint8_t major, minor;
	uint16_t flags;
	uint32_t max_transfer; /* bytes: the size of the sender's receive buffer */
	uint64_t nonce;
	uint32_t lease_ms;
};

struct hello_reply {
	struct hello hello;
	uint32_t window; /* bytes of DATA that the host may have unconsumed */
	uint16_t status; /* 0; other values are reserved */
	char version[LINK_TEXT_MAX + 1];
};

/* The board asks for a key. `hello` is as in HELLO_REPLY. */
struct auth_challenge {
	struct hello hello;
	uint8_t nonce[AUTH_NONCE_SIZE]; /* chosen by the board */
	uint8_t tries;			/* responses that the board will still check, at least 1 */
	uint8_t lane;
	char serial[LINK_SERIAL_MAX + 1];
};

/* An Ed25519 key and its signature of auth_message(). */
struct auth_response {
	uint8_t key[AUTH_KEY_SIZE];
	uint8_t signature[AUTH_SIGNATURE_SIZE];
};

struct exit_info {
	uint8_t code, signal;	 /* of bpfd; one of them is 0 */
	uint64_t received, sent; /* bytes of DATA that the board received and sent */
};

struct reset_info {
	uint16_t reason; /* enum reset_reason, or a number of a later version */
	uint64_t nonce;	 /* of the HELLO that it answers or the session that it ends; 0: none */
	char text[LINK_TEXT_MAX + 1];
};

/* Returns the name of a frame type, for traces and messages; "?" for an unknown type. */
const char *frame_name(unsigned int type);

/* Describes a frame on one line: name, seq, len, and the fields or the first bytes of its payload.
 * Returns the length of the text, which is cut to `size` bytes with its NUL. A buffer of
 * FRAME_TEXT_MAX bytes holds every frame. */
#define FRAME_TEXT_MAX 1024
size_t frame_describe(const struct frame *frame, char *text, size_t size);

/* Writes up to FRAME_TEXT_BYTES bytes of data in quotes, and "..." after them if there are more.
 * Bytes that could control a terminal are escaped as in C. Returns the length of the text; `size`
 * is at least BYTES_TEXT_MAX. */
#define FRAME_TEXT_BYTES 48
#define BYTES_TEXT_MAX	 (4 * FRAME_TEXT_BYTES + 2 + 3 + 1)
size_t frame_describe_bytes(const uint8_t *data, size_t len, char *text, size_t size);

/* Returns what a RESET reason means, as one line for the user. */
const char *reset_reason_text(unsigned int reason);

/* Reads the frame at *offset of a transfer and moves *offset after it. Returns 1 with a frame, 0 at
 * the end of the transfer, or -EBADMSG for a cut frame, an unknown type or a nonzero channel. The
 * payload stays in the transfer. */
int frame_next(const uint8_t *transfer, size_t len, size_t *offset, struct frame *frame);

/* True if the transfer consists of whole frames of known types. Any other transfer must be refused
 * as a whole: if a byte was lost or doubled, a frame before the malformed one may have wrong bytes
 * too. */
bool frame_all_whole(const uint8_t *transfer, size_t len);

/* True for types that never carry a payload. If such a frame has one, its type byte is corrupt. */
bool frame_is_empty_type(enum frame_type type);

/* Writes the FRAME_HEADER bytes before a payload of `len` bytes. */
void frame_put_header(uint8_t *at, enum frame_type type, size_t len, uint32_t seq);

/* Each put writes a payload to `at`, which has room for FRAME_PAYLOAD_MAX bytes, and returns its
 * length in bytes. Each get reads a payload; it returns 0, or -EBADMSG if the payload is malformed,
 * and the fields are then undefined. */
#define FRAME_PAYLOAD_MAX (HELLO_REPLY_PAYLOAD + LINK_TEXT_MAX)

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

/* Writes the message that a key signs and returns its length in bytes. The message names its
 * purpose, the host's HELLO as the board received it, the key, and the board's challenge, so the
 * signature is valid for this session only. PROTOCOL.md specifies it. */
#define AUTH_PURPOSE "bpfd-usb host to board 1"
#define AUTH_MESSAGE_MAX                                                                \
	(sizeof(AUTH_PURPOSE) - 1 + HELLO_PAYLOAD + AUTH_KEY_SIZE + CHALLENGE_PAYLOAD + \
		LINK_SERIAL_MAX)
size_t auth_message(uint8_t at[AUTH_MESSAGE_MAX], const struct hello *hello,
	const struct auth_challenge *challenge, const uint8_t key[AUTH_KEY_SIZE]);

#endif
