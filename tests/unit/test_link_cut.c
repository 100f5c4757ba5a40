// SPDX-License-Identifier: Apache-2.0
// Tests what each end of the link makes of a session that was cut, doubled, put in disorder or
// corrupted, at every byte and every frame of it.
//
// A session is recorded with both ends. Then one end alone gets the other's transfers again, with
// one fault in them, and does what it did before as far as it can. Whatever the fault is, what it
// delivers is an exact prefix of what was sent, and it never takes the end for a clean one when
// something is missing. No sum protects the bytes of a payload, which is USB's affair: where one of
// those was flipped, that byte alone may be wrong.
#include "core/board_session.h"
#include "core/host_session.h"

#include "tests/unit/link_test.h"

#define BUFFER	      1024 /* of both ends, bytes */
#define WINDOW	      256
#define STREAM	      1500 /* bytes of input; the process writes them back, and notes */
#define TRANSFERS_MAX 40
#define PARTS_MAX     3
#define NONCE	      0x1122334455667788
#define CODE	      7
#define LEASE	      2000 /* ms */

struct bytes {
	uint8_t data[2 * BUFFER];
	size_t len;
};

/* What arrives instead of a transfer: none, itself, or up to three. */
struct arrival {
	struct bytes parts[PARTS_MAX];
	size_t count;
};

enum way { TO_BOARD, TO_HOST };
/* How a recorded session ends. */
enum ending { ENDS_WELL, ENDS_BY_BOARD, ENDS_BY_HOST };

struct recording {
	enum ending ending;
	struct bytes transfers[2][TRANSFERS_MAX]; /* in turn: TO_BOARD, TO_HOST; empty for none */
	size_t rounds;
};

/* A flipped bit of a payload may do this much. */
struct licence {
	bool byte;  /* one wrong byte */
	bool code;  /* another exit code */
	bool bytes; /* wrong bytes, but then no clean end */
};

struct ends {
	enum ending ending;
	struct host_session *host;
	struct board_session *board;
	uint64_t now_ms;
	/* the host's */
	size_t sent, received, noted;
	bool clean, broken;
	uint8_t code, signal;
	/* the board's process */
	size_t read, written;
	bool running, ended, stopped;
	struct licence licence;
	unsigned int wrong;
};

static uint8_t input_byte(size_t at)
{
	uint64_t state = at + 1;

	return (uint8_t)random_next(&state);
}

static uint8_t note_byte(size_t at)
{
	return (uint8_t)('a' + at % 26);
}

static void expect_byte(struct ends *e, uint8_t is, uint8_t right)
{
	if (is == right)
		return;
	e->wrong++;
	assert_true(e->licence.bytes || (e->licence.byte && e->wrong == 1));
}

static struct ends ends_new(enum ending ending)
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

static void ends_free(struct ends *e)
{
	board_session_free(e->board);
	host_session_free(e->host);
}

/* What the host sends in this round: parts of its input of several sizes, a PING now and then. */
static void host_sends(struct ends *e, size_t round, struct bytes *out)
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

static void process_reads(struct ends *e)
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

