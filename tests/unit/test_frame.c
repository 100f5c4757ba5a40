// SPDX-License-Identifier: Apache-2.0
// Tests the frames of the link: layout, round trips, and malformed frames.
#include "tests/unit/link_test.h"

#include <errno.h>

#define SEQ 0x89abcdefu

static const struct hello hello_sample = {
	.major = 0x11,
	.minor = 0x22,
	.flags = 0x3344,
	.max_transfer = 0x55667788,
	.nonce = 0x99aabbccddeeff01,
	.lease_ms = 0x12345678,
};

static const uint8_t hello_bytes[] = {
	'B', 'P', 'F', 'D', 0x11, 0x22, 0x44, 0x33,	/* magic, major, minor, flags */
	0x88, 0x77, 0x66, 0x55,				/* max transfer */
	0x01, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, /* nonce */
	0x78, 0x56, 0x34, 0x12,				/* lease */
};

/* Takes the only frame of w. */
static struct frame only_frame(const struct wire *w)
{
	struct frame frame;
	size_t offset = 0;

	assert_int_equal(frame_next(w->bytes, w->len, &offset, &frame), 1);
	assert_int_equal(offset, w->len);
	assert_int_equal(frame_next(w->bytes, w->len, &offset, &frame), 0);
	return frame;
}

static void header_layout(void **state)
{
	static const uint8_t bytes[] = {3, 0, 0x34, 0x12, 0xef, 0xcd, 0xab, 0x89};
	uint8_t header[FRAME_HEADER];

	frame_put_header(header, FRAME_DATA, 0x1234, SEQ);
	assert_memory_equal(header, bytes, sizeof(bytes));
}

static void type_numbers(void **state)
{
	static const char *const names[] = {"?", "HELLO", "HELLO_REPLY", "DATA", "NOTE", "EOF",
		"WINDOW", "EXIT", "RESET", "PING", "PONG", "PAD", "AUTH_CHALLENGE", "AUTH_RESPONSE",
		"?"};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(frame_name(i), names[i]);
	assert_string_equal(frame_name(255), "?");
	assert_string_equal(frame_name(UINT32_MAX), "?");
}

static void reset_reasons(void **state)
{
	for (unsigned int i = RESET_PROTOCOL; i <= RESET_AUTH; i++)
		assert_string_not_equal(reset_reason_text(i), "unknown reason");
	assert_string_equal(reset_reason_text(0), "unknown reason");
	assert_string_equal(reset_reason_text(RESET_AUTH + 1), "unknown reason");
	assert_string_equal(reset_reason_text(UINT16_MAX), "unknown reason");
}

static void every_type_round_trip(void **state)
{
	static const uint8_t payload[] = "0123456789";
	static struct wire w;

	for (unsigned int type = FRAME_HELLO; type <= FRAME_AUTH_RESPONSE; type++)
		for (size_t len = 0; len <= sizeof(payload); len++) {
			struct frame frame;

			w.seq = SEQ + type;
			wire_only(&w, (enum frame_type)type, payload, len);
			frame = only_frame(&w);
			assert_int_equal(frame.type, type);
			assert_int_equal(frame.len, len);
			assert_int_equal(frame.seq, SEQ + type);
			assert_ptr_equal(frame.payload, w.bytes + FRAME_HEADER);
			assert_memory_equal(frame.payload, payload, len);
		}
}

static void longest_payload(void **state)
{
	static struct wire w;
	static uint8_t payload[UINT16_MAX - FRAME_HEADER];
	struct frame frame;

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	wire_only(&w, FRAME_DATA, payload, sizeof(payload));
	frame = only_frame(&w);
	assert_int_equal(frame.len, sizeof(payload));
	assert_memory_equal(frame.payload, payload, sizeof(payload));
}

static void several_frames_a_transfer(void **state)
{
	static struct wire w;
	size_t offset = 0;

	wire_only(&w, FRAME_PING, NULL, 0);
	wire_add(&w, FRAME_DATA, "abc", 3);
	wire_add(&w, FRAME_PAD, NULL, 0);
	wire_add(&w, FRAME_EOF, NULL, 0);
	assert_int_equal(wire_expect(w.bytes, w.len, &offset, FRAME_PING).seq, 0);
	assert_memory_equal(wire_expect(w.bytes, w.len, &offset, FRAME_DATA).payload, "abc", 3);
	assert_int_equal(wire_expect(w.bytes, w.len, &offset, FRAME_PAD).seq, 2);
	assert_int_equal(wire_expect(w.bytes, w.len, &offset, FRAME_EOF).seq, 3);
	assert_int_equal(offset, w.len);
}

