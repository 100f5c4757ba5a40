// SPDX-License-Identifier: Apache-2.0
// Tests both ends of the link in every schedule, with windows and inputs of few bytes.
//
// The real code runs in all states that the two ends, two short queues and a process like cat can
// reach. In each state the bytes must be right and the end of the session must be reachable. So
// there is no deadlock, and no state that can only loop forever. A blocked stdin or stdout is a
// schedule without that step: the end must be reachable from there.
//
// In other runs a transfer is lost, repeated or overtaken. Then the session ends cleanly with all
// bytes, or both ends notice the failure, at the latest by the lease.
#include "core/link/board_session.c"
#include "core/link/host_session.c"

#include "tests/unit/link_test.h"

#define WINDOW_LIMIT 4
#define PACKET_BYTES 160 /* holds all frames of a small session at once */
#define DEPTH	     2	 /* transfers in flight, each way */
#define STATES_MAX   400000
#define EDGES_MAX    4000000
#define TABLE	     (1u << 20) /* slots, a power of two above STATES_MAX */

struct packet {
	uint8_t data[PACKET_BYTES];
	size_t len;
};

struct queue {
	struct packet packets[DEPTH];
	size_t count;
};

/* Compared byte by byte, so pointers into allocated memory are NULL: `input` holds the input. */
struct state {
	struct board_session board;
	struct host_session host;
	struct queue out, in;
	uint8_t input[WINDOW_LIMIT];
	bool has_input, running, clean;
	uint8_t sent, received; /* by the host: stdin taken, stdout written */
	uint8_t read, written;	/* by the process */
	uint8_t opens, pings;	/* that may still happen */
	uint8_t faults;		/* of the queues, that may still happen */
	bool faulty, failed;	/* a fault has happened; the host has given up */
};

struct model {
	uint32_t window;
	uint8_t total; /* bytes of stdin */
	struct state *states[STATES_MAX];
	uint64_t hashes[STATES_MAX];
	bool good[STATES_MAX]; /* the end can be reached */
	uint32_t table[TABLE]; /* number of a state plus 1 */
	uint32_t count;
	struct {
		uint32_t from, to;
	} edges[EDGES_MAX];
	size_t edge_count;
	uint32_t from; /* the state that is being expanded */
};

static uint8_t input_byte(uint8_t at)
{
	return (uint8_t)(at + 'a');
}

