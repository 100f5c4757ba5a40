/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/utf8.h"

#include <stdint.h>

size_t utf8_length(const unsigned char *text)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	uint32_t code;
	size_t more = 0;

	while (more < 4 && (text[0] & forms[more].mask) != forms[more].lead)
		more++;
	if (more == 4)
		return 0;
	code = (uint32_t)(text[0] & ~forms[more].mask);
	for (size_t i = 1; i <= more; i++) {
		if ((text[i] & 0xc0) != 0x80) /* NUL at the end of the text also fails here */
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < forms[more].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return more + 1;
}

bool utf8_valid(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length;

	for (; *at; at += length) {
		length = utf8_length(at);
		if (length == 0)
			return false;
	}
	return true;
}
