// SPDX-License-Identifier: Apache-2.0
// Tests both ends of the link together: random schedules, blocked pipes, and faults.
//
// A world is a host, a board, and a queue of transfers each way. In each step one of them, chosen
// at random, does what it can. In every world:
// - the process on the board reads an exact prefix of what its host sent;
// - the host prints an exact prefix of what the process wrote, and all of it at a clean EXIT;
// - some session reaches EXIT in a bounded number of steps.
#include "tests/unit/link_test.h"

#include "core/link/board_session.h"
#include "core/link/host_session.h"

#define WORLDS	  1500
#define DEPTH_MAX 4	  /* transfers in flight, each way */
#define BUFFER	  4096	  /* bytes; every transfer here is shorter */
#define STEPS_MAX 2000000 /* a world needs about ten thousand */

struct packet {
	uint8_t data[2 * BUFFER];
	size_t len;
};

struct queue {
	struct packet packets[DEPTH_MAX];
	size_t count;
};

/* The nonce of a session determines what its process does, so both sides know it. */
enum kind {
	CAT,	  /* writes what it reads, ends at the end of input */
	PRODUCER, /* writes, reads only a little of its input, and ends */
	DEAF,	  /* the same, but closes its stdin at once */
	SINK,	  /* reads everything and writes nothing */
};

struct process {
	bool running, deaf;
	uint64_t nonce, read, written, noted;
	size_t held; /* bytes that a CAT has read and not written */
};

struct world {
	uint64_t seed, now_ms;
	struct board_session *board;
	struct board_config board_config;
	struct board_gate gate; /* half of the boards require a key */
	uint64_t admitted;	/* the nonce of the host that showed a key last */
	struct process process;
	struct host_session *host;
	struct host_config host_config;
	uint64_t nonce, sent, received, noted, in_total;
	bool eof;
	struct packet packet; /* the transfer whose events the host takes */
	size_t offset;
	bool packet_there;
	bool stdin_blocked, stdout_blocked, process_stopped;
	struct queue out, in; /* seen from the host, as in USB */
	size_t depth;
	struct packet half; /* the part of a transfer that a killed host has sent */
	int faults;	    /* that may still happen */
	unsigned int opens, resets, broken, dead, retries;
	bool finished;
};

static struct {
	unsigned int clean, resets, broken, dead, retries;
} totals;

static uint64_t below(struct world *w, uint64_t limit)
{
	return random_below(&w->seed, limit);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t state = a * 31 + b;

	return random_next(&state);
}

enum stream { INPUT, OUTPUT, NOTES };

static uint8_t stream_byte(uint64_t nonce, enum stream stream, uint64_t at)
{
	return (uint8_t)mix(nonce + stream, at);
}

static enum kind process_kind(uint64_t nonce)
{
	return (enum kind)(mix(nonce, 1) % 4);
}

/* With a small window the totals are small, because each byte costs a round trip. */
static uint64_t process_total(const struct world *w, uint64_t nonce)
{
	uint64_t limit = 40ull * w->board_config.window;

	return mix(nonce, 2) % (limit < 30000 ? limit : 30000);
}

static uint64_t process_notes(uint64_t nonce)
{
	return mix(nonce, 3) % 200;
}

static int process_code(uint64_t nonce)
{
	return (int)(mix(nonce, 4) % 250);
}

static void queue_put(struct world *w, struct queue *q, const uint8_t *data, size_t len)
{
	struct packet *p = &q->packets[q->count++];

	assert_true(q->count <= w->depth);
	p->len = 0;
	if (q == &w->out && w->half.len > 0) {
		/* The controller still holds the start of a transfer; this one ends it. */
		memcpy(p->data, w->half.data, w->half.len);
		p->len = w->half.len;
		w->half.len = 0;
	}
	memcpy(p->data + p->len, data, len);
	p->len += len;
	if (p->len > BUFFER)
		p->len = BUFFER;
}

static void queue_remove(struct queue *q, size_t at)
{
	q->count--;
	for (; at < q->count; at++)
		q->packets[at] = q->packets[at + 1];
}

