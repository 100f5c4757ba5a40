// SPDX-License-Identifier: Apache-2.0
// Tests the key check of the link: both ends together, and each end against wrong frames.
#include "tests/unit/auth_test.h"

static void right_key(void **state)
{
	struct fixture *f = *state;
	const struct auth_challenge *challenge = host_session_challenge(f->host);

	ask(f, NONCE);
	assert_int_equal(challenge->tries, AUTH_TRIES);
	assert_int_equal(challenge->lane, 1);
	assert_string_equal(challenge->serial, "bench-7");
	assert_int_equal(challenge->hello.minor, LINK_MINOR);
	assert_int_equal(answer(f, &f->known), BOARD_START);
	assert_true(board_session_is_open(f->board));
	assert_int_equal(board_to_host(f, 0), HOST_OPENED);
	assert_true(host_session_is_open(f->host));
	/* Bytes pass, and the frame numbers continue. */
	host_session_begin(f->host, &f->t, f->buffer);
	assert_true(host_session_room(f->host, &f->t) > 1000);
	memcpy(link_payload(&f->t), "in", 2);
	host_session_put(f->host, &f->t, 2);
	assert_int_equal(
		board_session_receive(f->board, f->buffer, host_session_finish(f->host, &f->t), 0),
		BOARD_NOTHING);
	assert_int_equal(board_session_received(f->board), 2);
	board_session_exit(f->board, 0, 0);
	board_session_discard_input(f->board);
	assert_int_equal(board_to_host(f, 0), HOST_EXIT);
}

static void no_key_is_asked_for(void **state)
{
	struct fixture *f = *state;

	f->asked = 0;
	host_session_open(f->host, NONCE, 0);
	assert_int_equal(host_to_board(f, 0), BOARD_START);
	assert_int_equal(board_to_host(f, 0), HOST_OPENED);
	assert_int_equal(f->checks, 0);
}

static void every_host_is_refused(void **state)
{
	struct fixture *f = *state;

	f->asked = -EACCES;
	host_session_open(f->host, NONCE, 0);
	assert_int_equal(host_to_board(f, 0), BOARD_NOTHING);
	assert_int_equal(board_to_host(f, 0), HOST_RESET);
	assert_int_equal(f->event.reset.reason, RESET_START);
	assert_string_equal(f->event.reset.text, "no randomness");
}

/* After refused keys the gate lets the board wait before it asks. */
static void late_challenge(void **state)
{
	struct fixture *f = *state;

	f->wait_ms = 500;
	host_session_open(f->host, NONCE, 0);
	assert_int_equal(host_to_board(f, 1000), BOARD_NOTHING);
	assert_false(board_session_pending(f->board));
	assert_int_equal(board_session_deadline(f->board), 1500);
	assert_int_equal(board_session_tick(f->board, 1499), BOARD_NOTHING);
	assert_false(board_session_pending(f->board));
	assert_int_equal(board_session_tick(f->board, 1500), BOARD_NOTHING);
	assert_int_equal(board_to_host(f, 1500), HOST_ASKED);
	assert_int_equal(board_session_deadline(f->board), 1500 + AUTH_MS);
	f->wait_ms = 0;
	assert_int_equal(answer(f, &f->known), BOARD_START);
}

/* What ends the session during the wait ends the wait. */
static void ended_wait(void **state)
{
	static const uint8_t response[AUTH_KEY_SIZE + AUTH_SIGNATURE_SIZE];
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE + 1);

	f->wait_ms = 500;
	host_session_open(f->host, NONCE, 0);
	host_to_board(f, 0);
	wire_hello(&f->w, &hello); /* another HELLO waits anew */
	board_session_receive(f->board, f->w.bytes, f->w.len, 200);
	assert_int_equal(board_session_deadline(f->board), 700);
	board_session_drop(f->board);
	assert_true(board_session_deadline(f->board) == UINT64_MAX);
	assert_false(board_session_pending(f->board));

	wire_hello(&f->w, &hello);
	board_session_receive(f->board, f->w.bytes, f->w.len, 1000);
	assert_int_equal(
		board_gets(f, FRAME_AUTH_RESPONSE, response, sizeof(response)), BOARD_STOP);
	expect_reset(f, RESET_PROTOCOL, "frame out of place: the board waits for a key");
	assert_int_equal(f->checks, 0);
}

