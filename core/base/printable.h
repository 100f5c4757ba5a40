/* SPDX-License-Identifier: Apache-2.0 */
/* Makes text of another program safe for a terminal and for one line. */
#ifndef CORE_BASE_PRINTABLE_H
#define CORE_BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Replaces each byte that is not printable ASCII, NUL included, by '?'. */
static inline void printable_ascii(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
}

/* True if a control character ends at byte i: also U+0080 to U+009F in UTF-8, which terminals obey
 * like escape sequences. Other bytes from 0x80 on, as in UTF-8, are none. */
static inline bool printable_control_ends(const char *text, size_t i)
{
	unsigned char c = (unsigned char)text[i];

	return c < ' ' || c == 0x7f ||
	       (i && (unsigned char)text[i - 1] == 0xc2 && c >= 0x80 && c < 0xa0);
}

/* Replaces each control character, NUL included, by '?'. */
static inline void printable_text(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!printable_control_ends(text, i))
			continue;
		if ((unsigned char)text[i] >= 0x80)
			text[i - 1] = '?';
		text[i] = '?';
	}
}

/* True if the text has no control character. */
static inline bool printable_is_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (printable_control_ends(text, i))
			return false;
	return true;
}

#endif