/* Checks the rules for each transfer that an end sends. */
static void check_transfer(size_t len, size_t receiver)
{
	assert_int_not_equal(len % TRANSFER_QUANTUM, 0);
	assert_true(len < receiver);
}

static void host_open(struct world *w)
{
	w->nonce = random_next(&w->seed);
	w->sent = w->received = w->noted = 0;
	w->in_total = process_total(w, w->nonce + 1);
	w->eof = w->packet_there = w->stdout_blocked = false;
	host_session_block(w->host, false, w->now_ms);
	host_session_open(w->host, w->nonce, w->now_ms);
	w->opens++;
}

static void host_send(struct world *w)
{
	uint8_t buffer[BUFFER];
	struct transfer t;
	size_t n, len;

	if (w->out.count == w->depth)
		return;
	host_session_begin(w->host, &t, buffer);
	n = host_session_room(w->host, &t);
	if (n > w->in_total - w->sent)
		n = w->in_total - w->sent;
	n = w->stdin_blocked ? 0 : below(w, n + 1);
	for (size_t i = 0; i < n; i++)
		link_payload(&t)[i] = stream_byte(w->nonce, INPUT, w->sent + i);
	host_session_put(w->host, &t, n);
	w->sent += n;
	if (host_session_is_open(w->host) && w->sent == w->in_total && !w->stdin_blocked)
		host_session_eof(w->host);
	len = host_session_finish(w->host, &t);
	if (len == 0)
		return;
	check_transfer(len, w->board_config.max_transfer);
	queue_put(w, &w->out, buffer, len);
}

static void host_output(struct world *w, const struct host_event *event)
{
	enum stream stream = event->type == HOST_NOTE	     ? NOTES
			     : process_kind(w->nonce) == CAT ? INPUT
							     : OUTPUT;
	uint64_t *at = event->type == HOST_NOTE ? &w->noted : &w->received;

	for (size_t i = 0; i < event->len; i++)
		assert_int_equal(event->data[i], stream_byte(w->nonce, stream, (*at)++));
}

static void host_exit(struct world *w, const struct exit_info *info)
{
	enum kind kind = process_kind(w->nonce);
	struct host_counts counts = host_session_counts(w->host);
	uint64_t expected = kind == CAT ? w->in_total : process_total(w, w->nonce);

	assert_int_equal(info->code, process_code(w->nonce));
	assert_int_equal(info->signal, 0);
	assert_int_equal(w->received, kind == SINK ? 0 : expected);
	assert_int_equal(w->noted, process_notes(w->nonce));
	assert_int_equal(counts.received, w->received);
	assert_int_equal(counts.sent, w->sent);
	if (kind == CAT || kind == SINK)
		assert_int_equal(info->received, w->in_total);
	totals.clean++;
	if (w->faults > 0)
		host_open(w);
	else
		w->finished = true;
}

/* Here the known key is the number 1, and a signature is a hash. */
static void make_signature(const uint8_t *message, size_t len, uint8_t *signature)
{
	uint64_t hash = 1;

	for (size_t i = 0; i < len; i++)
		hash = mix(hash, message[i]);
	memset(signature, 0, AUTH_SIGNATURE_SIZE);
	memcpy(signature, &hash, sizeof(hash));
}

static int gate_ask(void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal)
{
	struct world *w = context;

	for (size_t i = 0; i < AUTH_NONCE_SIZE; i++)
		nonce[i] = (uint8_t)below(w, 256);
	return 1;
}

static bool gate_check(
	void *context, const struct auth_response *response, const uint8_t *message, size_t len)
{
	struct world *w = context;
	uint8_t signature[AUTH_SIGNATURE_SIZE];

	make_signature(message, len, signature);
	/* The nonce of HELLO, which is after the purpose in the message. */
	memcpy(&w->admitted, message + 24 + 12, sizeof(w->admitted));
	return response->key[0] == 1 &&
	       memcmp(signature, response->signature, sizeof(signature)) == 0;
}

