// SPDX-License-Identifier: Apache-2.0
// Tests that PROTOCOL.md agrees with the code: its example session, its tables, its numbers.
//
// BPFD_WRITE_EXAMPLE=FILE writes the example that the code makes, for PROTOCOL.md.
#include "tests/unit/link_test.h"

#include "core/bpfd/text/command.h"
#include "core/link/board_session.h"
#include "core/link/host_session.h"
#include "core/link/ssh.h"
#include "core/messages/bpf_abi.h"
#include "core/messages/rpc.h"

#include <sodium.h>

#define DOCUMENT     "PROTOCOL.md" /* tests run in the top directory of the tree */
#define BEGIN	     "<!-- the example that tests/unit/test_protocol.c makes -->\n```\n"
#define END	     "```\n"
#define LINE_BYTES   16
#define MAX_TRANSFER 16384u

static char *document;

static int read_document(void **state)
{
	FILE *in = fopen(DOCUMENT, "r");
	size_t size = 0;

	if (!in || getdelim(&document, &size, '\0', in) < 0)
		fail_msg("%s: cannot be read", DOCUMENT);
	fclose(in);
	return 0;
}

static int free_document(void **state)
{
	free(document);
	return 0;
}

static void expect_text(const char *text)
{
	if (!strstr(document, text))
		fail_msg("%s lacks: %s", DOCUMENT, text);
}

/* Writes a line: bytes in hexadecimal and their meaning. Returns where the next bytes are. */
static const uint8_t *put_line(FILE *out, const uint8_t *bytes, size_t len, const char *what)
{
	char hex[3 * LINE_BYTES + 1] = "";

	assert_true(len <= LINE_BYTES);
	for (size_t i = 0; i < len; i++)
		sprintf(hex + 3 * i, "%02x ", bytes[i]);
	fprintf(out, *what ? "  %-*s %s\n" : "  %-*.47s%s\n", 3 * LINE_BYTES - !*what, hex, what);
	return bytes + len;
}

static void put_number(
	FILE *out, const uint8_t **at, size_t len, const char *what, const char *unit)
{
	unsigned long long value = 0;
	char text[100];

	for (size_t i = 0; i < len; i++)
		value |= (unsigned long long)(*at)[i] << (8 * i);
	snprintf(text, sizeof(text), "%s %llu%s", what, value, unit);
	*at = put_line(out, *at, len, text);
}

static void put_text(FILE *out, const uint8_t *at, size_t len)
{
	while (len > 0) {
		size_t n = len < LINE_BYTES ? len : LINE_BYTES, used = 0;
		char text[2 * LINE_BYTES + 3];

		text[used++] = '"';
		for (size_t i = 0; i < n; i++) {
			if (at[i] == '\n')
				text[used++] = '\\';
			text[used++] = at[i] == '\n' ? 'n' : (char)at[i];
		}
		text[used++] = '"';
		text[used] = '\0';
		at = put_line(out, at, n, text);
		len -= n;
	}
}

static const uint8_t *put_hello(FILE *out, const uint8_t *at, bool reply)
{
	at = put_line(out, at, 4, "magic \"BPFD\"");
	at = put_line(out, at, 2, "major, minor");
	put_number(out, &at, 2, "flags", "");
	put_number(out, &at, 4, "receive buffer", " bytes");
	at = put_line(out, at, 8, reply ? "the nonce of HELLO" : "nonce, random");
	put_number(out, &at, 4, "lease", " ms");
	return at;
}

static void put_payload(FILE *out, const struct frame *frame)
{
	const uint8_t *at = frame->payload, *end = at + frame->len;

	switch (frame->type) {
	case FRAME_HELLO:
	case FRAME_HELLO_REPLY:
		at = put_hello(out, at, frame->type == FRAME_HELLO_REPLY);
		if (frame->type == FRAME_HELLO)
			break;
		put_number(out, &at, 4, "window", " bytes");
		put_number(out, &at, 2, "status", "");
		break;
	case FRAME_AUTH_CHALLENGE:
		at = put_hello(out, at, true);
		at = put_line(out, at, 16, "the board's nonce, random");
		at = put_line(out, at, 16, "");
		put_number(out, &at, 1, "tries", "");
		put_number(out, &at, 1, "lane", "");
		break;
	case FRAME_AUTH_RESPONSE:
		for (size_t i = 0; i < 6; i++)
			at = put_line(out, at, 16, i == 0 ? "key" : i == 2 ? "signature" : "");
		break;
	case FRAME_WINDOW:
		put_number(out, &at, 8, "consumed", "");
		break;
	case FRAME_EXIT:
		put_number(out, &at, 1, "code", "");
		put_number(out, &at, 1, "signal", "");
		put_number(out, &at, 8, "received", "");
		put_number(out, &at, 8, "sent", "");
		break;
	case FRAME_RESET:
		put_number(out, &at, 2, "reason", "");
		at = put_line(out, at, 8, "the nonce of HELLO");
		break;
	default:
		break;
	}
	put_text(out, at, (size_t)(end - at));
}