static uint64_t hash_state(const struct state *s)
{
	const uint8_t *bytes = (const uint8_t *)s;
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < sizeof(*s); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

/* Records that s follows the state that is being expanded. Two states with the same 64-bit hash
 * count as one: with a few hundred thousand states that is less likely than a memory error. */
static void reach(struct model *m, const struct state *s)
{
	uint64_t hash = hash_state(s);
	uint32_t slot = (uint32_t)hash % TABLE;

	while (m->table[slot] && m->hashes[m->table[slot] - 1] != hash)
		slot = (slot + 1) % TABLE;
	if (!m->table[slot]) {
		assert_true(m->count < STATES_MAX);
		m->states[m->count] = malloc(sizeof(*s));
		assert_non_null(m->states[m->count]);
		memcpy(m->states[m->count], s, sizeof(*s));
		m->hashes[m->count] = hash;
		m->good[m->count] = s->clean || (s->failed && !board_session_is_open(&s->board));
		m->table[slot] = ++m->count;
	}
	assert_true(m->edge_count < EDGES_MAX);
	m->edges[m->edge_count].from = m->from;
	m->edges[m->edge_count++].to = m->table[slot] - 1;
}

/* Returns a copy to act on, whose board has its input in allocated memory. */
static struct state begin(const struct model *m, const struct state *from)
{
	struct state s;

	memcpy(&s, from, sizeof(s));
	if (s.has_input) {
		s.board.input = malloc(m->window);
		assert_non_null(s.board.input);
		memcpy(s.board.input, s.input, m->window);
	}
	return s;
}

static void end(struct model *m, struct state *s)
{
	s->has_input = s->board.input != NULL;
	memset(s->input, 0, sizeof(s->input));
	/* Consumed bytes in the ring are no part of the state. */
	for (size_t i = 0; i < s->board.input_len; i++) {
		size_t at = (s->board.input_start + i) % m->window;

		s->input[at] = s->board.input[at];
	}
	free(s->board.input);
	s->board.input = NULL;
	reach(m, s);
}

static void queue_put(struct queue *q, const struct transfer *t)
{
	struct packet *p = &q->packets[q->count++];

	assert_true(t->len <= PACKET_BYTES);
	memcpy(p->data, t->data, t->len);
	p->len = t->len;
}

static void queue_drop_first(struct queue *q)
{
	q->packets[0] = q->packets[1];
	q->count--;
	memset(&q->packets[q->count], 0, sizeof(q->packets[0]));
}

static void host_sends(struct model *m, const struct state *from, bool eof)
{
	for (uint8_t n = 0; n + from->sent <= m->total; n++) {
		struct state s = begin(m, from);
		uint8_t buffer[TRANSFER_MIN];
		struct transfer t;

		host_session_begin(&s.host, &t, buffer);
		if (n > host_session_room(&s.host, &t)) {
			free(s.board.input);
			return;
		}
		for (uint8_t i = 0; i < n; i++)
			link_payload(&t)[i] = input_byte(s.sent++);
		host_session_put(&s.host, &t, n);
		if (eof && s.sent == m->total)
			host_session_eof(&s.host);
		if (host_session_finish(&s.host, &t) > 0)
			queue_put(&s.out, &t);
		end(m, &s);
	}
}

static void host_pings(struct model *m, const struct state *from)
{
	struct state s = begin(m, from);

	s.pings--;
	s.host.ping_due = true;
	end(m, &s);
}

/* A new host opens a session, with or without a reset of the lane that the board notices. */
static void host_reopens(struct model *m, const struct state *from, bool reset)
{
	struct state s = begin(m, from);

	s.opens--;
	s.sent = s.received = 0;
	host_session_open(&s.host, 1000 + s.opens, 0);
	if (reset) {
		memset(&s.out, 0, sizeof(s.out));
		memset(&s.in, 0, sizeof(s.in));
		if (board_session_drop(&s.board) == BOARD_STOP)
			s.running = false;
	}
	end(m, &s);
}

/* Answers the first challenge with an unknown key, the second with the known one. */
static void host_answers(struct host_session *host)
{
	struct auth_response response;

	memset(&response, 0, sizeof(response));
	response.key[0] = host_session_challenge(host)->tries == AUTH_TRIES ? 2 : 1;
	host_session_answer(host, &response, 0);
}

static int gate_ask(void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal)
{
	memset(nonce, 'n', AUTH_NONCE_SIZE);
	return 1;
}

static bool gate_check(
	void *context, const struct auth_response *response, const uint8_t *message, size_t len)
{
	return response->key[0] == 1;
}

static const struct board_gate gate = {gate_ask, gate_check, NULL, "b", 0, NULL};

static void host_receives(struct model *m, const struct state *from)
{
	struct state s = begin(m, from);
	const struct packet *p = &s.in.packets[0];
	struct host_event event;
	size_t offset = 0;

	while (host_session_next(&s.host, p->data, p->len, &offset, &event) != HOST_NONE) {
		if (event.type == HOST_ASKED)
			host_answers(&s.host);
		if (event.type == HOST_RESET || event.type == HOST_BROKEN) {
			assert_true(s.faulty);
			s.failed = true;
		}
		for (size_t i = 0; i < event.len; i++)
			assert_int_equal(event.data[i], input_byte(s.received++));
		if (event.type == HOST_EXIT) {
			assert_int_equal(s.received, event.exit.code);
			assert_int_equal(s.received, event.exit.sent);
			s.clean = true;
		}
	}
	queue_drop_first(&s.in);
	end(m, &s);
}

static void board_receives(struct model *m, const struct state *from)
{
	struct state s = begin(m, from);

	switch (board_session_receive(&s.board, s.out.packets[0].data, s.out.packets[0].len, 0)) {
	case BOARD_START:
		assert_false(s.running && s.faulty);
		s.running = true;
		s.read = s.written = 0;
		break;
	case BOARD_STOP:
		s.running = false;
		break;
	case BOARD_NOTHING:
		break;
	}
	board_session_keep(&s.board); /* the transfer leaves the queue */
	queue_drop_first(&s.out);
	end(m, &s);
}

static void process_reads(struct model *m, const struct state *from)
{
	for (size_t n = 1;; n++) {
		struct state s = begin(m, from);
		const uint8_t *data;
		size_t len;

		data = board_session_input(&s.board, &len);
		if (n > len) {
			free(s.board.input);
			return;
		}
		for (size_t i = 0; i < n; i++)
			assert_int_equal(data[i], input_byte(s.read++));
		board_session_consume(&s.board, n);
		end(m, &s);
	}
}

/* Sends n bytes of output; if `exits`, the process ends after them. */
static void board_sends(struct model *m, const struct state *from, uint8_t n, bool exits)
{
	struct state s = begin(m, from);
	uint8_t buffer[TRANSFER_MIN];
	struct transfer t;

	board_session_begin(&s.board, &t, buffer);
	for (uint8_t i = 0; i < n; i++)
		link_payload(&t)[i] = input_byte(s.written++);
	board_session_put(&s.board, &t, FRAME_DATA, n);
	if (exits) {
		board_session_exit(&s.board, s.written, 0); /* the total is the exit code */
		s.running = false;
	}
	if (board_session_finish(&s.board, &t) > 0)
		queue_put(&s.in, &t);
	end(m, &s);
}

static void process_writes(struct model *m, const struct state *from, bool early)
{
	uint8_t held = from->running ? (uint8_t)(from->read - from->written) : 0;
	bool ended = early || board_session_input_ended(&from->board);

	for (uint8_t n = 0; n <= held; n++)
		board_sends(m, from, n, false);
	if (from->running && ended)
		board_sends(m, from, held, true);
}

enum fault { FAULT_LOST, FAULT_TWICE, FAULT_OVERTAKEN, FAULTS };

/* Returns false if the fault does not apply. A HELLO is not repeated or overtaken: it would open a
 * second session, or no session would be open for the other transfer. */
static bool queue_break(struct queue *q, enum fault fault)
{
	struct packet first = q->packets[0];

	if (fault == FAULT_LOST && q->count > 0) {
		queue_drop_first(q);
		return true;
	}
	if (q->count == 0 || first.data[0] == FRAME_HELLO)
		return false;
	if (fault == FAULT_TWICE && q->count < DEPTH) {
		q->packets[1] = first;
		q->count++;
		return true;
	}
	if (fault == FAULT_OVERTAKEN && q->count == DEPTH) {
		q->packets[0] = q->packets[1];
		q->packets[1] = first;
		return true;
	}
	return false;
}

static void breaks(struct model *m, const struct state *from, bool out, enum fault fault)
{
	struct state s = begin(m, from);

	s.faults--;
	s.faulty = true;
	if (queue_break(out ? &s.out : &s.in, fault))
		end(m, &s);
	else
		free(s.board.input);
}

/* Neither end receives anything: the lease ends both. */
static void waits(struct model *m, const struct state *from)
{
	struct state s = begin(m, from);

	if (board_session_tick(&s.board, LEASE_MS_MAX) == BOARD_STOP)
		s.running = false;
	s.failed = true;
	end(m, &s);
}

static void expand_faults(struct model *m, const struct state *s)
{
	for (int fault = 0; s->faults > 0 && fault < FAULTS; fault++) {
		breaks(m, s, true, (enum fault)fault);
		breaks(m, s, false, (enum fault)fault);
	}
	if (s->faulty && (s->failed || (s->out.count == 0 && s->in.count == 0)))
		waits(m, s);
}

static void expand(struct model *m, const struct state *s, bool early)
{
	expand_faults(m, s);
	if (s->failed)
		return;
	if (s->out.count < DEPTH) {
		host_sends(m, s, false);
		host_sends(m, s, true);
	}
	if (s->pings > 0 && host_session_is_open(&s->host))
		host_pings(m, s);
	if (s->opens > 0) {
		host_reopens(m, s, true);
		host_reopens(m, s, false);
	}
	if (s->in.count > 0)
		host_receives(m, s);
	if (s->out.count > 0)
		board_receives(m, s);
	if (s->running)
		process_reads(m, s);
	if (s->in.count < DEPTH)
		process_writes(m, s, early);
}

/* Marks the states from which the end is reachable: those with an edge to a marked state. */
static void find_good(struct model *m)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = m->edge_count; i-- > 0;)
			if (m->good[m->edges[i].to] && !m->good[m->edges[i].from])
				more = m->good[m->edges[i].from] = true;
	}
}