/* Answers the challenge; at times the first answer has an unknown key. */
static void host_answer(struct world *w)
{
	struct auth_response response = {.key = {1}};
	uint8_t message[AUTH_MESSAGE_MAX];
	size_t len;

	if (host_session_challenge(w->host)->tries == AUTH_TRIES && below(w, 4) == 0)
		response.key[0] = 2;
	len = host_session_message(w->host, response.key, message);
	make_signature(message, len, response.signature);
	host_session_answer(w->host, &response, w->now_ms);
}

static void host_receive(struct world *w)
{
	struct host_event event;

	if (w->stdout_blocked)
		return;
	if (!w->packet_there) {
		if (w->in.count == 0)
			return;
		w->packet = w->in.packets[0];
		queue_remove(&w->in, 0);
		w->offset = 0;
		w->packet_there = true;
		host_session_heard(w->host, w->now_ms);
	}
	switch (host_session_next(w->host, w->packet.data, w->packet.len, &w->offset, &event)) {
	case HOST_NONE:
		w->packet_there = false;
		break;
	case HOST_OPENED:
		break;
	case HOST_ASKED:
		host_answer(w);
		break;
	case HOST_OUTPUT:
	case HOST_NOTE:
		host_output(w, &event);
		break;
	case HOST_EXIT:
		host_exit(w, &event.exit);
		break;
	case HOST_RESET:
		w->resets++;
		host_open(w);
		break;
	case HOST_BROKEN:
		w->broken++;
		if (below(w, 2))
			host_send(w); /* the RESET, if there is room for it */
		host_open(w);
		break;
	}
}

static void host_clock(struct world *w)
{
	switch (host_session_tick(w->host, w->now_ms)) {
	case HOST_TICK_NOTHING:
		break;
	case HOST_TICK_RETRY:
		w->retries++;
		host_open(w);
		break;
	case HOST_TICK_DEAD:
		w->dead++;
		host_open(w);
		break;
	}
}

static void board_act(struct world *w, enum board_event event, const struct packet *p)
{
	struct process *process = &w->process;
	struct hello hello;
	struct frame frame;
	size_t offset = 0;

	if (event == BOARD_NOTHING)
		return;
	memset(process, 0, sizeof(*process));
	if (event == BOARD_STOP)
		return;
	process->running = true;
	process->nonce = w->admitted;
	if (w->board_config.gate)
		return;
	assert_true(board_session_is_hello(p->data, p->len));
	frame = wire_expect(p->data, p->len, &offset, FRAME_HELLO);
	assert_int_equal(hello_get(&frame, &hello), 0);
	process->nonce = hello.nonce;
}

static void process_read(struct world *w)
{
	struct process *process = &w->process;
	enum kind kind = process_kind(process->nonce);
	const uint8_t *data;
	size_t len;

	if (!process->running || process->deaf || w->process_stopped)
		return;
	if (kind == DEAF) {
		board_session_discard_input(w->board);
		process->deaf = true;
		return;
	}
	data = board_session_input(w->board, &len);
	len = below(w, len + 1);
	if (kind == CAT && len > 1000 - process->held)
		len = 1000 - process->held; /* its pipe is full */
	/* A process whose host is gone may read garbage, made of a half transfer and the next one.
	 * It is ended soon. */
	if (process->nonce == w->nonce)
		for (size_t i = 0; i < len; i++)
			assert_int_equal(
				data[i], stream_byte(process->nonce, INPUT, process->read + i));
	board_session_consume(w->board, len);
	process->read += len;
	if (kind == CAT)
		process->held += len;
}

static void board_receive(struct world *w)
{
	struct packet *p = &w->out.packets[0];

	if (w->out.count == 0)
		return;
	board_act(w, board_session_receive(w->board, p->data, p->len, w->now_ms), p);
	if (below(w, 2))
		process_read(w); /* straight from the transfer */
	board_session_keep(w->board);
	queue_remove(&w->out, 0);
}