static void wrong_keys(void **state)
{
	struct fixture *f = *state;

	ask(f, NONCE);
	for (int tries = AUTH_TRIES - 1; tries > 0; tries--) {
		assert_int_equal(answer(f, &f->unknown), BOARD_NOTHING);
		assert_int_equal(board_to_host(f, 0), HOST_ASKED);
		assert_int_equal(host_session_challenge(f->host)->tries, tries);
	}
	assert_int_equal(answer(f, &f->unknown), BOARD_STOP);
	assert_int_equal(board_to_host(f, 0), HOST_RESET);
	assert_int_equal(f->event.reset.reason, RESET_AUTH);
	assert_int_equal(f->checks, AUTH_TRIES);
	assert_false(host_session_pending(f->host));
	assert_false(board_session_pending(f->board));
}

static void second_key_is_right(void **state)
{
	struct fixture *f = *state;

	ask(f, NONCE);
	assert_int_equal(answer(f, &f->unknown), BOARD_NOTHING);
	assert_int_equal(board_to_host(f, 0), HOST_ASKED);
	assert_int_equal(answer(f, &f->known), BOARD_START);
	assert_int_equal(board_to_host(f, 0), HOST_OPENED);
}

/* A known key whose signature is of a message with one bit flipped. */
static void signature_of_something_else(void **state)
{
	struct fixture *f = *state;
	uint8_t message[AUTH_MESSAGE_MAX];
	size_t len, bits;

	ask(f, NONCE);
	len = host_session_message(f->host, f->known.public, message);
	assert_int_equal(len, 24 + 24 + 32 + 58 + strlen("bench-7"));
	memcpy(f->response.key, f->known.public, AUTH_KEY_SIZE);
	for (bits = 0; bits < 8 * len; bits++) {
		message[bits / 8] ^= (uint8_t)(1 << bits % 8);
		ssh_sign(f->known.secret, message, len, f->response.signature);
		message[bits / 8] ^= (uint8_t)(1 << bits % 8);
		assert_false(ssh_verify(&f->response, message, len));
	}
	/* The message itself is signed, without the data of PROTOCOL.sshsig around it. */
	crypto_sign_detached(f->response.signature, NULL, message, len, f->known.secret);
	host_session_answer(f->host, &f->response, 0);
	assert_int_equal(host_to_board(f, 0), BOARD_NOTHING);
	assert_int_equal(board_to_host(f, 0), HOST_ASKED);
}

static void every_bit_of_a_response(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[96];
	size_t len;

	ask(f, NONCE);
	sign(f, &f->known);
	len = auth_response_put(payload, &f->response);
	assert_int_equal(len, sizeof(payload));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		hello_by_hand(f, NONCE);
		payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, len), BOARD_NOTHING);
		assert_false(board_session_is_open(f->board));
		payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* A recorded response opens no session: neither after a HELLO with the same nonce, nor as the
 * answer to another challenge. */
static void replay(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct hello hello = wire_hello_default(NONCE);
	size_t len;

	ask(f, NONCE);
	assert_int_equal(answer(f, &f->known), BOARD_START);
	len = auth_response_put(payload, &f->response);
	hello.lease_ms = 0;
	for (int again = 0; again < 3; again++) {
		wire_hello(&f->w, &hello);
		/* HELLO ends the session that was open or that waited for a key. */
		assert_int_equal(
			board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_STOP);
		board_session_begin(f->board, &f->t, f->buffer);
		board_session_finish(f->board, &f->t);
		f->w.seq = 1;
		assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, len), BOARD_NOTHING);
		assert_false(board_session_is_open(f->board));
	}
	/* Check of the test itself: with the board's old nonce the response is right. */
	f->random = 0;
	hello.max_transfer = MAX_TRANSFER;
	wire_hello(&f->w, &hello);
	board_session_receive(f->board, f->w.bytes, f->w.len, 0);
	board_session_begin(f->board, &f->t, f->buffer);
	board_session_finish(f->board, &f->t);
	assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, len), BOARD_START);
}