static void explore_with(const struct board_gate *asks, uint32_t window, uint8_t total,
	uint8_t opens, bool early, uint8_t faults)
{
	struct model *m = calloc(1, sizeof(*m));
	struct state start;
	uint32_t bad = 0;

	assert_non_null(m);
	memset(&start, 0, sizeof(start));
	m->window = window;
	m->total = total;
	start.board.config = (struct board_config){
		.max_transfer = TRANSFER_MIN,
		.max_send = TRANSFER_MIN,
		.window = window,
		.version = "1",
		.gate = asks,
	};
	link_open(&start.board.link, TRANSFER_MIN, TRANSFER_MAX);
	start.host.config.max_transfer = TRANSFER_MIN;
	host_session_open(&start.host, 1, 0);
	start.opens = opens;
	start.pings = faults ? 0 : 1;
	start.faults = faults;
	reach(m, &start);
	for (; m->from < m->count; m->from++) {
		if (!m->good[m->from])
			expand(m, m->states[m->from], early);
		free(m->states[m->from]);
	}
	find_good(m);
	for (uint32_t i = 0; i < m->count; i++)
		bad += !m->good[i];
	printf("# window %lu, %u bytes, %u new hosts%s%s, %u faults: %lu states, %zu steps\n",
		(unsigned long)window, total, opens, early ? ", process may end early" : "",
		asks ? ", a key" : "", faults, (unsigned long)m->count, m->edge_count);
	assert_int_equal(bad, 0);
	free(m);
}