/* The copies have the exact length, so that ASan reports a read beyond it. */
static void cut_at_every_byte(void **state)
{
	static struct wire w;
	struct frame frame;
	size_t first;

	wire_only(&w, FRAME_NOTE, "twelve bytes", 12);
	first = w.len;
	wire_add(&w, FRAME_DATA, "and twenty of another", 21);
	for (size_t len = 0; len <= w.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		size_t offset = 0;
		int frames = 0, n;

		assert_non_null(copy);
		memcpy(copy, w.bytes, len);
		while ((n = frame_next(copy, len, &offset, &frame)) == 1)
			frames++;
		assert_int_equal(frames, len == w.len ? 2 : len >= first ? 1 : 0);
		assert_int_equal(n, len == 0 || len == first || len == w.len ? 0 : -EBADMSG);
		free(copy);
	}
}

static void every_value_of_every_header_byte(void **state)
{
	static struct wire w;
	struct frame frame;

	for (size_t at = 0; at < FRAME_HEADER; at++)
		for (unsigned int value = 0; value < 256; value++) {
			size_t offset = 0;
			int expected = 1;

			w.seq = SEQ;
			wire_only(&w, FRAME_DATA, "abc", 3);
			w.bytes[at] = (uint8_t)value;
			if ((at == 0 && (value < 1 || value > 13)) || (at == 1 && value != 0) ||
				(at == 2 && value > 3) || (at == 3 && value != 0))
				expected = -EBADMSG;
			assert_int_equal(frame_next(w.bytes, w.len, &offset, &frame), expected);
			if (expected < 0)
				assert_int_equal(offset, 0);
			else if (at >= 4)
				assert_int_equal(
					frame.seq == SEQ, value == (SEQ >> (8 * (at - 4)) & 0xff));
		}
}

static void hello_round_trip(void **state)
{
	static struct wire w;
	struct frame frame;
	struct hello got;

	wire_hello(&w, &hello_sample);
	assert_int_equal(w.len, FRAME_HEADER + sizeof(hello_bytes));
	assert_memory_equal(w.bytes + FRAME_HEADER, hello_bytes, sizeof(hello_bytes));
	frame = only_frame(&w);
	assert_int_equal(hello_get(&frame, &got), 0);
	assert_int_equal(got.major, hello_sample.major);
	assert_int_equal(got.minor, hello_sample.minor);
	assert_int_equal(got.flags, hello_sample.flags);
	assert_int_equal(got.max_transfer, hello_sample.max_transfer);
	assert_true(got.nonce == hello_sample.nonce);
	assert_int_equal(got.lease_ms, hello_sample.lease_ms);
}

/* A later version may append fields, but must not remove fields or change the magic. */
static void hello_longer_shorter_and_foreign(void **state)
{
	static uint8_t payload[64];
	struct frame frame = {.type = FRAME_HELLO, .payload = payload};
	struct hello got;

	memcpy(payload, hello_bytes, sizeof(hello_bytes));
	for (size_t len = 0; len <= sizeof(payload); len++) {
		frame.len = (uint16_t)len;
		assert_int_equal(hello_get(&frame, &got), len < sizeof(hello_bytes) ? -EBADMSG : 0);
	}
	for (size_t i = 0; i < 4; i++) {
		payload[i] ^= 0x20;
		assert_int_equal(hello_get(&frame, &got), -EBADMSG);
		payload[i] ^= 0x20;
	}
}

static void hello_reply_round_trip(void **state)
{
	static const uint8_t tail[] = {0x78, 0x56, 0x34, 0x12, 0xcd, 0xab, '1', '.', '2'};
	struct hello_reply reply = {
		.hello = hello_sample,
		.window = 0x12345678,
		.status = 0xabcd,
		.version = "1.2",
	};
	struct hello_reply got;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame frame = {.type = FRAME_HELLO_REPLY, .payload = payload};
	size_t len = hello_reply_put(payload, &reply);

	assert_int_equal(len, sizeof(hello_bytes) + sizeof(tail));
	assert_memory_equal(payload, hello_bytes, sizeof(hello_bytes));
	assert_memory_equal(payload + sizeof(hello_bytes), tail, sizeof(tail));
	for (size_t cut = 0; cut <= len; cut++) {
		frame.len = (uint16_t)cut;
		assert_int_equal(hello_reply_get(&frame, &got), cut < 30 ? -EBADMSG : 0);
		if (cut >= 30) {
			assert_true(got.hello.nonce == hello_sample.nonce);
			assert_int_equal(got.window, reply.window);
			assert_int_equal(got.status, reply.status);
			assert_int_equal(strlen(got.version), cut - 30);
		}
	}
	assert_string_equal(got.version, "1.2");
	payload[0] = 'X';
	assert_int_equal(hello_reply_get(&frame, &got), -EBADMSG);
}

