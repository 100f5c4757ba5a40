/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and decodes base64 with tables. */
#include "core/base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define BASE64_BAD 0x80 /* marks a byte that is no digit; OR-ing digits keeps the bit */

/* The two digits of each 12-bit number: a table of 8 KiB that halves the work. */
/* clang-format off */
#define P(a) \
	a "A" a "B" a "C" a "D" a "E" a "F" a "G" a "H" a "I" a "J" a "K" a "L" a "M" a "N" a "O" a "P" \
	a "Q" a "R" a "S" a "T" a "U" a "V" a "W" a "X" a "Y" a "Z" a "a" a "b" a "c" a "d" a "e" a "f" \
	a "g" a "h" a "i" a "j" a "k" a "l" a "m" a "n" a "o" a "p" a "q" a "r" a "s" a "t" a "u" a "v" \
	a "w" a "x" a "y" a "z" a "0" a "1" a "2" a "3" a "4" a "5" a "6" a "7" a "8" a "9" a "+" a "/"
static const char pairs[] =
	P("A") P("B") P("C") P("D") P("E") P("F") P("G") P("H")
	P("I") P("J") P("K") P("L") P("M") P("N") P("O") P("P")
	P("Q") P("R") P("S") P("T") P("U") P("V") P("W") P("X")
	P("Y") P("Z") P("a") P("b") P("c") P("d") P("e") P("f")
	P("g") P("h") P("i") P("j") P("k") P("l") P("m") P("n")
	P("o") P("p") P("q") P("r") P("s") P("t") P("u") P("v")
	P("w") P("x") P("y") P("z") P("0") P("1") P("2") P("3")
	P("4") P("5") P("6") P("7") P("8") P("9") P("+") P("/");
/* clang-format on */
#undef P
_Static_assert(sizeof(pairs) == 2 * 64 * 64 + 1, "all pairs");

#define BAD   BASE64_BAD
#define BAD16 BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD
static const uint8_t values[256] = {
	BAD16, BAD16, /* control characters */
	BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, 62, BAD, BAD, BAD, 63, /* + / */
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, BAD, BAD, BAD, BAD, BAD, BAD,	      /* 0-9 */
	BAD, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,			      /* A-O */
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, BAD, BAD, BAD, BAD, BAD,	      /* P-Z */
	BAD, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,	      /* a-o */
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, BAD, BAD, BAD, BAD, BAD,	      /* p-z */
	BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, BAD16, /* not ASCII */
};

void base64_encode(char *text, const void *data, size_t size)
{
	const uint8_t *d = data;
	uint32_t bits;

	for (; size >= 3; size -= 3, d += 3, text += 4) {
		bits = (uint32_t)d[0] << 16 | (uint32_t)d[1] << 8 | d[2];
		memcpy(text, pairs + 2 * (bits >> 12), 2);
		memcpy(text + 2, pairs + 2 * (bits & 4095), 2);
	}
	if (!size)
		return;
	bits = (uint32_t)d[0] << 16 | (size == 2 ? (uint32_t)d[1] << 8 : 0);
	memcpy(text, pairs + 2 * (bits >> 12), 2);
	text[2] = size == 2 ? pairs[2 * (bits >> 6 & 63) + 1] : '=';
	text[3] = '=';
}

/* Decodes four digits to three bytes. The digits are read before the bytes are written, and the
 * output is never ahead of the input, so decoding in place works. Returns the OR of all values. */
static unsigned int decode_group(uint8_t *data, const uint8_t *text)
{
	uint8_t a = values[text[0]], b = values[text[1]], c = values[text[2]], d = values[text[3]];
	uint32_t bits = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;

	data[0] = (uint8_t)(bits >> 16);
	data[1] = (uint8_t)(bits >> 8);
	data[2] = (uint8_t)bits;
	return a | b | c | d;
}

ssize_t base64_decode(void *data, const char *text, size_t len)
{
	const uint8_t *in = (const uint8_t *)text;
	size_t groups = len / 4, padding = 0;
	uint8_t *out = data, last_text[4], last[3];
	unsigned int seen = 0;

	if (len % 4)
		return -EINVAL;
	if (!len)
		return 0;
	for (; --groups; in += 4, out += 3)
		seen |= decode_group(out, in);
	memcpy(last_text, in, sizeof(last_text));
	while (padding < 2 && last_text[3 - padding] == '=')
		last_text[3 - padding++] = 'A'; /* decodes as zero bits */
	seen |= decode_group(last, last_text);
	if (seen & BASE64_BAD)
		return -EINVAL;
	memcpy(out, last, sizeof(last) - padding);
	return out - (uint8_t *)data + (ssize_t)(sizeof(last) - padding);
}
