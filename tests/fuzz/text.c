/* SPDX-License-Identifier: Apache-2.0 */
/* Text commands: a session over whatever comes, from the first byte to the end of input. */
#include "tests/fuzz/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	session("", data, size);
	return 0;
}
