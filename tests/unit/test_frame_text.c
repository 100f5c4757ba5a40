// SPDX-License-Identifier: Apache-2.0
// Tests the description of frames: the fields of each type, malformed frames, escaped bytes.
#include "tests/unit/link_test.h"

#include <ctype.h>
#include <string.h>

static void check_text(enum frame_type type, const void *payload, size_t len, const char *expected)
{
	const struct frame frame = {type, (uint16_t)len, 7, payload};
	char text[FRAME_TEXT_MAX];
	size_t written = frame_describe(&frame, text, sizeof(text));

	assert_int_equal(written, strlen(text));
	assert_string_equal(text, expected);
}

static void fields(void **state)
{
	const struct hello hello = {1, 2, 3, 65536, 0x1122334455667788, 15000};
	const struct hello_reply reply = {hello, 262144, 4, "0.1 \"x\""};
	const struct exit_info info = {3, 9, 36, UINT64_MAX};
	const struct reset_info reset = {RESET_LEASE, 1, "too late"};
	const struct reset_info unknown = {99, 0, ""};
	struct auth_challenge challenge = {hello, {0xab}, 6, 1, "b\""};
	struct auth_response response = {{1}, {2}};
	uint8_t p[FRAME_PAYLOAD_MAX];

	check_text(FRAME_HELLO, p, hello_put(p, &hello),
		"HELLO seq 7 len 24: link 1.2, flags 3, buffer 65536, nonce 0x1122334455667788, "
		"lease 15000 ms");
	check_text(FRAME_HELLO_REPLY, p, hello_reply_put(p, &reply),
		"HELLO_REPLY seq 7 len 37: link 1.2, flags 3, buffer 65536, "
		"nonce 0x1122334455667788, lease 15000 ms, window 262144, status 4, "
		"version \"0.1 \\\"x\\\"\"");
	check_text(FRAME_WINDOW, p, window_put(p, 1234567890123),
		"WINDOW seq 7 len 8: consumed 1234567890123");
	check_text(FRAME_EXIT, p, exit_put(p, &info),
		"EXIT seq 7 len 18: code 3, signal 9, received 36, sent 18446744073709551615");
	check_text(FRAME_RESET, p, reset_put(p, &reset),
		"RESET seq 7 len 18: reason 3 (the board heard nothing from the host for the "
		"lease), "
		"nonce 0x0000000000000001, \"too late\"");
	check_text(FRAME_RESET, p, reset_put(p, &unknown),
		"RESET seq 7 len 10: reason 99 (unknown reason), nonce 0x0000000000000000, \"\"");
	check_text(FRAME_EOF, NULL, 0, "EOF seq 7 len 0");
	check_text(FRAME_PING, NULL, 0, "PING seq 7 len 0");
	check_text(FRAME_PAD, "\0\0", 2, "PAD seq 7 len 2: \"\\x00\\x00\"");
	check_text(FRAME_AUTH_CHALLENGE, p, auth_challenge_put(p, &challenge),
		"AUTH_CHALLENGE seq 7 len 60: link 1.2, flags 3, buffer 65536, "
		"nonce 0x1122334455667788, lease 15000 ms, board's nonce "
		"ab00000000000000000000000000000000000000000000000000000000000000, tries 6, "
		"lane 1, serial \"b\\\"\"");
	check_text(FRAME_AUTH_RESPONSE, p, auth_response_put(p, &response),
		"AUTH_RESPONSE seq 7 len 96: key "
		"0100000000000000000000000000000000000000000000000000000000000000, signature "
		"0200000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000");
}

static void data(void **state)
{
	static const char exact[] = "123456789012345678901234567890123456789012345678";

	check_text(FRAME_DATA, "a\n\r\t\"\\\0\033[2J\177\200\377", 14,
		"DATA seq 7 len 14: \"a\\n\\r\\t\\\"\\\\\\x00\\x1b[2J\\x7f\\x80\\xff\"");
	assert_int_equal(strlen(exact), FRAME_TEXT_BYTES);
	check_text(FRAME_NOTE, exact, sizeof(exact) - 1,
		"NOTE seq 7 len 48: \"123456789012345678901234567890123456789012345678\"");
	check_text(FRAME_NOTE, exact, sizeof(exact),
		"NOTE seq 7 len 49: \"123456789012345678901234567890123456789012345678\"...");
}

/* The description of any type, length and byte is one printable line that fits the buffer. */
static void hostile(void **state)
{
	static uint8_t payload[65000];
	char text[FRAME_TEXT_MAX], small[16];
	size_t lengths[] = {0, 1, 7, 8, 10, 17, 18, 23, 24, 29, 30, 31, 58, 96, 184, 185, 284, 285,
		286, 65000},
	       len;

	for (unsigned int type = 0; type <= UINT8_MAX; type++) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			const struct frame frame = {
				(enum frame_type)type, (uint16_t)lengths[i], UINT32_MAX, payload};

			for (size_t j = 0; j < sizeof(payload); j++)
				payload[j] = (uint8_t)(j * 31 + type);
			if (type % 2)
				memcpy(payload, "BPFD", 4);
			len = frame_describe(&frame, text, sizeof(text));
			assert_true(len + 1 < sizeof(text));
			for (size_t j = 0; j < len; j++)
				assert_true(isascii(text[j]) && isprint(text[j]));
			assert_int_equal(frame_describe(&frame, small, sizeof(small)), 15);
		}
	}
	len = frame_describe_bytes(payload, sizeof(payload), text, BYTES_TEXT_MAX);
	assert_true(len < BYTES_TEXT_MAX && text[len] == '\0');
}

static void malformed(void **state)
{
	check_text(FRAME_HELLO, "BPFD", 4, "HELLO seq 7 len 4: malformed, \"BPFD\"");
	check_text(FRAME_HELLO_REPLY, "x", 1, "HELLO_REPLY seq 7 len 1: malformed, \"x\"");
	check_text(FRAME_WINDOW, "123456789", 9, "WINDOW seq 7 len 9: malformed, \"123456789\"");
	check_text(FRAME_EXIT, "1", 1, "EXIT seq 7 len 1: malformed, \"1\"");
	check_text(
		FRAME_AUTH_CHALLENGE, "abc", 3, "AUTH_CHALLENGE seq 7 len 3: malformed, \"abc\"");
	check_text(FRAME_AUTH_RESPONSE, "k", 1, "AUTH_RESPONSE seq 7 len 1: malformed, \"k\"");
	check_text(FRAME_RESET, "\033", 1, "RESET seq 7 len 1: malformed, \"\\x1b\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(data),
		cmocka_unit_test(hostile),
		cmocka_unit_test(malformed),
	};

	return cmocka_run_group_tests_name("frame_text", tests, NULL, NULL);
}
