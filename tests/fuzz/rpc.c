/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the binary protocol: the input is the stream after BPFD_RPC.
 *
 * If bit 0 of the first byte is set, the rest is the raw stream; if not, it is a list of operation,
 * length and payload. Text commands first make maps, a program and a ring, so that there are
 * handles. */
#include "tests/fuzz/session.h"

#include "core/messages/rpc.h"

#define MAPS                                       \
	"BPF_CREATE_MAP 1 m 4 8 16 0\n"            \
	"BPF_CREATE_MAP 2 a 4 8 16 1024\n"         \
	"BPF_CREATE_MAP 27 r 0 0 4096 0\n"         \
	"BPF_PROG_LOAD 1 p 8 GPL 0 lAAAAAAAAAA=\n" \
	"BPF_OPEN_PERF_BUFFER -1 0 1\nBPFD_RPC 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = {data, size, false};
	struct bytes_out out = {.data = NULL};
	unsigned int kind = bytes_get_u8(&in);
	uint32_t tag = 0;

	if (kind & 1) {
		session(MAPS, in.data, in.size);
		return 0;
	}
	while (in.size && !in.failed) {
		unsigned int op = bytes_get_u8(&in);
		size_t length = bytes_get_u16(&in), start;

		length = length < in.size ? length : in.size;
		start = rpc_begin(&out, op, 0, ++tag);
		if (length)
			memcpy(bytes_put_room(&out, length), in.data, length);
		rpc_end(&out, start);
		in.data += length;
		in.size -= length;
	}
	session(MAPS, out.data, out.size);
	bytes_out_free(&out);
	return 0;
}