static void put_transfer(FILE *out, bool from_host, const struct transfer *t)
{
	struct frame frame;
	size_t offset = 0, start = 0;
	char text[100];

	fprintf(out, "%s, a transfer of %zu bytes\n", from_host ? "host -> board" : "board -> host",
		t->len);
	while (frame_next(t->data, t->len, &offset, &frame) == 1) {
		snprintf(text, sizeof(text), "%s, %u bytes of payload, seq %lu",
			frame_name(frame.type), frame.len, (unsigned long)frame.seq);
		put_line(out, t->data + start, FRAME_HEADER, text);
		put_payload(out, &frame);
		start = offset;
	}
	assert_int_equal(offset, t->len);
}

struct example {
	FILE *out;
	struct host_session *host;
	struct board_session *board;
	uint8_t buffer[MAX_TRANSFER];
	struct transfer t;
};

static void host_sends(struct example *e, const char *input)
{
	size_t len = strlen(input);

	host_session_begin(e->host, &e->t, e->buffer);
	memcpy(link_payload(&e->t), input, len);
	host_session_put(e->host, &e->t, len);
	assert_true(host_session_finish(e->host, &e->t) > 0);
	put_transfer(e->out, true, &e->t);
	assert_int_not_equal(board_session_receive(e->board, e->buffer, e->t.len, 0), BOARD_STOP);
	board_session_input(e->board, &len);
	board_session_consume(e->board, len);
}

static enum host_event_type board_sends(struct example *e, const char *output)
{
	size_t len = strlen(output), offset = 0;
	enum host_event_type type, last = HOST_NONE;
	struct host_event event;

	board_session_begin(e->board, &e->t, e->buffer);
	memcpy(link_payload(&e->t), output, len);
	board_session_put(e->board, &e->t, FRAME_DATA, len);
	assert_true(board_session_finish(e->board, &e->t) > 0);
	put_transfer(e->out, false, &e->t);
	host_session_heard(e->host, 0);
	while ((type = host_session_next(e->host, e->buffer, e->t.len, &offset, &event)))
		last = type;
	return last;
}

static void make_session(struct example *e)
{
	host_session_open(e->host, 0x1122334455667788, 0);
	host_sends(e, "");
	assert_int_equal(board_sends(e, "STARTED_BPFD\n"), HOST_OUTPUT);
	host_sends(e, "BPF_CREATE_MAP 1 count 8 40 10240 0\n");
	board_sends(e, "START_BPFD_OUTPUT\nbpf_create_map: ret=3\nEND_BPFD_OUTPUT\n");
	host_session_tick(e->host, PING_MS);
	host_sends(e, "");
	board_sends(e, "");
	host_session_eof(e->host);
	host_sends(e, "");
	board_session_exit(e->board, 0, 0);
	assert_int_equal(board_sends(e, ""), HOST_EXIT);
}

static int ask_example(void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal)
{
	for (uint8_t i = 0; i < AUTH_NONCE_SIZE; i++)
		nonce[i] = (uint8_t)(0xa0 + i);
	return 1;
}

static bool check_example(
	void *context, const struct auth_response *response, const uint8_t *message, size_t len)
{
	return ssh_verify(response, message, len);
}

/* A board that requires a key, and a host whose key has the bytes 0, 1, 2 ... 31 as its seed. */
static void make_keys_session(struct example *e)
{
	static const struct board_gate gate = {
		.ask = ask_example, .check = check_example, .serial = "bench-7", .lane = 1};
	static const struct board_config board_config = {.max_transfer = MAX_TRANSFER,
		.max_send = MAX_TRANSFER,
		.window = WINDOW_BYTES,
		.version = "0.1.0",
		.gate = &gate};
	uint8_t seed[crypto_sign_SEEDBYTES], secret[SSH_SECRET_SIZE], message[AUTH_MESSAGE_MAX];
	struct auth_response response;

	for (uint8_t i = 0; i < sizeof(seed); i++)
		seed[i] = i;
	crypto_sign_seed_keypair(response.key, secret, seed);
	fputs("\nA board that wants a key; the host's has the seed 00 01 02 up to 1f:\n\n", e->out);
	board_session_free(e->board);
	e->board = board_session_new(&board_config);
	assert_non_null(e->board);
	host_session_open(e->host, 0x1122334455667788, 0);
	host_sends(e, "");
	assert_int_equal(board_sends(e, ""), HOST_ASKED);
	ssh_sign(secret, message, host_session_message(e->host, response.key, message),
		response.signature);
	host_session_answer(e->host, &response, 0);
	host_sends(e, "");
	assert_int_equal(board_sends(e, ""), HOST_OPENED);
}