/* The response signs the challenge of another board, lane, nonce or version. */
static void response_to_another_challenge(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX], message[AUTH_MESSAGE_MAX];
	struct hello hello = wire_hello_default(NONCE);

	for (int what = 0; what < 7; what++) {
		struct auth_challenge challenge = {.hello = wire_hello_default(NONCE),
			.tries = AUTH_TRIES,
			.lane = 1,
			.serial = "bench-7"};
		struct hello signed_hello = hello;
		size_t len;

		challenge.hello.max_transfer = MAX_TRANSFER;
		f->random = 7;
		memset(challenge.nonce, 7, sizeof(challenge.nonce));
		hello_by_hand(f, NONCE);
		if (what == 1)
			strcpy(challenge.serial, "bench-8");
		else if (what == 2)
			challenge.lane = 0;
		else if (what == 3)
			challenge.nonce[31] ^= 1;
		else if (what == 4)
			signed_hello.nonce ^= 1;
		else if (what == 5)
			signed_hello.minor++;
		else if (what == 6)
			challenge.hello.minor++;
		memcpy(f->response.key, f->known.public, AUTH_KEY_SIZE);
		len = auth_message(message, &signed_hello, &challenge, f->known.public);
		ssh_sign(f->known.secret, message, len, f->response.signature);
		assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload,
					 auth_response_put(payload, &f->response)),
			what == 0 ? BOARD_START : BOARD_NOTHING);
	}
}

/* Before the key check any other frame ends the session, except PAD; RESET gets no answer. */
static void other_frames_before_the_key(void **state)
{
	static const enum frame_type types[] = {FRAME_DATA, FRAME_EOF, FRAME_PING, FRAME_NOTE,
		FRAME_WINDOW, FRAME_EXIT, FRAME_PONG, FRAME_HELLO_REPLY, FRAME_AUTH_CHALLENGE};
	struct fixture *f = *state;
	size_t len;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		hello_by_hand(f, NONCE + i);
		assert_int_equal(board_gets(f, types[i], "12345678", 8), BOARD_STOP);
		expect_reset(f, RESET_PROTOCOL, "frame out of place: the board waits for a key");
		assert_null(board_session_input(f->board, &len));
		assert_int_equal(board_session_received(f->board), 0);
	}
	assert_int_equal(f->checks, 0);
	hello_by_hand(f, NONCE);
	assert_int_equal(board_gets(f, FRAME_PAD, NULL, 0), BOARD_NOTHING);
	assert_false(board_session_pending(f->board));
	assert_int_equal(board_gets(f, FRAME_RESET, "x", 1), BOARD_STOP);
	assert_false(board_session_pending(f->board));
}

/* A response in the transfer of HELLO is too early, because no challenge was sent yet. Frames that
 * follow a right response in its transfer belong to the open session. */