static uint64_t process_left(const struct world *w)
{
	const struct process *process = &w->process;

	switch (process_kind(process->nonce)) {
	case CAT:
		return process->held;
	case SINK:
		return 0;
	default:
		return process_total(w, process->nonce) - process->written;
	}
}

static void process_write(struct world *w, struct transfer *t, enum frame_type type)
{
	struct process *process = &w->process;
	bool note = type == FRAME_NOTE;
	uint64_t *at = note ? &process->noted : &process->written;
	uint64_t left = note ? process_notes(process->nonce) - process->noted : process_left(w);
	enum stream stream = note ? NOTES : process_kind(process->nonce) == CAT ? INPUT : OUTPUT;
	size_t n = board_session_room(w->board, t);

	n = below(w, (n < left ? n : left) + 1);
	for (size_t i = 0; i < n; i++)
		link_payload(t)[i] = stream_byte(process->nonce, stream, (*at)++);
	board_session_put(w->board, t, type, n);
	if (!note && process_kind(process->nonce) == CAT)
		process->held -= n;
}

static bool process_ended(const struct world *w)
{
	const struct process *process = &w->process;
	enum kind kind = process_kind(process->nonce);

	if (process_left(w) > 0 || process->noted < process_notes(process->nonce))
		return false;
	return kind == PRODUCER || kind == DEAF || board_session_input_ended(w->board);
}

static void board_send(struct world *w)
{
	uint8_t buffer[BUFFER];
	struct transfer t;
	size_t len;

	if (w->in.count == w->depth)
		return;
	board_session_begin(w->board, &t, buffer);
	if (w->process.running && !w->process_stopped) {
		process_write(w, &t, FRAME_DATA);
		process_write(w, &t, FRAME_NOTE);
		if (process_ended(w)) {
			board_session_exit(w->board, process_code(w->process.nonce), 0);
			w->process.running = false;
		}
	}
	len = board_session_finish(w->board, &t);
	if (len == 0)
		return;
	check_transfer(len, w->host_config.max_transfer);
	queue_put(w, &w->in, buffer, len);
}

/* Stops one of the pipes or the process, or lets it continue. */
static void toggle(struct world *w)
{
	switch (below(w, 3)) {
	case 0:
		w->stdin_blocked = !w->stdin_blocked;
		break;
	case 1:
		w->stdout_blocked = !w->stdout_blocked && host_session_is_open(w->host);
		host_session_block(w->host, w->stdout_blocked, w->now_ms);
		break;
	case 2:
		w->process_stopped = !w->process_stopped;
		break;
	}
}

/* Kills the host and starts another one, with or without a reset of the lane. */
static void fault_new_host(struct world *w, bool reset)
{
	if (reset) {
		w->out.count = w->in.count = w->half.len = 0;
		board_act(w, board_session_drop(w->board), NULL);
	} else if (w->out.count > 0 && below(w, 2)) {
		struct packet *p = &w->out.packets[--w->out.count];

		w->half = *p;
		w->half.len = below(w, p->len + 1);
	}
	host_open(w);
}

static void fault_queue(struct world *w, struct queue *q)
{
	uint8_t garbage[100];
	size_t at = q->count ? below(w, q->count) : 0;

	switch (below(w, 3)) {
	case 0:
		if (q->count > 0)
			queue_remove(q, at);
		break;
	case 1:
		if (q->count > 0)
			q->packets[at].len = below(w, q->packets[at].len + 1);
		break;
	case 2:
		for (size_t i = 0; i < sizeof(garbage); i++)
			garbage[i] = (uint8_t)random_next(&w->seed);
		garbage[0] |= 0x80; /* with a valid type it could be taken for a frame */
		if (q->count < w->depth)
			queue_put(w, q, garbage, 1 + below(w, sizeof(garbage)));
		break;
	}
}

