/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the text commands: the input is that of a whole session. */
#include "tests/fuzz/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	session("", data, size);
	return 0;
}
