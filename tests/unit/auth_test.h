/* SPDX-License-Identifier: Apache-2.0 */
/* A host and a board that requires a key, for the tests of the key check. */
#ifndef TESTS_UNIT_AUTH_TEST_H
#define TESTS_UNIT_AUTH_TEST_H

#include "tests/unit/link_test.h"

#include "core/link/board_session.h"
#include "core/link/host_session.h"
#include "core/link/ssh.h"

#include <errno.h>
#include <sodium.h>

#define MAX_TRANSFER 4096u
#define NONCE	     0x1122334455667788

struct key {
	uint8_t public[AUTH_KEY_SIZE], secret[SSH_SECRET_SIZE];
};

struct fixture {
	struct board_session *board;
	struct host_session *host;
	struct board_gate gate;
	struct key known, unknown;
	int asked;	/* the gate's answer to a HELLO */
	uint8_t random; /* each byte of the board's next nonce */
	unsigned int asks, checks;
	uint64_t wait_ms; /* before the board's next challenge */
	struct wire w;
	uint8_t buffer[MAX_TRANSFER];
	struct transfer t;
	struct host_event event;
	struct auth_response response;
};

static inline struct key make_key(uint8_t first)
{
	uint8_t seed[crypto_sign_SEEDBYTES] = {first};
	struct key key;

	crypto_sign_seed_keypair(key.public, key.secret, seed);
	return key;
}

static inline int gate_ask(
	void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal)
{
	struct fixture *f = context;

	f->asks++;
	memset(nonce, f->random++, AUTH_NONCE_SIZE);
	refusal->reason = RESET_START;
	strcpy(refusal->text, "no randomness");
	return f->asked;
}

static inline bool gate_check(
	void *context, const struct auth_response *response, const uint8_t *message, size_t len)
{
	struct fixture *f = context;

	f->checks++;
	return memcmp(response->key, f->known.public, AUTH_KEY_SIZE) == 0 &&
	       ssh_verify(response, message, len);
}

static inline uint64_t gate_wait(void *context)
{
	return ((struct fixture *)context)->wait_ms;
}

static inline int setup(void **state)
{
	static const struct host_config host_config = {MAX_TRANSFER, 0, 0};
	struct board_config config = {
		.max_transfer = MAX_TRANSFER,
		.max_send = MAX_TRANSFER,
		.window = MAX_TRANSFER,
		.version = "1",
	};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->gate = (struct board_gate){gate_ask, gate_check, f, "bench-7", 1, gate_wait};
	config.gate = &f->gate;
	f->board = board_session_new(&config);
	f->host = host_session_new(&host_config);
	assert_non_null(f->board);
	assert_non_null(f->host);
	f->known = make_key(1);
	f->unknown = make_key(2);
	f->asked = 1;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	board_session_free(f->board);
	host_session_free(f->host);
	free(f);
	return 0;
}

/* Passes the host's pending frames to the board. */
static inline enum board_event host_to_board(struct fixture *f, uint64_t now_ms)
{
	enum board_event event;
	size_t len;

	host_session_begin(f->host, &f->t, f->buffer);
	len = host_session_finish(f->host, &f->t);
	assert_true(len > 0 && len < TRANSFER_MIN && len % TRANSFER_QUANTUM);
	event = board_session_receive(f->board, f->buffer, len, now_ms);
	board_session_keep(f->board);
	return event;
}

/* Passes the board's pending frames to the host; returns the first event. */
static inline enum host_event_type board_to_host(struct fixture *f, uint64_t now_ms)
{
	size_t offset = 0, len;

	board_session_begin(f->board, &f->t, f->buffer);
	len = board_session_finish(f->board, &f->t);
	assert_true(len > 0 && len < TRANSFER_MIN && len % TRANSFER_QUANTUM);
	host_session_heard(f->host, now_ms);
	return host_session_next(f->host, f->buffer, len, &offset, &f->event);
}

static inline void ask(struct fixture *f, uint64_t nonce)
{
	host_session_open(f->host, nonce, 0);
	assert_int_not_equal(host_to_board(f, 0), BOARD_START);
	assert_false(board_session_is_open(f->board));
	assert_int_equal(board_to_host(f, 0), HOST_ASKED);
	assert_false(host_session_is_open(f->host));
}

static inline void sign(struct fixture *f, const struct key *key)
{
	uint8_t message[AUTH_MESSAGE_MAX];
	size_t len = host_session_message(f->host, key->public, message);

	memcpy(f->response.key, key->public, AUTH_KEY_SIZE);
	ssh_sign(key->secret, message, len, f->response.signature);
}

static inline enum board_event answer(struct fixture *f, const struct key *key)
{
	sign(f, key);
	host_session_answer(f->host, &f->response, 0);
	return host_to_board(f, 0);
}

/* The session ended, the board sends RESET and is then silent. */
static inline void expect_reset(struct fixture *f, enum reset_reason reason, const char *text)
{
	struct reset_info info;
	struct frame frame;
	size_t offset = 0, len;

	assert_false(board_session_is_open(f->board));
	assert_true(board_session_deadline(f->board) == UINT64_MAX);
	board_session_begin(f->board, &f->t, f->buffer);
	len = board_session_finish(f->board, &f->t);
	frame = wire_expect(f->buffer, len, &offset, FRAME_RESET);
	assert_int_equal(reset_get(&frame, &info), 0);
	assert_int_equal(info.reason, reason);
	assert_string_equal(info.text, text);
	assert_false(board_session_pending(f->board));
}

/* The board receives one frame, made by hand. */
static inline enum board_event board_gets(
	struct fixture *f, enum frame_type type, const void *payload, size_t len)
{
	enum board_event event;

	wire_only(&f->w, type, payload, len);
	event = board_session_receive(f->board, f->w.bytes, f->w.len, 0);
	board_session_keep(f->board);
	return event;
}

/* The host receives one frame, made by hand; returns the first event. */
static inline enum host_event_type host_gets(
	struct fixture *f, enum frame_type type, const void *payload, size_t len)
{
	size_t offset = 0;

	wire_only(&f->w, type, payload, len);
	host_session_heard(f->host, 0);
	return host_session_next(f->host, f->w.bytes, f->w.len, &offset, &f->event);
}

/* Sends a HELLO made by hand and takes the challenge. */
static inline void hello_by_hand(struct fixture *f, uint64_t nonce)
{
	struct hello hello = wire_hello_default(nonce);
	size_t offset = 0, len;

	wire_hello(&f->w, &hello);
	assert_int_not_equal(board_session_receive(f->board, f->w.bytes, f->w.len, 0), BOARD_START);
	board_session_begin(f->board, &f->t, f->buffer);
	len = board_session_finish(f->board, &f->t);
	wire_expect(f->buffer, len, &offset, FRAME_AUTH_CHALLENGE);
	assert_false(board_session_pending(f->board));
}

#define auth_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
