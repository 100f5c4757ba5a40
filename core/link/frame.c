/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and decodes the frames of the link with cursors. */
#include "core/link/frame.h"

#include "core/base/bytes.h"
#include "core/base/printable.h"

#include <errno.h>
#include <string.h>

_Static_assert(HELLO_REPLY_PAYLOAD + LINK_TEXT_MAX <= FRAME_PAYLOAD_MAX, "a HELLO_REPLY fits");
_Static_assert(RESET_PAYLOAD + LINK_TEXT_MAX <= FRAME_PAYLOAD_MAX, "a RESET fits");
_Static_assert(CHALLENGE_PAYLOAD + LINK_SERIAL_MAX <= FRAME_PAYLOAD_MAX, "a challenge fits");
_Static_assert(RESPONSE_PAYLOAD <= FRAME_PAYLOAD_MAX, "a response fits");
_Static_assert(TRANSFER_MAX - FRAME_HEADER - 1 <= UINT16_MAX, "a payload's length fits into u16");
_Static_assert(FRAME_HEADER % TRANSFER_QUANTUM != 0, "one empty PAD makes a transfer end short");

static const uint8_t hello_magic[4] = {'B', 'P', 'F', 'D'};

const char *reset_reason_text(unsigned int reason)
{
	static const char *const texts[] = {
		[RESET_PROTOCOL] = "the link's protocol was violated",
		[RESET_VERSION] = "the other end speaks another version of the link",
		[RESET_LEASE] = "the board heard nothing from the host for the lease",
		[RESET_SUSPEND] = "the host suspended the bus",
		[RESET_SHUTDOWN] = "the board's daemon exits",
		[RESET_START] = "the board cannot run bpfd",
		[RESET_NO_SESSION] = "no session is open on the board",
		[RESET_HOST] = "the host closed the session",
		[RESET_AUTH] = "the board requires a key that it knows",
	};

	return reason && reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason]
								   : "unknown reason";
}

int frame_next(const uint8_t *transfer, size_t len, size_t *offset, struct frame *frame)
{
	struct bytes_in in = {.data = transfer + *offset, .size = len - *offset};
	uint8_t type, channel;

	if (in.size == 0)
		return 0;
	type = bytes_get_u8(&in);
	channel = bytes_get_u8(&in);
	if (type < FRAME_HELLO || type > FRAME_AUTH_RESPONSE || channel != 0)
		return -EBADMSG;
	frame->type = (enum frame_type)type;
	frame->len = bytes_get_u16(&in);
	frame->seq = bytes_get_u32(&in);
	frame->payload = bytes_get(&in, frame->len);
	if (in.failed)
		return -EBADMSG;
	*offset = len - in.size;
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
	struct bytes_out out = bytes_out_fixed(at, FRAME_HEADER);

	bytes_put_u8(&out, (uint8_t)type);
	bytes_put_u8(&out, 0); /* channel */
	bytes_put_u16(&out, (uint16_t)len);
	bytes_put_u32(&out, seq);
}

static struct bytes_out payload_out(uint8_t *at)
{
	return bytes_out_fixed(at, FRAME_PAYLOAD_MAX);
}

static struct bytes_in payload_in(const struct frame *frame)
{
	return (struct bytes_in){.data = frame->payload, .size = frame->len};
}

static void get_array(struct bytes_in *in, uint8_t *to, size_t size)
{
	const uint8_t *from = bytes_get(in, size);

	if (from)
		memcpy(to, from, size);
}

static void put_hello(struct bytes_out *out, const struct hello *hello)
{
	bytes_put(out, hello_magic, sizeof(hello_magic));
	bytes_put_u8(out, hello->major);
	bytes_put_u8(out, hello->minor);
	bytes_put_u16(out, hello->flags);
	bytes_put_u32(out, hello->max_transfer);
	bytes_put_u64(out, hello->nonce);
	bytes_put_u32(out, hello->lease_ms);
}

static void get_hello(struct bytes_in *in, struct hello *hello)
{
	const uint8_t *magic = bytes_get(in, sizeof(hello_magic));

	if (magic && memcmp(magic, hello_magic, sizeof(hello_magic)) != 0)
		in->failed = true;
	hello->major = bytes_get_u8(in);
	hello->minor = bytes_get_u8(in);
	hello->flags = bytes_get_u16(in);
	hello->max_transfer = bytes_get_u32(in);
	hello->nonce = bytes_get_u64(in);
	hello->lease_ms = bytes_get_u32(in);
}

size_t hello_put(uint8_t *at, const struct hello *hello)
{
	struct bytes_out out = payload_out(at);

	put_hello(&out, hello);
	return out.size;
}

/* Accepts a longer payload: a later version may append fields. */
int hello_get(const struct frame *frame, struct hello *hello)
{
	struct bytes_in in = payload_in(frame);

	get_hello(&in, hello);
	return in.failed ? -EBADMSG : 0;
}

static void put_text(struct bytes_out *out, const char *text, size_t max)
{
	bytes_put(out, text, strnlen(text, max));
}

/* Reads the rest of the payload as text, of which it keeps `max` bytes. The other end chose the
 * text and a terminal will show it: unprintable bytes become '?'. */
