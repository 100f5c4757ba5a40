/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a command line, split in place, and their values. */
#ifndef CORE_BPFD_TEXT_ARGS_H
#define CORE_BPFD_TEXT_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field {
	char *text; /* ends with a NUL */
	size_t len;
};

/* Field 0 is the command. The functions below note the first field that is missing or malformed
 * and then answer 0 or NULL: a handler reads all its fields, looks once at args_wrong(), and
 * returns without a reply if it is set; the client is then told. */
struct args {
	struct field *fields;
	unsigned int count, max;
	const char *wrong; /* what is wrong, NULL: nothing */
	unsigned int wrong_field;
};

/* Makes room for max fields. Returns 0, -ENOMEM. */
int args_init(struct args *args, unsigned int max);
void args_free(struct args *args);

/* Splits a line of len bytes, with one more byte of room behind them, at its spaces. Returns 0;
 * -E2BIG: more than max fields; -EILSEQ: a NUL byte. */
int args_split(struct args *args, char *line, size_t len);

/* Whether a field was wrong. */
static inline bool args_wrong(const struct args *args)
{
	return args->wrong != NULL;
}

/* Notes that the field is wrong, and why (a constant), unless one was noted before. */
void args_refuse(struct args *args, unsigned int field, const char *why);

/* The text of a field, "" if it is missing. */
const char *args_text(struct args *args, unsigned int field);

/* A number, decimal or with 0x hexadecimal, from min to max. */
uint64_t args_unsigned(struct args *args, unsigned int field, uint64_t min, uint64_t max);
int64_t args_signed(struct args *args, unsigned int field, int64_t min, int64_t max);

/* A handle's number: any whole number, handle_get() tells whether there is one. */
int64_t args_handle(struct args *args, unsigned int field);

/* Whether the field is a number as above; notes nothing. */
bool args_is_number(const struct args *args, unsigned int field);

/* Decodes a base64 field in place: the result lives as long as the line. Its decoded length must
 * be size. NULL if it is wrong. The bytes are not aligned. */
void *args_base64(struct args *args, unsigned int field, size_t size);

/* The fields from first to last as one text, with the spaces that were between them. */
const char *args_join(struct args *args, unsigned int first, unsigned int last);

#endif