static void frames_after_hello_and_after_a_response(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);
	uint8_t payload[FRAME_PAYLOAD_MAX];
	size_t len;

	ask(f, NONCE);
	sign(f, &f->known);
	len = auth_response_put(payload, &f->response);
	wire_hello(&f->w, &hello);
	wire_add(&f->w, FRAME_AUTH_RESPONSE, payload, len);
	assert_int_equal(board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_STOP);
	expect_reset(f, RESET_PROTOCOL, "frame out of place: the board waits for a key");

	ask(f, NONCE);
	sign(f, &f->known);
	len = auth_response_put(payload, &f->response);
	f->w.seq = 1;
	wire_only(&f->w, FRAME_AUTH_RESPONSE, payload, len);
	wire_add(&f->w, FRAME_DATA, "abc", 3);
	wire_add(&f->w, FRAME_EOF, NULL, 0);
	assert_int_equal(board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_START);
	assert_int_equal(board_session_received(f->board), 3);

	ask(f, NONCE);
	sign(f, &f->unknown);
	len = auth_response_put(payload, &f->response);
	f->w.seq = 1;
	wire_only(&f->w, FRAME_AUTH_RESPONSE, payload, len);
	wire_add(&f->w, FRAME_DATA, "abc", 3);
	assert_int_equal(board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_STOP);
	assert_int_equal(board_session_received(f->board), 0);
	expect_reset(f, RESET_PROTOCOL, "frame out of place: the board waits for a key");
}

/* A second response without a second challenge, a response before HELLO, and a response in an open
 * session. */
static void response_out_of_place(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	size_t len;

	ask(f, NONCE);
	assert_int_equal(answer(f, &f->unknown), BOARD_NOTHING);
	sign(f, &f->known);
	len = auth_response_put(payload, &f->response);
	f->w.seq = 2;
	assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, len), BOARD_STOP);
	expect_reset(f, RESET_PROTOCOL, "frame out of place: the board waits for a key");
	assert_int_equal(f->checks, 1);

	board_session_drop(f->board);
	assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, len), BOARD_NOTHING);
	expect_reset(f, RESET_NO_SESSION, "frame before HELLO");
	assert_int_equal(f->checks, 1);

	ask(f, NONCE);
	assert_int_equal(answer(f, &f->known), BOARD_START);
	assert_int_equal(board_to_host(f, 0), HOST_OPENED);
	f->w.seq = 2;
	assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, len), BOARD_STOP);
	expect_reset(f, RESET_PROTOCOL, "frame out of place");
	assert_int_equal(f->checks, 2);
}

static void responses_of_every_length(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX] = {0};
	size_t len;

	for (len = 0; len <= 200; len++) {
		if (len == 96)
			continue;
		hello_by_hand(f, NONCE);
		assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, len), BOARD_STOP);
		expect_reset(f, RESET_PROTOCOL, "malformed AUTH_RESPONSE");
	}
	/* The transfer is cut. */
	ask(f, NONCE);
	sign(f, &f->known);
	auth_response_put(payload, &f->response);
	for (len = 1; len < FRAME_HEADER + 96; len++) {
		hello_by_hand(f, NONCE);
		wire_only(&f->w, FRAME_AUTH_RESPONSE, payload, 96);
		assert_int_equal(board_session_receive(f->board, f->w.bytes, len, 0), BOARD_STOP);
		expect_reset(f, RESET_PROTOCOL, "malformed frame");
	}
	assert_int_equal(f->checks, 0);
}

static void gap_before_the_response(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[96] = {0};

	hello_by_hand(f, NONCE);
	f->w.seq = 2;
	assert_int_equal(board_gets(f, FRAME_AUTH_RESPONSE, payload, 96), BOARD_STOP);
	expect_reset(f, RESET_PROTOCOL, "gap in the frame numbers");
}

static void no_answer(void **state)
{
	struct fixture *f = *state;

	ask(f, NONCE);
	assert_true(board_session_deadline(f->board) == AUTH_MS);
	assert_int_equal(board_session_tick(f->board, AUTH_MS - 1), BOARD_NOTHING);
	assert_int_equal(board_session_tick(f->board, AUTH_MS), BOARD_STOP);
	expect_reset(f, RESET_AUTH, "the host did not answer in time");
	/* The host waits for its user without a limit, then for the board no longer than the
	 * lease. */
	assert_true(host_session_deadline(f->host) == UINT64_MAX);
	assert_int_equal(host_session_tick(f->host, 10 * LEASE_MS), HOST_TICK_NOTHING);
	sign(f, &f->known);
	host_session_answer(f->host, &f->response, 10 * LEASE_MS);
	assert_true(host_session_deadline(f->host) == 11 * LEASE_MS);
	assert_int_equal(host_session_tick(f->host, 11 * LEASE_MS - 1), HOST_TICK_NOTHING);
	assert_int_equal(host_session_tick(f->host, 11 * LEASE_MS), HOST_TICK_DEAD);
}