static void board_receives(struct ends *e, const struct bytes *in)
{
	switch (board_session_receive(e->board, in->data, in->len, e->now_ms)) {
	case BOARD_START:
		assert_false(e->running); /* there is one HELLO, and it is not heeded twice */
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
}

static void board_sends(struct ends *e, size_t round, struct bytes *out)
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

static void host_receives(struct ends *e, const struct bytes *in)
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

static void record(struct recording *r, enum ending ending)
{
	struct ends e = ends_new(ending);
	struct bytes again;
	size_t round = 0, idle = 0;

	memset(r, 0, sizeof(*r));
	r->ending = ending;
	for (; idle < 3; round++) {
		assert_true(round < TRANSFERS_MAX);
		host_sends(&e, round, &r->transfers[TO_BOARD][round]);
		if (r->transfers[TO_BOARD][round].len > 0)
			board_receives(&e, &r->transfers[TO_BOARD][round]);
		board_sends(&e, round, &r->transfers[TO_HOST][round]);
		if (r->transfers[TO_HOST][round].len > 0)
			host_receives(&e, &r->transfers[TO_HOST][round]);
		idle = r->transfers[TO_HOST][round].len > 0 ? 0 : idle + 1;
	}
	board_sends(&e, round, &again);
	assert_int_equal(again.len, 0);
	r->rounds = round;
	assert_int_equal(e.clean, ending == ENDS_WELL);
	assert_int_equal(e.broken, ending == ENDS_BY_BOARD);
	assert_int_equal(e.stopped, ending == ENDS_BY_HOST);
	assert_int_equal(e.received == STREAM, ending == ENDS_WELL);
	ends_free(&e);
}

/* The board alone: what the host sent arrives with a fault in it. */
static void replay_board(
	const struct recording *r, const struct arrival *in, struct licence licence)
{
	struct ends e = ends_new(r->ending);
	struct bytes out;

	e.licence = licence;
	for (size_t round = 0; round < r->rounds; round++) {
		for (size_t i = 0; i < in[round].count; i++)
			if (in[round].parts[i].len > 0)
				board_receives(&e, &in[round].parts[i]);
		process_reads(&e);
		board_sends(&e, round, &out);
		assert_true(out.len == 0 || out.len % TRANSFER_QUANTUM != 0);
		assert_true(out.len < BUFFER);
	}
	/* Whatever came: it is over, or ends with the lease. */
	board_session_tick(e.board, LEASE_MS_MAX);
	board_sends(&e, 0, &out);
	assert_false(board_session_is_open(e.board));
	assert_true(e.read <= STREAM);
	ends_free(&e);
}

/* The host alone. */
static void replay_host(const struct recording *r, const struct arrival *in, struct licence licence)
{
	struct ends e = ends_new(r->ending);
	struct bytes out;

	e.licence = licence;
	for (size_t round = 0; round < r->rounds; round++) {
		host_sends(&e, round, &out);
		assert_true(out.len == 0 || out.len % TRANSFER_QUANTUM != 0);
		assert_true(out.len < BUFFER);
		for (size_t i = 0; i < in[round].count; i++)
			host_receives(&e, &in[round].parts[i]);
	}
	if (e.clean) {
		assert_false(e.broken);
		assert_int_equal(r->ending, ENDS_WELL);
		assert_int_equal(e.received, STREAM);
		assert_true(e.wrong == 0 || licence.byte);
		assert_true(licence.code || (e.code == CODE && e.signal == 0));
	}
	/* If not, it knows already, or finds out by the clock. */
	if (host_session_is_open(e.host))
		assert_int_equal(host_session_tick(e.host, 2ull * LEASE_MS_MAX), HOST_TICK_DEAD);
	ends_free(&e);
}

static const struct licence strict = {false, false, false};

struct tried {
	const struct recording *r;
	enum way way;
	struct arrival in[TRANSFERS_MAX];
	unsigned long count;
};

/* All arrives as it was sent. */
static void restore(struct tried *t)
{
	for (size_t i = 0; i < t->r->rounds; i++) {
		t->in[i].count = 1;
		t->in[i].parts[0] = t->r->transfers[t->way][i];
	}
}

static void replay(struct tried *t, struct licence licence)
{
	if (t->way == TO_BOARD)
		replay_board(t->r, t->in, licence);
	else
		replay_host(t->r, t->in, licence);
	t->count++;
}

/* Puts back what a fault at `at` and after it has changed. */
static void undo(struct tried *t, size_t at, size_t count)
{
	for (size_t i = at; i < at + count && i < t->r->rounds; i++) {
		t->in[i].count = 1;
		t->in[i].parts[0] = t->r->transfers[t->way][i];
	}
}

static void lose_and_double(struct tried *t, size_t at)
{
	const struct bytes *sent = t->r->transfers[t->way];

	t->in[at].count = 0;
	replay(t, strict);
	undo(t, at, 1);
	t->in[at].parts[1] = sent[at];
	t->in[at].count = 2;
	/* A HELLO that comes twice opens a session twice: that no end of USB does. */
	if (sent[at].len > 0 && sent[at].data[0] != FRAME_HELLO)
		replay(t, strict);
	undo(t, at, 1);
}

/* Of two transfers the later one comes first, or an old one comes once more. */
static void disorder(struct tried *t, size_t at)
{
	const struct bytes *sent = t->r->transfers[t->way];

	for (size_t later = at + 1; later < t->r->rounds; later++) {
		t->in[at].parts[0] = sent[later];
		t->in[later].parts[0] = sent[at];
		replay(t, strict);
		undo(t, at, 1);
		t->in[later].count = 2;
		t->in[later].parts[0] = sent[at];
		t->in[later].parts[1] = sent[later];
		if (sent[at].len > 0 && sent[at].data[0] != FRAME_HELLO)
			replay(t, strict);
		undo(t, later, 1);
	}
}

/* At each byte: the transfer ends there; so does everything; it is two; a byte is lost or twice. */
static void cut(struct tried *t, size_t at)
{
	const struct bytes *whole = &t->r->transfers[t->way][at];
	struct bytes *first = &t->in[at].parts[0], *second = &t->in[at].parts[1];

	for (size_t n = 0; n < whole->len; n++) {
		first->len = n;
		replay(t, strict);
		for (size_t i = at + 1; i < t->r->rounds; i++)
			t->in[i].count = 0;
		replay(t, strict);
		undo(t, at, t->r->rounds);
		first->len = n;
		memcpy(second->data, whole->data + n, whole->len - n);
		second->len = whole->len - n;
		t->in[at].count = 2;
		replay(t, strict);
		t->in[at].count = 1;
		*first = *second; /* its beginning is lost */
		replay(t, strict);
		*first = *whole;
		memmove(first->data + n, whole->data + n + 1, whole->len - n - 1);
		first->len--;
		replay(t, strict);
		*first = *whole;
		memmove(first->data + n + 1, whole->data + n, whole->len - n);
		first->len++;
		replay(t, strict);
		undo(t, at, 1);
	}
}

/* Two transfers arrive as one, as when a short packet is lost. */
static void merge(struct tried *t, size_t at)
{
	const struct bytes *sent = t->r->transfers[t->way];
	struct bytes *first = &t->in[at].parts[0];

	if (at + 1 == t->r->rounds)
		return;
	memcpy(first->data + first->len, sent[at + 1].data, sent[at + 1].len);
	first->len += sent[at + 1].len;
	t->in[at + 1].count = 0;
	replay(t, strict);
	undo(t, at, 2);
}

/* Each frame: lost, twice, behind the next one. */
static void break_frames(struct tried *t, size_t at)
{
	const struct bytes *whole = &t->r->transfers[t->way][at];
	struct bytes *b = &t->in[at].parts[0];
	size_t offset = 0, start = 0, len, next_len;
	struct frame frame, next;

	while (frame_next(whole->data, whole->len, &offset, &frame) == 1) {
		len = offset - start;
		memmove(b->data + start, whole->data + offset, whole->len - offset);
		b->len = whole->len - len;
		replay(t, strict);
		*b = *whole;
		memmove(b->data + offset, whole->data + start, whole->len - start);
		b->len = whole->len + len;
		replay(t, strict);
		*b = *whole;
		start = offset;
		if (frame_next(whole->data, whole->len, &offset, &next) != 1)
			break;
		next_len = offset - start;
		memcpy(b->data + start - len, whole->data + start, next_len);
		memcpy(b->data + start - len + next_len, whole->data + start - len, len);
		replay(t, strict);
		*b = *whole;
		offset = start;
	}
}

/* What may come of it when this bit of a frame, header and payload, is flipped. Of the types of two
 * frames with payload only those of EXIT and DATA differ by one bit. */
static struct licence licence_of(const struct frame *frame, size_t byte, unsigned int bit)
{
	return (struct licence){
		.byte = frame->type == FRAME_DATA && byte >= FRAME_HEADER,
		.code = frame->type == FRAME_EXIT && byte >= FRAME_HEADER &&
			byte < FRAME_HEADER + 2,
		.bytes = frame->type == FRAME_EXIT && byte == 0 &&
			 (frame->type ^ (1 << bit)) == FRAME_DATA,
	};
}

static void flip_bits(struct tried *t, size_t at)
{
	const struct bytes *whole = &t->r->transfers[t->way][at];
	struct bytes *b = &t->in[at].parts[0];
	size_t offset = 0, start = 0;
	struct frame frame;

	while (frame_next(whole->data, whole->len, &offset, &frame) == 1) {
		for (size_t i = 0; start + i < offset; i++)
			for (unsigned int bit = 0; bit < 8; bit++) {
				b->data[start + i] ^= (uint8_t)(1 << bit);
				replay(t, licence_of(&frame, i, bit));
				b->data[start + i] = whole->data[start + i];
			}
		start = offset;
	}
}

static void try_all(enum ending ending, enum way way, void (*fault)(struct tried *t, size_t at))
{
	struct recording *r = malloc(sizeof(*r));
	struct tried *t = calloc(1, sizeof(*t));

	assert_non_null(r);
	assert_non_null(t);
	record(r, ending);
	t->r = r;
	t->way = way;
	restore(t);
	replay(t, strict);
	for (size_t at = 0; at < r->rounds; at++)
		fault(t, at);
	printf("# end %d, to the %s: %lu sessions with a fault\n", (int)ending,
		way == TO_BOARD ? "board" : "host", t->count - 1);
	assert_true(t->count >= r->rounds);
	free(t);
	free(r);
}

static void try_everywhere(void (*fault)(struct tried *t, size_t at))
{
	for (int ending = ENDS_WELL; ending <= ENDS_BY_HOST; ending++) {
		try_all((enum ending)ending, TO_BOARD, fault);
		try_all((enum ending)ending, TO_HOST, fault);
	}
}

static void transfers_lost_and_doubled(void **state)
{
	try_everywhere(lose_and_double);
}

static void transfers_in_disorder(void **state)
{
	try_everywhere(disorder);
}

static void transfers_cut_everywhere(void **state)
{
	try_everywhere(cut);
}

static void transfers_merged(void **state)
{
	try_everywhere(merge);
}

static void frames_lost_doubled_and_in_disorder(void **state)
{
	try_everywhere(break_frames);
}

static void bits_flipped_everywhere(void **state)
{
	try_everywhere(flip_bits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfers_lost_and_doubled),
		cmocka_unit_test(transfers_in_disorder),
		cmocka_unit_test(transfers_cut_everywhere),
		cmocka_unit_test(transfers_merged),
		cmocka_unit_test(frames_lost_doubled_and_in_disorder),
		cmocka_unit_test(bits_flipped_everywhere),
	};

	return cmocka_run_group_tests_name("link_cut", tests, NULL, NULL);
}
