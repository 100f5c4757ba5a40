/* SPDX-License-Identifier: Apache-2.0 */
/* Describes frames as text: one table has each type's name and payload format. */
#include "core/link/frame.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A line under construction; text beyond `size` bytes is cut. */
struct text_buffer {
	char *data;
	size_t len, size;
};

static void __attribute__((format(printf, 2, 3)))
text_add(struct text_buffer *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->data + t->len, t->size - t->len, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	t->len += (size_t)n;
	if (t->len >= t->size)
		t->len = t->size - 1;
}

/* Escapes bytes that could control a terminal: the other end chose them. */
static void text_add_byte(struct text_buffer *t, uint8_t byte)
{
	static const char escaped[] = "\n\r\t\"\\", letters[] = "nrt\"\\";
	const char *at = byte ? strchr(escaped, byte) : NULL;

	if (at)
		text_add(t, "\\%c", letters[at - escaped]);
	else if (byte >= 0x20 && byte < 0x7f)
		text_add(t, "%c", byte);
	else
		text_add(t, "\\x%02x", byte);
}

static void text_add_quoted(struct text_buffer *t, const uint8_t *data, size_t len)
{
	text_add(t, "\"");
	for (size_t i = 0; i < len; i++)
		text_add_byte(t, data[i]);
	text_add(t, "\"");
}

static void text_add_bytes(struct text_buffer *t, const uint8_t *data, size_t len)
{
	text_add_quoted(t, data, len < FRAME_TEXT_BYTES ? len : FRAME_TEXT_BYTES);
	if (len > FRAME_TEXT_BYTES)
		text_add(t, "...");
}

static void text_add_hello(struct text_buffer *t, const struct hello *hello)
{
	text_add(t, "link %u.%u, flags %u, buffer %lu, nonce 0x%016llx, lease %lu ms", hello->major,
		hello->minor, hello->flags, (unsigned long)hello->max_transfer,
		(unsigned long long)hello->nonce, (unsigned long)hello->lease_ms);
}

/* Each function below adds the fields of a payload. Returns 0, or -EBADMSG if it is malformed. */

static int describe_bytes(struct text_buffer *t, const struct frame *frame)
{
	text_add_bytes(t, frame->payload, frame->len);
	return 0;
}

static int describe_hello(struct text_buffer *t, const struct frame *frame)
{
	struct hello hello;
	int err = hello_get(frame, &hello);

	if (err == 0)
		text_add_hello(t, &hello);
	return err;
}

static int describe_hello_reply(struct text_buffer *t, const struct frame *frame)
{
	struct hello_reply reply;
	int err = hello_reply_get(frame, &reply);

	if (err < 0)
		return err;
	text_add_hello(t, &reply.hello);
	text_add(t, ", window %lu, status %u, version ", (unsigned long)reply.window, reply.status);
	text_add_quoted(t, (const uint8_t *)reply.version, strlen(reply.version));
	return 0;
}

static int describe_window(struct text_buffer *t, const struct frame *frame)
{
	uint64_t consumed;
	int err = window_get(frame, &consumed);

	if (err == 0)
		text_add(t, "consumed %llu", (unsigned long long)consumed);
	return err;
}

static int describe_exit(struct text_buffer *t, const struct frame *frame)
{
	struct exit_info info;
	int err = exit_get(frame, &info);

	if (err == 0)
		text_add(t, "code %u, signal %u, received %llu, sent %llu", info.code, info.signal,
			(unsigned long long)info.received, (unsigned long long)info.sent);
	return err;
}

static int describe_reset(struct text_buffer *t, const struct frame *frame)
{
	struct reset_info info;
	int err = reset_get(frame, &info);

	if (err < 0)
		return err;
	text_add(t, "reason %u (%s), nonce 0x%016llx, ", info.reason,
		reset_reason_text(info.reason), (unsigned long long)info.nonce);
	text_add_quoted(t, (const uint8_t *)info.text, strlen(info.text));
	return 0;
}

static void text_add_hex(struct text_buffer *t, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text_add(t, "%02x", bytes[i]);
}

static int describe_challenge(struct text_buffer *t, const struct frame *frame)
{
	struct auth_challenge challenge;
	int err = auth_challenge_get(frame, &challenge);

	if (err < 0)
		return err;
	text_add_hello(t, &challenge.hello);
	text_add(t, ", board's nonce ");
	text_add_hex(t, challenge.nonce, sizeof(challenge.nonce));
	text_add(t, ", tries %u, lane %u, serial ", challenge.tries, challenge.lane);
	text_add_quoted(t, (const uint8_t *)challenge.serial, strlen(challenge.serial));
	return 0;
}

static int describe_response(struct text_buffer *t, const struct frame *frame)
{
	struct auth_response response;
	int err = auth_response_get(frame, &response);

	if (err < 0)
		return err;
	text_add(t, "key ");
	text_add_hex(t, response.key, sizeof(response.key));
	text_add(t, ", signature ");
	text_add_hex(t, response.signature, sizeof(response.signature));
	return 0;
}

static const struct frame_kind {
	const char *name;
	int (*describe)(struct text_buffer *t, const struct frame *frame);
} frame_kinds[] = {
	[0] = {"?", describe_bytes},
	[FRAME_HELLO] = {"HELLO", describe_hello},
	[FRAME_HELLO_REPLY] = {"HELLO_REPLY", describe_hello_reply},
	[FRAME_DATA] = {"DATA", describe_bytes},
	[FRAME_NOTE] = {"NOTE", describe_bytes},
	[FRAME_EOF] = {"EOF", describe_bytes},
	[FRAME_WINDOW] = {"WINDOW", describe_window},
	[FRAME_EXIT] = {"EXIT", describe_exit},
	[FRAME_RESET] = {"RESET", describe_reset},
	[FRAME_PING] = {"PING", describe_bytes},
	[FRAME_PONG] = {"PONG", describe_bytes},
	[FRAME_PAD] = {"PAD", describe_bytes},
	[FRAME_AUTH_CHALLENGE] = {"AUTH_CHALLENGE", describe_challenge},
	[FRAME_AUTH_RESPONSE] = {"AUTH_RESPONSE", describe_response},
};

static const struct frame_kind *frame_kind(unsigned int type)
{
	return &frame_kinds[type < sizeof(frame_kinds) / sizeof(frame_kinds[0]) ? type : 0];
}

const char *frame_name(unsigned int type)
{
	return frame_kind(type)->name;
}

size_t frame_describe(const struct frame *frame, char *text, size_t size)
{
	const struct frame_kind *kind = frame_kind(frame->type);
	struct text_buffer t = {text, 0, size};

	text_add(&t, "%s seq %lu len %u", kind->name, (unsigned long)frame->seq, frame->len);
	if (frame->len == 0)
		return t.len;
	text_add(&t, ": ");
	if (kind->describe(&t, frame) < 0) {
		text_add(&t, "malformed, ");
		text_add_bytes(&t, frame->payload, frame->len);
	}
	return t.len;
}

size_t frame_describe_bytes(const uint8_t *data, size_t len, char *text, size_t size)
{
	struct text_buffer t = {text, 0, size};

	text_add_bytes(&t, data, len);
	return t.len;
}
