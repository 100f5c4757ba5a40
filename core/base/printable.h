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

/* Replaces each control character, NUL included, by '?': also U+0080 to U+009F in UTF-8, which
 * terminals obey like escape sequences. Other bytes from 0x80 on, as in UTF-8, stay. */
static inline void printable_text(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f)
			text[i] = '?';
		else if (i && (unsigned char)text[i - 1] == 0xc2 && c >= 0x80 && c < 0xa0)
			text[i - 1] = text[i] = '?';
	}
}

#endif
