// SPDX-License-Identifier: Apache-2.0
// Tests each end of the link with sessions that are cut, doubled, reordered or corrupted.
//
// The test records a session of both ends. Then it replays the transfers of one end to the other,
// with one fault in them, at each byte and each frame. That end repeats its part as far as it can.
// With any fault it delivers an exact prefix of what was sent, and it never reports a clean end if
// something is missing. The link leaves protection of payload bytes to USB: if a bit of a payload
// is flipped, that byte alone may be wrong.
#include "tests/unit/link_ends.h"

#define TRANSFERS_MAX 40
#define PARTS_MAX     2

/* The transfers that replace one transfer: none, one or two. */
struct arrival {
	struct bytes parts[PARTS_MAX];
	size_t count;
};

enum way { TO_BOARD, TO_HOST };
struct recording {
	enum ending ending;
	struct bytes transfers[2][TRANSFERS_MAX]; /* by way and round; length 0: none */
	size_t rounds;
};

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

/* Runs the board alone: the host's transfers arrive with a fault. */
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
	/* After any fault the session is over, or ends with the lease. */
	board_session_tick(e.board, LEASE_MS_MAX);
	board_sends(&e, 0, &out);
	assert_false(board_session_is_open(e.board));
	assert_true(e.read <= STREAM);
	ends_free(&e);
}

/* Runs the host alone: the board's transfers arrive with a fault. */
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
	/* If the end was not clean, the host knows it already, or after the lease. */
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

/* Makes all transfers arrive as they were sent. */
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

/* Undoes a fault in the `count` transfers from `at` on. */
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
	/* A repeated HELLO would open a second session. Neither end of USB repeats a transfer. */
	if (sent[at].len > 0 && sent[at].data[0] != FRAME_HELLO)
		replay(t, strict);
	undo(t, at, 1);
}

/* Two transfers change places, or the earlier one arrives again before the later one. */
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

/* At each byte: the transfer ends there; the session does; the transfer is split in two; its start
 * is lost; the byte is lost; the byte is doubled. */
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
		*first = *second; /* the start is lost */
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

/* Two transfers arrive as one, as if a short packet was lost. */
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

/* Each frame is lost, doubled, and moved after the next frame. */
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

/* Returns what may change if this bit of a frame, counted from its header, is flipped. EXIT and
 * DATA are the only two types with payload that differ by one bit. */
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