static void fault(struct world *w)
{
	w->faults--;
	switch (below(w, 7)) {
	case 0:
		fault_new_host(w, true);
		break;
	case 1:
		fault_new_host(w, false);
		break;
	case 2:
		fault_queue(w, &w->out);
		break;
	case 3:
		fault_queue(w, &w->in);
		break;
	case 4: /* the host sleeps for longer than the lease */
		w->now_ms += LEASE_MS_MAX;
		board_act(w, board_session_tick(w->board, w->now_ms), NULL);
		break;
	case 5: /* the board's daemon exits and starts again */
		board_session_end(w->board, RESET_SHUTDOWN, "bye");
		w->process.running = false;
		break;
	case 6: /* the bus is reset, and the host does not notice */
		w->out.count = w->in.count = w->half.len = 0;
		board_act(w, board_session_drop(w->board), NULL);
		break;
	}
}

static void world_step(struct world *w)
{
	w->now_ms += below(w, 3);
	host_clock(w);
	board_act(w, board_session_tick(w->board, w->now_ms), NULL);
	switch (below(w, 6)) {
	case 0:
		host_send(w);
		break;
	case 1:
		host_receive(w);
		break;
	case 2:
		board_receive(w);
		break;
	case 3:
		process_read(w);
		break;
	case 4:
		board_send(w);
		break;
	case 5:
		if (below(w, 300) == 0)
			toggle(w);
		if (w->faults > 0 && below(w, 50) == 0)
			fault(w);
		break;
	}
}

static uint32_t random_window(struct world *w)
{
	static const uint32_t windows[] = {1, 2, 3, 4, 5, 7, 8, 63, 64, 1000, 4096, 20000};

	return windows[below(w, sizeof(windows) / sizeof(windows[0]))];
}

/* The size of a buffer of the host or the board: TRANSFER_MIN half of the time. */
static uint32_t random_buffer(struct world *w)
{
	return below(w, 2) ? TRANSFER_MIN
			   : TRANSFER_MIN + (uint32_t)below(w, BUFFER - TRANSFER_MIN);
}

static void world_run(struct world *w, uint64_t seed, int faults)
{
	unsigned long steps = 0;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->faults = faults;
	w->depth = 1 + below(w, DEPTH_MAX);
	w->board_config.window = random_window(w);
	w->board_config.max_transfer = random_buffer(w);
	w->board_config.max_send = random_buffer(w);
	w->board_config.version = "1";
	w->gate = (struct board_gate){gate_ask, gate_check, w, "board", 0, NULL};
	w->board_config.gate = below(w, 2) ? &w->gate : NULL;
	w->host_config.max_transfer = random_buffer(w);
	w->host_config.lease_ms = below(w, 2) ? 0 : 2000;
	w->board = board_session_new(&w->board_config);
	w->host = host_session_new(&w->host_config);
	assert_non_null(w->board);
	assert_non_null(w->host);
	host_open(w);
	while (!w->finished) {
		assert_true(steps++ < STEPS_MAX);
		world_step(w);
	}
	board_session_free(w->board);
	host_session_free(w->host);
	totals.resets += w->resets;
	totals.broken += w->broken;
	totals.dead += w->dead;
	totals.retries += w->retries;
}

/* Without a fault the first session reaches EXIT in every schedule. */
static void without_faults(void **state)
{
	static struct world w;
	uint64_t seed = random_seed();

	for (int i = 0; i < WORLDS; i++) {
		world_run(&w, random_next(&seed), 0);
		assert_int_equal(w.opens, 1);
	}
}

static void with_faults(void **state)
{
	static struct world w;
	uint64_t seed = random_seed();

	memset(&totals, 0, sizeof(totals));
	for (int i = 0; i < WORLDS; i++)
		world_run(&w, random_next(&seed), 1 + i % 10);
	printf("# %d worlds: %u clean exits, %u RESET, %u broken, %u silent, %u HELLO retries\n",
		WORLDS, totals.clean, totals.resets, totals.broken, totals.dead, totals.retries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_faults),
		cmocka_unit_test(with_faults),
	};

	return cmocka_run_group_tests_name("link_pair", tests, NULL, NULL);
}
