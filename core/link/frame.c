/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and decodes the frames of the link. */
#include "core/link/frame.h"
#include "core/base/printable.h"

#include <errno.h>
#include <string.h>

#define HELLO_SIZE	 24
#define HELLO_REPLY_SIZE 30 /* and the version string */
#define WINDOW_SIZE	 8
#define EXIT_SIZE	 18
#define RESET_SIZE	 10 /* and the text */
#define CHALLENGE_SIZE	 58 /* and the serial number */

_Static_assert(HELLO_REPLY_SIZE + LINK_TEXT_MAX <= FRAME_PAYLOAD_MAX, "a reply fits");
_Static_assert(CHALLENGE_SIZE + LINK_SERIAL_MAX <= FRAME_PAYLOAD_MAX, "a challenge fits");
_Static_assert(TRANSFER_MAX - FRAME_HEADER - 1 <= UINT16_MAX, "a length fits into u16");
_Static_assert(FRAME_HEADER % TRANSFER_QUANTUM != 0, "one empty PAD ends a transfer short");

static const uint8_t hello_magic[4] = {'B', 'P', 'F', 'D'};

static void put_le(uint8_t *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

const char *reset_reason_text(unsigned int reason)
{
	static const char *const texts[] = {
		[RESET_PROTOCOL] = "the link's protocol was violated",
		[RESET_VERSION] = "the other end speaks another version of the link",
		[RESET_LEASE] = "the board heard nothing from the host for the lease",
		[RESET_SUSPEND] = "the host suspended the bus",
		[RESET_SHUTDOWN] = "the board's daemon ends",
		[RESET_START] = "the board cannot start bpfd",
		[RESET_NO_SESSION] = "no session is open on the board",
		[RESET_HOST] = "the host closed the session",
		[RESET_AUTH] = "the board wants a key that it knows",
	};

	return reason && reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason]
								   : "unknown reason";
}

int frame_next(const uint8_t *transfer, size_t len, size_t *offset, struct frame *frame)
{
	const uint8_t *at = transfer + *offset;
	size_t left = len - *offset;

	if (left == 0)
		return 0;
	if (left < FRAME_HEADER)
		return -EBADMSG;
	if (at[0] < FRAME_HELLO || at[0] > FRAME_AUTH_RESPONSE || at[1] != 0)
		return -EBADMSG;
	frame->type = (enum frame_type)at[0];
	frame->len = (uint16_t)get_le(at + 2, 2);
	frame->seq = (uint32_t)get_le(at + 4, 4);
	frame->payload = at + FRAME_HEADER;
	if (frame->len > left - FRAME_HEADER)
		return -EBADMSG;
	*offset += FRAME_HEADER + frame->len;
	return 1;
}

bool frame_all_whole(const uint8_t *transfer, size_t len)
{
	struct frame frame;
	size_t offset = 0;
	int n;

	while ((n = frame_next(transfer, len, &offset, &frame)) == 1)
		;
	return n == 0;
}

bool frame_is_empty_type(enum frame_type type)
{
	return type == FRAME_EOF || type == FRAME_PING || type == FRAME_PONG || type == FRAME_PAD;
}

void frame_put_header(uint8_t *at, enum frame_type type, size_t len, uint32_t seq)
{
	at[0] = (uint8_t)type;
	at[1] = 0;
	put_le(at + 2, len, 2);
	put_le(at + 4, seq, 4);
}

size_t hello_put(uint8_t *at, const struct hello *hello)
{
	memcpy(at, hello_magic, sizeof(hello_magic));
	at[4] = hello->major;
	at[5] = hello->minor;
	put_le(at + 6, hello->flags, 2);
	put_le(at + 8, hello->max_transfer, 4);
	put_le(at + 12, hello->nonce, 8);
	put_le(at + 20, hello->lease_ms, 4);
	return HELLO_SIZE;
}

/* A longer payload passes: a later version may append. */
int hello_get(const struct frame *frame, struct hello *hello)
{
	const uint8_t *at = frame->payload;

	if (frame->len < HELLO_SIZE || memcmp(at, hello_magic, sizeof(hello_magic)) != 0)
		return -EBADMSG;
	hello->major = at[4];
	hello->minor = at[5];
	hello->flags = (uint16_t)get_le(at + 6, 2);
	hello->max_transfer = (uint32_t)get_le(at + 8, 4);
	hello->nonce = get_le(at + 12, 8);
	hello->lease_ms = (uint32_t)get_le(at + 20, 4);
	return 0;
}

static size_t put_text(uint8_t *at, const char *text, size_t max)
{
	size_t len = strnlen(text, max);

	memcpy(at, text, len);
	return len;
}

/* Text of the other end goes to a terminal: control characters become '?'. */
static void get_text(const struct frame *frame, size_t from, char *text, size_t max)
{
	size_t len = frame->len - from;

	if (len > max)
		len = max;
	memcpy(text, frame->payload + from, len);
	printable_ascii(text, len);
	text[len] = '\0';
}

