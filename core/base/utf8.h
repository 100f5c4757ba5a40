/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8, RFC 3629. */
#ifndef CORE_BASE_UTF8_H
#define CORE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the length in bytes of the character at `text`, which ends with a NUL somewhere. Returns
 * 0 if the bytes are invalid, an overlong form or a surrogate. A NUL has the length 1. */
size_t utf8_length(const unsigned char *text);

/* Returns true if the whole text is valid; an empty one is. */
bool utf8_valid(const char *text);

#endif
