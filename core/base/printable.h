/* SPDX-License-Identifier: Apache-2.0 */
/* Makes foreign text safe for terminals and for lines of text. */
#ifndef CORE_BASE_PRINTABLE_H
#define CORE_BASE_PRINTABLE_H

#include <stddef.h>

/* Replaces every byte that is not printable ASCII by '?', NUL bytes too. */
static inline void printable_ascii(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
}

/* Replaces control characters by '?', NUL bytes too. Bytes from 0x80 on, as in UTF-8, stay. */
static inline void printable_text(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

#endif
