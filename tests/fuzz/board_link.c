/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the board's end of the link: transfers of a hostile host, and all other calls. */
#include "tests/fuzz/link.h"

#include "core/link/board_session.h"

#define WINDOW 512

/* *policy % 3 is the gate's answer: 0 admits any host, 1 asks for a key, 2 refuses the host. */
static int ask(void *context, uint8_t nonce[AUTH_NONCE_SIZE], struct reset_info *refusal)
{
	const uint8_t *policy = context;

	memset(nonce, 'n', AUTH_NONCE_SIZE);
	return *policy % 3 == 2 ? -1 : *policy % 3;
}

static bool check(
	void *context, const struct auth_response *response, const uint8_t *message, size_t len)
{
	uint8_t sum = 0;

	MUST(len > 0 && len <= AUTH_MESSAGE_MAX);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + message[i]);
	return response->signature[0] == 's' || response->signature[0] == sum;
}

static void send_something(struct board_session *s, unsigned int wanted)
{
	static uint8_t buffer[TRANSFER_MIN];
	struct transfer t;
	size_t room;

	board_session_begin(s, &t, buffer);
	room = board_session_room(s, &t);
	room = room < wanted ? room : wanted;
	memset(link_payload(&t), 'o', room);
	board_session_put(s, &t, wanted & 1 ? FRAME_DATA : FRAME_NOTE, room);
	check_sent(buffer, board_session_finish(s, &t), TRANSFER_MIN);
}

static void receive(struct board_session *s, struct bytes_in *in, uint32_t *seq, uint64_t now)
{
	enum board_event event;
	uint8_t *transfer;
	size_t len, input;

	transfer = take_transfer(in, seq, &len);
	event = board_session_receive(s, transfer, len, now);
	MUST(event != BOARD_START || board_session_is_open(s));
	board_session_is_hello(transfer, len);
	describe(transfer, len);
	board_session_input(s, &input);
	board_session_consume(s, input / 2);
	board_session_keep(s);
	free(transfer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = {data, size, false};
	uint8_t policy = 0;
	const struct board_gate gate = {ask, check, &policy, "serial", 3, NULL};
	const struct board_config config = {TRANSFER_MIN, TRANSFER_MIN, WINDOW, "1", &gate};
	struct board_session *s = board_session_new(&config);
	uint64_t now = 1000;
	uint8_t taken[WINDOW];
	const uint8_t *input;
	uint32_t seq = 0;
	size_t len;

	while (in.size && !in.failed) {
		switch (bytes_get_u8(&in) % 10) {
		case 0:
			send_something(s, bytes_get_u16(&in));
			break;
		case 1:
			input = board_session_input(s, &len);
			MUST(len <= WINDOW);
			if (len)
				memcpy(taken, input, len);
			board_session_consume(s, len ? bytes_get_u8(&in) % len + 1 : 0);
			break;
		case 2:
			now += bytes_get_u16(&in);
			MUST(!board_session_tick(s, now) || !board_session_is_open(s));
			break;
		case 3:
			board_session_exit(s, 3, 0);
			break;
		case 4:
			board_session_discard_input(s);
			break;
		case 5:
			board_session_drop(s);
			break;
		case 9:
			policy = bytes_get_u8(&in);
			break;
		case 6:
			board_session_end(s, RESET_SHUTDOWN, NULL);
			break;
		default:
			receive(s, &in, &seq, now);
		}
	}
	board_session_free(s);
	return 0;
}
