/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the banner and first replies of bpfd, as bpfd-run and bpfd-usb read them. */
#include "host-usb/replies.h"
#include "host-usb/run/via.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct via via = {.in = memory_file(data, size), .out = memory_file("", 0)};
	int err = via_handshake(&via, "fuzz");
	struct replies whole = {.len = 0}, bytes = {.len = 0};
	size_t at = 0, taken;

	MUST(!err || err == -EPROTO);
	close(via.in);
	close(via.out);
	/* The replies are the same if they arrive at once or byte by byte. */
	while (at < size) {
		uint8_t *rest = exact_copy(data + at, size - at);

		taken = replies_take(&whole, rest, size - at);
		MUST(taken && taken <= size - at);
		free(rest);
		at += taken;
	}
	for (at = 0; at < size; at++)
		MUST(replies_take(&bytes, data + at, 1) == 1);
	MUST(replies_ready(&whole) == replies_ready(&bytes) && whole.count == bytes.count);
	MUST(!strcmp(whole.first, bytes.first));
	return 0;
}