static char *make_example(void)
{
	static const struct host_config host_config = {MAX_TRANSFER, LEASE_MS, 0};
	static const struct board_config board_config = {
		.max_transfer = MAX_TRANSFER,
		.max_send = MAX_TRANSFER,
		.window = WINDOW_BYTES,
		.version = "0.1.0",
	};
	static struct example e;
	struct hello hello = wire_hello_default(0x1122334455667788);
	static struct wire w;
	size_t size;
	char *text;

	e.out = open_memstream(&text, &size);
	e.host = host_session_new(&host_config);
	e.board = board_session_new(&board_config);
	assert_non_null(e.out);
	assert_non_null(e.host);
	assert_non_null(e.board);
	make_session(&e);

	fputs("\nA new board refuses a host of another major version:\n\n", e.out);
	board_session_free(e.board);
	e.board = board_session_new(&board_config);
	assert_non_null(e.board);
	hello.major = LINK_MAJOR + 1;
	wire_hello(&w, &hello);
	assert_int_equal(board_session_receive(e.board, w.bytes, w.len, 0), BOARD_NOTHING);
	board_session_begin(e.board, &e.t, e.buffer);
	board_session_finish(e.board, &e.t);
	put_transfer(e.out, false, &e.t);
	make_keys_session(&e);
	board_session_free(e.board);
	host_session_free(e.host);
	fclose(e.out);
	return text;
}