static void ended_while_the_board_waits_for_a_key(void **state)
{
	struct fixture *f = *state;

	ask(f, NONCE);
	board_session_end(f->board, RESET_SHUTDOWN, NULL);
	expect_reset(f, RESET_SHUTDOWN, "");
	ask(f, NONCE + 1);
	assert_int_equal(board_session_drop(f->board), BOARD_STOP);
	assert_false(board_session_pending(f->board));
	ask(f, NONCE + 2);
	host_session_close(f->host);
	assert_int_equal(host_to_board(f, 0), BOARD_STOP);
	assert_false(board_session_pending(f->board));
	sign(f, &f->known);
	host_session_answer(f->host, &f->response, 0); /* too late */
	assert_false(host_session_pending(f->host));
}

static void old_host(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE);

	hello.minor = 0;
	wire_hello(&f->w, &hello);
	assert_int_equal(board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_NOTHING);
	expect_reset(f, RESET_VERSION, "the board asks for a key, which needs a newer bpfd-usb");
	f->asked = 0;
	wire_hello(&f->w, &hello);
	assert_int_equal(board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_START);
}

/* An open session ends when another host sends HELLO, before that host has shown a key. */
static void hello_ends_an_open_session(void **state)
{
	struct fixture *f = *state;
	struct hello hello = wire_hello_default(NONCE + 1);

	ask(f, NONCE);
	assert_int_equal(answer(f, &f->known), BOARD_START);
	wire_hello(&f->w, &hello);
	assert_int_equal(board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_STOP);
	assert_false(board_session_is_open(f->board));
}

/* The host's end. */

static size_t put_challenge(struct auth_challenge *challenge, uint8_t *payload)
{
	*challenge = (struct auth_challenge){.hello = wire_hello_default(NONCE), .tries = 3};
	strcpy(challenge->serial, "s");
	return auth_challenge_put(payload, challenge);
}

static void host_says_hello(struct fixture *f)
{
	host_session_open(f->host, NONCE, 0);
	host_session_begin(f->host, &f->t, f->buffer);
	host_session_finish(f->host, &f->t);
	f->w.seq = 0;
}

static void broken(struct fixture *f, const char *text)
{
	assert_int_equal(f->event.type, HOST_BROKEN);
	assert_string_equal(f->event.reset.text, text);
}

static void challenges_of_every_length(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct auth_challenge challenge;

	for (size_t len = 0; len <= 250; len++) {
		memset(payload, 'x', sizeof(payload));
		put_challenge(&challenge, payload);
		host_says_hello(f);
		assert_int_equal(host_gets(f, FRAME_AUTH_CHALLENGE, payload, len),
			len >= 58 && len <= 58 + LINK_SERIAL_MAX ? HOST_ASKED : HOST_NONE);
	}
}

static void wrong_challenges(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct auth_challenge challenge;

	for (int what = 0; what < 5; what++) {
		put_challenge(&challenge, payload);
		host_says_hello(f);
		if (what == 0)
			challenge.hello.nonce++;
		else if (what == 1)
			challenge.hello.major++;
		else if (what == 2)
			challenge.hello.max_transfer = TRANSFER_MIN - 1;
		else if (what == 3)
			challenge.tries = 0;
		else
			f->w.seq = 1;
		host_gets(
			f, FRAME_AUTH_CHALLENGE, payload, auth_challenge_put(payload, &challenge));
		if (what == 0)
			assert_int_equal(f->event.type, HOST_NONE); /* of an older session */
		else
			broken(f, "malformed AUTH_CHALLENGE");
	}
}

