/* SPDX-License-Identifier: Apache-2.0 */
/* Host and board that repeat the same rounds, together or alone, and check each byte. */
#ifndef TESTS_UNIT_LINK_ENDS_H
#define TESTS_UNIT_LINK_ENDS_H

#include "core/link/board_session.h"
#include "core/link/host_session.h"

#include "tests/unit/link_test.h"

#define BUFFER 1024 /* bytes, of both ends */
#define WINDOW 256  /* bytes */
#define STREAM 1500 /* bytes of input; the process writes them back and also writes NOTEs */
#define NONCE  0x1122334455667788
#define CODE   7
#define LEASE  2000 /* ms */

struct bytes {
	uint8_t data[2 * BUFFER];
	size_t len;
};

/* How a recorded session ends. */
enum ending { ENDS_WELL, ENDS_BY_BOARD, ENDS_BY_HOST };

/* What a flipped bit may change: no sum protects payloads. */
struct licence {
	bool byte;  /* one byte may be wrong */
	bool code;  /* the exit code may be wrong */
	bool bytes; /* bytes may be wrong, but then the end is not clean */
};

struct ends {
	enum ending ending;
	struct host_session *host;
	struct board_session *board;
	uint64_t now_ms;
	/* of the host */
	size_t sent, received, noted;
	bool clean, broken;
	uint8_t code, signal;
	/* of the board's process */
	size_t read, written;
	bool running, ended, stopped;
	struct licence licence;
	unsigned int wrong;
};

static inline uint8_t input_byte(size_t at)
{
	uint64_t state = at + 1;

	return (uint8_t)random_next(&state);
}

static inline uint8_t note_byte(size_t at)
{
	return (uint8_t)('a' + at % 26);
}

static inline void expect_byte(struct ends *e, uint8_t is, uint8_t right)
{
	if (is == right)
		return;
	e->wrong++;
	assert_true(e->licence.bytes || (e->licence.byte && e->wrong == 1));
}

static inline struct ends ends_new(enum ending ending)
{
	const struct board_config board = {
		.max_transfer = BUFFER, .max_send = BUFFER, .window = WINDOW, .version = "1"};
	const struct host_config host = {.max_transfer = BUFFER, .lease_ms = LEASE};
	struct ends e = {.ending = ending};

	e.board = board_session_new(&board);
	e.host = host_session_new(&host);
	assert_non_null(e.board);
	assert_non_null(e.host);
	host_session_open(e.host, NONCE, 0);
	return e;
}

static inline void ends_free(struct ends *e)
{
	board_session_free(e->board);
	host_session_free(e->host);
}

/* Makes the host's transfer of a round: a part of its input, sometimes a PING. */
static inline void host_sends(struct ends *e, size_t round, struct bytes *out)
{
	struct transfer t;
	size_t n = (round * 53 + 11) % 190;

	if (round % 3 == 1)
		host_session_ping(e->host, e->now_ms);
	if (e->sent == STREAM)
		host_session_eof(e->host);
	if (e->ending == ENDS_BY_HOST && e->sent > STREAM / 2)
		host_session_close(e->host);
	host_session_begin(e->host, &t, out->data);
	if (n > host_session_room(e->host, &t))
		n = host_session_room(e->host, &t);
	if (n > STREAM - e->sent)
		n = STREAM - e->sent;
	for (size_t i = 0; i < n; i++)
		link_payload(&t)[i] = input_byte(e->sent++);
	host_session_put(e->host, &t, n);
	out->len = host_session_finish(e->host, &t);
}

static inline void process_reads(struct ends *e)
{
	const uint8_t *data;
	size_t len;

	while (e->running && (data = board_session_input(e->board, &len)) && len > 0) {
		for (size_t i = 0; i < len; i++)
			expect_byte(e, data[i], input_byte(e->read++));
		board_session_consume(e->board, len);
	}
	if (e->running && board_session_input_ended(e->board)) {
		assert_int_equal(e->read, STREAM);
		e->ended = true;
	}
}

static inline void board_receives(struct ends *e, const struct bytes *in)
{
	switch (board_session_receive(e->board, in->data, in->len, e->now_ms)) {
	case BOARD_START:
		assert_false(e->running); /* the only HELLO opens one session */
		e->running = true;
		break;
	case BOARD_STOP:
		e->running = false;
		e->stopped = true;
		break;
	case BOARD_NOTHING:
		break;
	}
	process_reads(e);
	board_session_keep(e->board);
}

static inline void board_sends(struct ends *e, size_t round, struct bytes *out)
{
	struct transfer t;
	size_t n = e->read - e->written, room;

	if (e->ending == ENDS_BY_BOARD && e->written > STREAM / 2)
		board_session_end(e->board, RESET_SHUTDOWN, "bye");
	board_session_begin(e->board, &t, out->data);
	if (round % 4 == 2 && board_session_room(e->board, &t) > 10) {
		memset(link_payload(&t), note_byte(round), 10);
		board_session_put(e->board, &t, FRAME_NOTE, 10);
	}
	room = board_session_room(e->board, &t);
	n = n > room ? room : n;
	for (size_t i = 0; i < n; i++)
		link_payload(&t)[i] = input_byte(e->written++);
	board_session_put(e->board, &t, FRAME_DATA, n);
	if (e->ended && e->written == e->read)
		board_session_exit(e->board, CODE, 0);
	out->len = board_session_finish(e->board, &t);
}

static inline void host_receives(struct ends *e, const struct bytes *in)
{
	struct host_event event;
	size_t offset = 0;

	host_session_heard(e->host, e->now_ms);
	while (host_session_next(e->host, in->data, in->len, &offset, &event) != HOST_NONE) {
		if (event.type == HOST_OUTPUT)
			for (size_t i = 0; i < event.len; i++)
				expect_byte(e, event.data[i], input_byte(e->received++));
		if (event.type == HOST_NOTE)
			e->noted += event.len;
		if (event.type == HOST_RESET || event.type == HOST_BROKEN)
			e->broken = true;
		if (event.type == HOST_EXIT) {
			e->clean = true;
			e->code = event.exit.code;
			e->signal = event.exit.signal;
		}
	}
}

#endif
