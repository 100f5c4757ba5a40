/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the host's end of the link: transfers of a hostile board. */
#include "tests/fuzz/link.h"

#include "core/link/host_session.h"

#define NONCE UINT64_C(0x6e6f6e6365303031)

static void send_something(struct host_session *s, unsigned int wanted)
{
	static uint8_t buffer[TRANSFER_MIN];
	struct transfer t;
	size_t room;

	host_session_begin(s, &t, buffer);
	room = host_session_room(s, &t);
	MUST(room <= host_session_credit(s));
	room = room < wanted ? room : wanted;
	memset(link_payload(&t), 'i', room);
	host_session_put(s, &t, room);
	check_sent(buffer, host_session_finish(s, &t), TRANSFER_MIN);
}

static void answer(struct host_session *s, uint64_t now)
{
	const struct auth_challenge *challenge = host_session_challenge(s);
	struct auth_response response = {.key = {1}};
	uint8_t message[AUTH_MESSAGE_MAX];

	MUST(!host_session_is_open(s) && strlen(challenge->serial) <= LINK_SERIAL_MAX);
	MUST(host_session_message(s, response.key, message) <= AUTH_MESSAGE_MAX);
	/* Lane 9 plays a user who does not agree: there is no answer. */
	if (challenge->lane != 9)
		host_session_answer(s, &response, now);
}

static void receive(struct host_session *s, struct bytes_in *in, uint32_t *seq, uint64_t now)
{
	struct host_event event;
	size_t offset = 0, len;
	uint8_t *transfer = take_transfer(in, seq, &len);

	host_session_heard(s, now);
	while (host_session_next(s, transfer, len, &offset, &event) != HOST_NONE) {
		if (event.type == HOST_OUTPUT || event.type == HOST_NOTE)
			MUST(event.data >= transfer && event.data + event.len <= transfer + len);
		MUST(event.type < HOST_EXIT || !host_session_is_open(s));
		if (event.type == HOST_ASKED)
			answer(s, now);
	}
	describe(transfer, len);
	free(transfer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct host_config config = {TRANSFER_MIN, 0, 0};
	struct host_session *s = host_session_new(&config);
	struct bytes_in in = {data, size, false};
	uint64_t now = 1000;
	uint32_t seq = 0;

	host_session_open(s, NONCE, now);
	while (in.size && !in.failed) {
		switch (bytes_get_u8(&in) % 9) {
		case 0:
			send_something(s, bytes_get_u16(&in));
			break;
		case 1:
			now += bytes_get_u16(&in);
			if (host_session_tick(s, now) == HOST_TICK_RETRY)
				host_session_open(s, NONCE, now);
			break;
		case 2:
			host_session_block(s, bytes_get_u8(&in) & 1, now);
			break;
		case 3:
			host_session_eof(s);
			break;
		case 4:
			host_session_close(s);
			break;
		case 5:
			host_session_open(s, NONCE, now);
			seq = 0;
			break;
		default:
			receive(s, &in, &seq, now);
		}
	}
	host_session_free(s);
	return 0;
}
