/* SPDX-License-Identifier: Apache-2.0 */
/* The board's end of the link: transfers of a hostile host, and all that else may happen. */
#include "tests/fuzz/link.h"

#include "core/board_session.h"

#define WINDOW 512

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

static void receive(struct board_session *s, uint8_t *transfer, size_t len, uint64_t now)
{
	bool was_open = board_session_is_open(s);
	enum board_event event = board_session_receive(s, transfer, len, now);

	MUST(event != BOARD_START || board_session_is_open(s));
	MUST(event != BOARD_STOP || (was_open && !board_session_is_open(s)) || len);
	board_session_is_hello(transfer, len);
	describe(transfer, len);
	free(transfer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct board_config config = {TRANSFER_MIN, TRANSFER_MIN, WINDOW, "1"};
	struct board_session *s = board_session_new(&config);
	struct rpc_in in = {data, size, false};
	uint64_t now = 1000;
	uint32_t seq = 0;
	size_t len;

	while (in.size && !in.failed) {
		unsigned int op = rpc_get_u8(&in);

		switch (op % 9) {
		case 0:
			receive(s, raw_transfer(&in, &len), len, now);
			break;
		case 1:
		case 2: {
			uint8_t *transfer = counted_transfer(&in, &seq, &len);

			receive(s, transfer, len, now);
			break;
		}
		case 3:
			send_something(s, rpc_get_u16(&in));
			break;
		case 4:
			board_session_input(s, &len);
			MUST(len <= WINDOW);
			board_session_consume(s, op & 64 ? len : len / 2);
			break;
		case 5:
			now += rpc_get_u16(&in);
			MUST(board_session_tick(s, now) == BOARD_NOTHING ||
				!board_session_is_open(s));
			break;
		case 6:
			board_session_exit(s, 3, 0);
			break;
		case 7:
			board_session_discard_input(s);
			break;
		case 8:
			if (op & 64)
				board_session_drop(s);
			else
				board_session_end(s, RESET_SHUTDOWN, NULL);
			seq = 0;
		}
	}
	board_session_free(s);
	return 0;
}
