/* SPDX-License-Identifier: Apache-2.0 */
/* Makes transfers for the fuzzers of the link: raw bytes, or frames with right numbers. */
#ifndef TESTS_FUZZ_LINK_H
#define TESTS_FUZZ_LINK_H

#include "tests/fuzz/fuzz.h"

#include "core/link/link.h"
#include "core/messages/rpc.h"

#include <string.h>

#define FRAMES_MAX 4

/* Makes a transfer of raw bytes of the input. */
static inline uint8_t *raw_transfer(struct bytes_in *in, size_t *len)
{
	size_t wanted = bytes_get_u16(in);
	uint8_t *transfer;

	*len = wanted < in->size ? wanted : in->size;
	transfer = exact_copy(in->data, *len);
	in->data += *len;
	in->size -= *len;
	return transfer;
}

/* Makes a transfer of frames numbered from *seq on; types, lengths and payloads are input. */
static inline uint8_t *counted_transfer(struct bytes_in *in, uint32_t *seq, size_t *len)
{
	uint8_t buffer[FRAMES_MAX * (FRAME_HEADER + UINT8_MAX)];
	unsigned int frames = bytes_get_u8(in) % FRAMES_MAX + 1;

	for (*len = 0; frames; frames--) {
		unsigned int type = bytes_get_u8(in) % (FRAME_AUTH_RESPONSE + 2);
		size_t size = bytes_get_u8(in);

		size = size < in->size ? size : in->size;
		if (type == FRAME_HELLO)
			*seq = 0;
		frame_put_header(buffer + *len, type, size, (*seq)++);
		if (size)
			memcpy(buffer + *len + FRAME_HEADER, in->data, size);
		*len += FRAME_HEADER + size;
		in->data += size;
		in->size -= size;
	}
	return exact_copy(buffer, *len);
}

/* Makes one or the other, numbered frames twice as often. */
static inline uint8_t *take_transfer(struct bytes_in *in, uint32_t *seq, size_t *len)
{
	return bytes_get_u8(in) % 3 ? counted_transfer(in, seq, len) : raw_transfer(in, len);
}

/* Describes all frames, as bpfd-usb --trace does. */
static inline void describe(const uint8_t *transfer, size_t len)
{
	char text[FRAME_TEXT_MAX];
	struct frame frame;
	size_t offset = 0;

	while (frame_next(transfer, len, &offset, &frame) == 1)
		MUST(frame_describe(&frame, text, sizeof(text)) < sizeof(text) - 1);
}

/* Checks the rules for a transfer that an end sends. */
static inline void check_sent(const uint8_t *transfer, size_t len, size_t max)
{
	struct frame frame;
	size_t offset = 0;
	int n;

	MUST(!len || (len % TRANSFER_QUANTUM && len < max));
	while ((n = frame_next(transfer, len, &offset, &frame)) == 1)
		;
	MUST(n == 0);
}

#endif