static void explore(uint32_t window, uint8_t total, uint8_t opens, bool early, uint8_t faults)
{
	explore_with(NULL, window, total, opens, early, faults);
}

static void one_host(void **state)
{
	for (uint32_t window = 1; window <= WINDOW_LIMIT; window++)
		for (uint8_t total = 0; total <= 3; total++)
			explore(window, total, 0, false, 0);
}

static void process_that_ends_early(void **state)
{
	explore(1, 2, 0, true, 0);
	explore(2, 3, 0, true, 0);
}

static void hosts_that_are_replaced(void **state)
{
	explore(1, 1, 1, false, 0);
	explore(2, 2, 1, true, 0);
	explore(1, 1, 2, false, 0);
}

static void transfers_lost_repeated_and_overtaken(void **state)
{
	for (uint32_t window = 1; window <= 2; window++)
		for (uint8_t total = 0; total <= 3; total++)
			explore(window, total, 0, false, 1);
	explore(1, 2, 0, true, 1);
	explore(1, 1, 0, false, 2);
}

static void hosts_with_keys(void **state)
{
	explore_with(&gate, 1, 1, 0, false, 0);
	explore_with(&gate, 2, 2, 0, true, 0);
	explore_with(&gate, 1, 1, 1, true, 0);
	explore_with(&gate, 1, 0, 2, false, 0);
	explore_with(&gate, 1, 1, 0, false, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_host),
		cmocka_unit_test(process_that_ends_early),
		cmocka_unit_test(hosts_that_are_replaced),
		cmocka_unit_test(transfers_lost_repeated_and_overtaken),
		cmocka_unit_test(hosts_with_keys),
	};

	return cmocka_run_group_tests_name("link_model", tests, NULL, NULL);
}