/* The board sends frames before the host has answered. */
static void frames_before_the_answer(void **state)
{
	static const enum frame_type types[] = {FRAME_DATA, FRAME_NOTE, FRAME_WINDOW, FRAME_EXIT,
		FRAME_PONG, FRAME_HELLO, FRAME_EOF, FRAME_AUTH_RESPONSE};
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct auth_challenge challenge;
	struct hello_reply reply = {.hello = wire_hello_default(NONCE), .window = 1};

	for (size_t i = 0; i < 2 + sizeof(types) / sizeof(types[0]); i++) {
		size_t len = put_challenge(&challenge, payload);

		host_says_hello(f);
		assert_int_equal(host_gets(f, FRAME_AUTH_CHALLENGE, payload, len), HOST_ASKED);
		if (i == 0)
			host_gets(f, FRAME_AUTH_CHALLENGE, payload, len);
		else if (i == 1)
			host_gets(f, FRAME_HELLO_REPLY, payload, hello_reply_put(payload, &reply));
		else
			host_gets(f, types[i - 2], "12345678", 8);
		broken(f, "frame out of place: the board had asked for a key");
	}
	put_challenge(&challenge, payload);
	host_says_hello(f);
	host_gets(f, FRAME_AUTH_CHALLENGE, payload, 59);
	f->w.seq = 2;
	host_gets(f, FRAME_PAD, NULL, 0);
	broken(f, "gap in the frame numbers");
}

/* After the board has sent this session's nonce, frames of another session are errors. */
static void foreign_answers(void **state)
{
	struct fixture *f = *state;
	uint8_t payload[FRAME_PAYLOAD_MAX];
	struct auth_challenge challenge;
	struct hello_reply reply = {.hello = wire_hello_default(NONCE + 1), .window = 1};

	for (int i = 0; i < 3; i++) {
		size_t len = put_challenge(&challenge, payload);

		host_says_hello(f);
		assert_int_equal(host_gets(f, FRAME_AUTH_CHALLENGE, payload, len), HOST_ASKED);
		host_session_answer(f->host, &f->response, 0);
		host_session_begin(f->host, &f->t, f->buffer);
		host_session_finish(f->host, &f->t);
		challenge.hello.nonce++;
		if (i == 0)
			host_gets(f, FRAME_AUTH_CHALLENGE, payload,
				auth_challenge_put(payload, &challenge));
		else if (i == 1)
			host_gets(f, FRAME_HELLO_REPLY, payload, hello_reply_put(payload, &reply));
		else
			host_gets(f, FRAME_RESET, "x", 1);
		broken(f, i == 0   ? "malformed AUTH_CHALLENGE"
			  : i == 1 ? "malformed HELLO_REPLY"
				   : "malformed RESET");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		auth_test(right_key),
		auth_test(no_key_is_asked_for),
		auth_test(every_host_is_refused),
		auth_test(late_challenge),
		auth_test(ended_wait),
		auth_test(wrong_keys),
		auth_test(second_key_is_right),
		auth_test(signature_of_something_else),
		auth_test(every_bit_of_a_response),
		auth_test(replay),
		auth_test(response_to_another_challenge),
		auth_test(other_frames_before_the_key),
		auth_test(frames_after_hello_and_after_a_response),
		auth_test(response_out_of_place),
		auth_test(responses_of_every_length),
		auth_test(gap_before_the_response),
		auth_test(no_answer),
		auth_test(ended_while_the_board_waits_for_a_key),
		auth_test(old_host),
		auth_test(hello_ends_an_open_session),
		auth_test(challenges_of_every_length),
		auth_test(wrong_challenges),
		auth_test(frames_before_the_answer),
		auth_test(foreign_answers),
	};

	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