size_t hello_reply_put(uint8_t *at, const struct hello_reply *reply)
{
	hello_put(at, &reply->hello);
	put_le(at + 24, reply->window, 4);
	put_le(at + 28, reply->status, 2);
	return HELLO_REPLY_SIZE + put_text(at + HELLO_REPLY_SIZE, reply->version, LINK_TEXT_MAX);
}

int hello_reply_get(const struct frame *frame, struct hello_reply *reply)
{
	if (frame->len < HELLO_REPLY_SIZE || hello_get(frame, &reply->hello) < 0)
		return -EBADMSG;
	reply->window = (uint32_t)get_le(frame->payload + 24, 4);
	reply->status = (uint16_t)get_le(frame->payload + 28, 2);
	get_text(frame, HELLO_REPLY_SIZE, reply->version, LINK_TEXT_MAX);
	return 0;
}

size_t window_put(uint8_t *at, uint64_t consumed)
{
	put_le(at, consumed, WINDOW_SIZE);
	return WINDOW_SIZE;
}

int window_get(const struct frame *frame, uint64_t *consumed)
{
	if (frame->len != WINDOW_SIZE)
		return -EBADMSG;
	*consumed = get_le(frame->payload, 8);
	return 0;
}

size_t exit_put(uint8_t *at, const struct exit_info *info)
{
	at[0] = info->code;
	at[1] = info->signal;
	put_le(at + 2, info->received, 8);
	put_le(at + 10, info->sent, 8);
	return EXIT_SIZE;
}

int exit_get(const struct frame *frame, struct exit_info *info)
{
	if (frame->len != EXIT_SIZE)
		return -EBADMSG;
	info->code = frame->payload[0];
	info->signal = frame->payload[1];
	info->received = get_le(frame->payload + 2, 8);
	info->sent = get_le(frame->payload + 10, 8);
	return 0;
}

size_t reset_put(uint8_t *at, const struct reset_info *info)
{
	put_le(at, info->reason, 2);
	put_le(at + 2, info->nonce, 8);
	return RESET_SIZE + put_text(at + RESET_SIZE, info->text, LINK_TEXT_MAX);
}

int reset_get(const struct frame *frame, struct reset_info *info)
{
	if (frame->len < RESET_SIZE)
		return -EBADMSG;
	info->reason = (uint16_t)get_le(frame->payload, 2);
	info->nonce = get_le(frame->payload + 2, 8);
	get_text(frame, RESET_SIZE, info->text, LINK_TEXT_MAX);
	return 0;
}

size_t auth_challenge_put(uint8_t *at, const struct auth_challenge *challenge)
{
	hello_put(at, &challenge->hello);
	memcpy(at + HELLO_SIZE, challenge->nonce, AUTH_NONCE_SIZE);
	at[56] = challenge->tries;
	at[57] = challenge->lane;
	return CHALLENGE_SIZE + put_text(at + CHALLENGE_SIZE, challenge->serial, LINK_SERIAL_MAX);
}

/* A longer one would be cut, and what is signed would not be what came. */
int auth_challenge_get(const struct frame *frame, struct auth_challenge *challenge)
{
	if (frame->len < CHALLENGE_SIZE || frame->len > CHALLENGE_SIZE + LINK_SERIAL_MAX ||
		hello_get(frame, &challenge->hello) < 0)
		return -EBADMSG;
	memcpy(challenge->nonce, frame->payload + HELLO_SIZE, AUTH_NONCE_SIZE);
	challenge->tries = frame->payload[56];
	challenge->lane = frame->payload[57];
	get_text(frame, CHALLENGE_SIZE, challenge->serial, LINK_SERIAL_MAX);
	return 0;
}

size_t auth_response_put(uint8_t *at, const struct auth_response *response)
{
	memcpy(at, response->key, AUTH_KEY_SIZE);
	memcpy(at + AUTH_KEY_SIZE, response->signature, AUTH_SIGNATURE_SIZE);
	return AUTH_KEY_SIZE + AUTH_SIGNATURE_SIZE;
}

int auth_response_get(const struct frame *frame, struct auth_response *response)
{
	if (frame->len != AUTH_KEY_SIZE + AUTH_SIGNATURE_SIZE)
		return -EBADMSG;
	memcpy(response->key, frame->payload, AUTH_KEY_SIZE);
	memcpy(response->signature, frame->payload + AUTH_KEY_SIZE, AUTH_SIGNATURE_SIZE);
	return 0;
}

size_t auth_message(uint8_t at[AUTH_MESSAGE_MAX], const struct hello *hello,
	const struct auth_challenge *challenge, const uint8_t key[AUTH_KEY_SIZE])
{
	static const char purpose[] = "bpfd-usb host to board 1";
	size_t n = sizeof(purpose) - 1;

	_Static_assert(sizeof(purpose) - 1 + HELLO_SIZE + AUTH_KEY_SIZE + CHALLENGE_SIZE +
				       LINK_SERIAL_MAX ==
			       AUTH_MESSAGE_MAX,
		"the longest message fits");
	memcpy(at, purpose, n);
	n += hello_put(at + n, hello);
	memcpy(at + n, key, AUTH_KEY_SIZE);
	n += AUTH_KEY_SIZE;
	return n + auth_challenge_put(at + n, challenge);
}