static void get_text(struct bytes_in *in, char *text, size_t max)
{
	size_t len = in->size < max ? in->size : max;
	const uint8_t *from = bytes_get(in, in->size);

	if (!from)
		len = 0;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)from[i];
	printable_ascii(text, len);
	text[len] = '\0';
}

size_t hello_reply_put(uint8_t *at, const struct hello_reply *reply)
{
	struct bytes_out out = payload_out(at);

	put_hello(&out, &reply->hello);
	bytes_put_u32(&out, reply->window);
	bytes_put_u16(&out, reply->status);
	put_text(&out, reply->version, LINK_TEXT_MAX);
	return out.size;
}

int hello_reply_get(const struct frame *frame, struct hello_reply *reply)
{
	struct bytes_in in = payload_in(frame);

	get_hello(&in, &reply->hello);
	reply->window = bytes_get_u32(&in);
	reply->status = bytes_get_u16(&in);
	get_text(&in, reply->version, LINK_TEXT_MAX);
	return in.failed ? -EBADMSG : 0;
}

size_t window_put(uint8_t *at, uint64_t consumed)
{
	struct bytes_out out = payload_out(at);

	bytes_put_u64(&out, consumed);
	return out.size;
}

int window_get(const struct frame *frame, uint64_t *consumed)
{
	struct bytes_in in = payload_in(frame);

	if (frame->len != WINDOW_PAYLOAD)
		return -EBADMSG;
	*consumed = bytes_get_u64(&in);
	return 0;
}

size_t exit_put(uint8_t *at, const struct exit_info *info)
{
	struct bytes_out out = payload_out(at);

	bytes_put_u8(&out, info->code);
	bytes_put_u8(&out, info->signal);
	bytes_put_u64(&out, info->received);
	bytes_put_u64(&out, info->sent);
	return out.size;
}

int exit_get(const struct frame *frame, struct exit_info *info)
{
	struct bytes_in in = payload_in(frame);

	if (frame->len != EXIT_PAYLOAD)
		return -EBADMSG;
	info->code = bytes_get_u8(&in);
	info->signal = bytes_get_u8(&in);
	info->received = bytes_get_u64(&in);
	info->sent = bytes_get_u64(&in);
	return 0;
}

size_t reset_put(uint8_t *at, const struct reset_info *info)
{
	struct bytes_out out = payload_out(at);

	bytes_put_u16(&out, info->reason);
	bytes_put_u64(&out, info->nonce);
	put_text(&out, info->text, LINK_TEXT_MAX);
	return out.size;
}

int reset_get(const struct frame *frame, struct reset_info *info)
{
	struct bytes_in in = payload_in(frame);

	info->reason = bytes_get_u16(&in);
	info->nonce = bytes_get_u64(&in);
	get_text(&in, info->text, LINK_TEXT_MAX);
	return in.failed ? -EBADMSG : 0;
}

static void put_challenge(struct bytes_out *out, const struct auth_challenge *challenge)
{
	put_hello(out, &challenge->hello);
	bytes_put(out, challenge->nonce, AUTH_NONCE_SIZE);
	bytes_put_u8(out, challenge->tries);
	bytes_put_u8(out, challenge->lane);
	put_text(out, challenge->serial, LINK_SERIAL_MAX);
}

size_t auth_challenge_put(uint8_t *at, const struct auth_challenge *challenge)
{
	struct bytes_out out = payload_out(at);

	put_challenge(&out, challenge);
	return out.size;
}

/* Refuses a serial number that is too long: the key would sign the cut one, not the one sent. */
int auth_challenge_get(const struct frame *frame, struct auth_challenge *challenge)
{
	struct bytes_in in = payload_in(frame);

	get_hello(&in, &challenge->hello);
	get_array(&in, challenge->nonce, AUTH_NONCE_SIZE);
	challenge->tries = bytes_get_u8(&in);
	challenge->lane = bytes_get_u8(&in);
	if (in.size > LINK_SERIAL_MAX)
		return -EBADMSG;
	get_text(&in, challenge->serial, LINK_SERIAL_MAX);
	return in.failed ? -EBADMSG : 0;
}

size_t auth_response_put(uint8_t *at, const struct auth_response *response)
{
	struct bytes_out out = payload_out(at);

	bytes_put(&out, response->key, AUTH_KEY_SIZE);
	bytes_put(&out, response->signature, AUTH_SIGNATURE_SIZE);
	return out.size;
}

int auth_response_get(const struct frame *frame, struct auth_response *response)
{
	struct bytes_in in = payload_in(frame);

	if (frame->len != RESPONSE_PAYLOAD)
		return -EBADMSG;
	get_array(&in, response->key, AUTH_KEY_SIZE);
	get_array(&in, response->signature, AUTH_SIGNATURE_SIZE);
	return 0;
}

size_t auth_message(uint8_t at[AUTH_MESSAGE_MAX], const struct hello *hello,
	const struct auth_challenge *challenge, const uint8_t key[AUTH_KEY_SIZE])
{
	struct bytes_out out = bytes_out_fixed(at, AUTH_MESSAGE_MAX);

	bytes_put(&out, AUTH_PURPOSE, sizeof(AUTH_PURPOSE) - 1);
	put_hello(&out, hello);
	bytes_put(&out, key, AUTH_KEY_SIZE);
	put_challenge(&out, challenge);
	return out.size;
}