static void write_example(const char *path, const char *made)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(made, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void example(void **state)
{
	const char *path = getenv("BPFD_WRITE_EXAMPLE");
	char *made = make_example(), *written, *end;

	if (path)
		write_example(path, made);
	written = strstr(document, BEGIN);
	assert_non_null(written);
	written += strlen(BEGIN);
	end = strstr(written, END);
	assert_non_null(end);
	*end = '\0';
	assert_string_equal(written, made);
	*end = END[0];
	free(made);
}

static void frame_types(void **state)
{
	char row[100];

	for (unsigned int type = FRAME_HELLO; type <= FRAME_AUTH_RESPONSE; type++) {
		snprintf(row, sizeof(row), "\n| %u | %s |", type, frame_name(type));
		expect_text(row);
	}
	snprintf(row, sizeof(row), "\n| %u |", FRAME_AUTH_RESPONSE + 1);
	assert_null(strstr(document, row));
}

static void reset_reasons(void **state)
{
	static const char *const names[] = {"", "PROTOCOL", "VERSION", "LEASE", "SUSPEND",
		"SHUTDOWN", "START", "NO_SESSION", "HOST", "AUTH"};
	char row[200];

	assert_int_equal(sizeof(names) / sizeof(names[0]), RESET_AUTH + 1);
	for (unsigned int reason = RESET_PROTOCOL; reason <= RESET_AUTH; reason++) {
		snprintf(row, sizeof(row), "\n| %u | %s | %s |", reason, names[reason],
			reset_reason_text(reason));
		expect_text(row);
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *name;
		unsigned long value;
		const char *unit;
	} rows[] = {
		{"major version", LINK_MAJOR, ""},
		{"minor version", LINK_MINOR, ""},
		{"header", FRAME_HEADER, " bytes"},
		{"quantum", TRANSFER_QUANTUM, " bytes"},
		{"smallest receive buffer", TRANSFER_MIN, " bytes"},
		{"largest receive buffer", TRANSFER_MAX, " bytes"},
		{"longest text", LINK_TEXT_MAX, " bytes"},
		{"default lease", LEASE_MS, " ms"},
		{"shortest lease", LEASE_MS_MIN, " ms"},
		{"longest lease", LEASE_MS_MAX, " ms"},
		{"longest time between pings", PING_MS, " ms"},
		{"longest time for an answer to AUTH_CHALLENGE", AUTH_MS, " ms"},
		{"keys that a host may show in a session", AUTH_TRIES, ""},
		{"window of this implementation", WINDOW_BYTES, " bytes"},
	};
	char row[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(row, sizeof(row), "\n| %s | %lu%s |", rows[i].name, rows[i].value,
			rows[i].unit);
		expect_text(row);
	}
}

/* A table has a row for each command, which starts with its name and its fields. */
static void commands(void **state)
{
	char *help, *line, *rest, row[300];
	size_t size;
	FILE *out = open_memstream(&help, &size);
	int count = 0;

	assert_non_null(out);
	command_help(out);
	fclose(out);
	for (line = strtok_r(help, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == ' ')
			continue;
		snprintf(row, sizeof(row), "\n| `%s` |", line);
		expect_text(row);
		count++;
	}
	free(help);
	assert_true(count > 20);
}

/* Rows start with the name, because those of the table of frames start with the number. */
static void operations(void **state)
{
	static const char *const rows[] = {
#define RPC_OP(number, name, answer, help) "\n| " #name " | " #number " | " help " |\n",
		RPC_OPS(RPC_OP)
#undef RPC_OP
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_text(rows[i]);
}

static void rpc_numbers(void **state)
{
	static const struct {
		const char *name;
		unsigned long value;
		const char *unit;
	} rows[] = {
		{"major version of the messages", RPC_MAJOR, ""},
		{"minor version of the messages", RPC_MINOR, ""},
		{"header of a message", RPC_HEADER_SIZE, " bytes"},
		{"longest payload", RPC_MESSAGE_MAX, " bytes"},
		{"payload of a part, about", RPC_PART_MAX, " bytes"},
		{"longest attributes of bpf(2)", BPF_ABI_ATTR_MAX, " bytes"},
		{"longest info", BPF_ABI_INFO_MAX, " bytes"},
		{"longest string that a pointer points to", BPF_ABI_STRING_MAX - 1, " bytes"},
	};
	char row[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(row, sizeof(row), "\n| %s | %lu%s |", rows[i].name, rows[i].value,
			rows[i].unit);
		expect_text(row);
	}
}

static void put_classes(FILE *out, unsigned int classes)
{
	static const char *const names[] = {"map", "program", "btf", "link", "event", "other"};
	const char *between = "";

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (classes & 1U << i) {
			fprintf(out, "%s%s", between, names[i]);
			between = "/";
		}
	}
}

static void put_ptr(FILE *out, const struct bpf_abi_ptr *ptr)
{
	static const char *const sizes[] = {"", "key", "value", "token", "keys", "values"};

	fprintf(out, "%u %s ", ptr->offset, ptr->direction == BPF_ABI_IN ? "in" : "out");
	if (ptr->size == BPF_ABI_STRING)
		fputs("string", out);
	else if (ptr->size == BPF_ABI_COUNT && ptr->unit == 1)
		fprintf(out, "@%u", ptr->count);
	else if (ptr->size == BPF_ABI_COUNT)
		fprintf(out, "@%ux%u", ptr->count, ptr->unit);
	else if (ptr->size == BPF_ABI_RECORDS)
		fprintf(out, "@%ux@%u", ptr->count, ptr->unit);
	else
		fputs(sizes[ptr->size], out);
}

/* Each command of bpf(2): its descriptors, with "?" where 0 means none, pointers and result. */
static void bpf_commands(void **state)
{
	for (uint32_t number = 0; number < 100; number++) {
		const struct bpf_abi_command *command = bpf_abi_find(number);
		char *row;
		size_t size;
		FILE *out;

		if (!command)
			continue;
		out = open_memstream(&row, &size);
		assert_non_null(out);
		fprintf(out, "\n| %s | %u | %u | ", command->name, number, command->end);
		for (int i = 0; command->fds[i].classes; i++) {
			fprintf(out, "%s%u ", i ? ", " : "", command->fds[i].offset);
			put_classes(out, command->fds[i].classes);
			fputs(command->fds[i].optional ? "?" : "", out);
		}
		fputs(command->fds[0].classes ? " | " : "| ", out);
		for (int i = 0; command->ptrs[i].size; i++) {
			fputs(i ? ", " : "", out);
			put_ptr(out, &command->ptrs[i]);
		}
		fputs(command->ptrs[0].size ? " | " : "| ", out);
		put_classes(out, command->returns);
		fputs(command->returns ? " |\n" : "|\n", out);
		fclose(out);
		expect_text(row);
		free(row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example),
		cmocka_unit_test(frame_types),
		cmocka_unit_test(reset_reasons),
		cmocka_unit_test(numbers),
		cmocka_unit_test(commands),
		cmocka_unit_test(operations),
		cmocka_unit_test(rpc_numbers),
		cmocka_unit_test(bpf_commands),
	};

	return cmocka_run_group_tests_name("protocol", tests, read_document, free_document);
}