static void text_is_bounded_and_printable(void **state)
{
	static uint8_t payload[30 + 4 * LINK_TEXT_MAX];
	struct frame frame = {.payload = payload};
	struct hello_reply reply = {.hello = hello_sample}, got;

	memset(reply.version, 'v', LINK_TEXT_MAX);
	frame.len = (uint16_t)hello_reply_put(payload, &reply);
	assert_int_equal(frame.len, 30 + LINK_TEXT_MAX);
	assert_true(frame.len <= FRAME_PAYLOAD_MAX);
	assert_int_equal(hello_reply_get(&frame, &got), 0);
	assert_string_equal(got.version, reply.version);

	for (size_t i = 0; i < 256; i++)
		payload[30 + i] = (uint8_t)(255 - i);
	frame.len = sizeof(payload);
	assert_int_equal(hello_reply_get(&frame, &got), 0);
	assert_int_equal(strlen(got.version), LINK_TEXT_MAX);
	for (size_t i = 0; i < LINK_TEXT_MAX; i++) {
		unsigned int c = 255 - (unsigned int)i;

		assert_int_equal(got.version[i], c >= 0x20 && c < 0x7f ? (int)c : '?');
	}
}

static void window_round_trip(void **state)
{
	static const uint8_t bytes[] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame frame = {.payload = payload};
	uint64_t consumed;

	assert_int_equal(window_put(payload, 0x0123456789abcdef), sizeof(bytes));
	assert_memory_equal(payload, bytes, sizeof(bytes));
	for (uint16_t len = 0; len < 16; len++) {
		frame.len = len;
		assert_int_equal(window_get(&frame, &consumed), len == 8 ? 0 : -EBADMSG);
	}
	assert_true(consumed == 0x0123456789abcdef);
}

static void exit_round_trip(void **state)
{
	static const uint8_t bytes[] = {
		3, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0xf8, 0xf7, 0xf6, 0xf5, 0xf4, 0xf3, 0xf2, 0xf1};
	struct exit_info info = {
		.code = 3,
		.signal = 9,
		.received = 0x0102030405060708,
		.sent = 0xf1f2f3f4f5f6f7f8,
	};
	struct exit_info got = {.code = 0};
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame frame = {.payload = payload};

	assert_int_equal(exit_put(payload, &info), sizeof(bytes));
	assert_memory_equal(payload, bytes, sizeof(bytes));
	for (uint16_t len = 0; len < 32; len++) {
		frame.len = len;
		assert_int_equal(exit_get(&frame, &got), len == sizeof(bytes) ? 0 : -EBADMSG);
	}
	assert_int_equal(got.code, 3);
	assert_int_equal(got.signal, 9);
	assert_true(got.received == info.received);
	assert_true(got.sent == info.sent);
}

static void reset_round_trip(void **state)
{
	static const uint8_t bytes[] = {0x02, 0x01, 8, 7, 6, 5, 4, 3, 2, 1, 'b', 'y', 'e'};
	struct reset_info info = {
		.reason = 0x0102,
		.nonce = 0x0102030405060708,
		.text = "bye",
	};
	struct reset_info got;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame frame = {.payload = payload};
	size_t len = reset_put(payload, &info);

	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(payload, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= len; cut++) {
		frame.len = (uint16_t)cut;
		assert_int_equal(reset_get(&frame, &got), cut < 10 ? -EBADMSG : 0);
	}
	assert_int_equal(got.reason, info.reason);
	assert_true(got.nonce == info.nonce);
	assert_string_equal(got.text, "bye");
}

/* Random bytes, every other time with a header that is almost right: no read outside, which ASan
 * would report, and no frame that ends outside the transfer. */
static void random_bytes(void **state)
{
	uint64_t seed = random_seed();

	for (int round = 0; round < 20000; round++) {
		size_t len = random_below(&seed, 80), offset = 0;
		uint8_t *bytes = malloc(len ? len : 1);
		struct frame frame;
		struct hello_reply reply;
		struct reset_info reset;

		assert_non_null(bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)random_next(&seed);
		if (len >= FRAME_HEADER && (round & 1))
			frame_put_header(bytes, (enum frame_type)random_below(&seed, 15),
				random_below(&seed, len), 0);
		while (frame_next(bytes, len, &offset, &frame) == 1) {
			assert_true(frame.payload + frame.len == bytes + offset);
			assert_true(offset <= len);
			hello_reply_get(&frame, &reply);
			reset_get(&frame, &reset);
		}
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_layout),
		cmocka_unit_test(type_numbers),
		cmocka_unit_test(reset_reasons),
		cmocka_unit_test(every_type_round_trip),
		cmocka_unit_test(longest_payload),
		cmocka_unit_test(several_frames_a_transfer),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(every_value_of_every_header_byte),
		cmocka_unit_test(hello_round_trip),
		cmocka_unit_test(hello_longer_shorter_and_foreign),
		cmocka_unit_test(hello_reply_round_trip),
		cmocka_unit_test(text_is_bounded_and_printable),
		cmocka_unit_test(window_round_trip),
		cmocka_unit_test(exit_round_trip),
		cmocka_unit_test(reset_round_trip),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
