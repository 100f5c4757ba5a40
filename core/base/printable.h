/* SPDX-License-Identifier: Apache-2.0 */
/* Makes text of another program safe for a terminal and for one line. */
#ifndef CORE_BASE_PRINTABLE_H
#define CORE_BASE_PRINTABLE_H

#include <stddef.h>

/* Replaces each byte that is not printable ASCII, NUL included, by '?'. */
static inline void printable_ascii(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
}

/* Replaces each control character, NUL included, by '?'. Bytes from 0x80 on, as in UTF-8, stay. */
static inline void printable_text(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

#endif
