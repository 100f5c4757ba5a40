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

/* Field 0 is the command. The functions below note the first field that is missing or malformed,
 * and then return 0, "" or NULL. A handler reads all its fields, checks args_wrong() once, and
 * returns without a reply if it is set: its caller then reports the field to the client. */
struct args {
	struct field *fields;
	unsigned int count, max;
	const char *wrong; /* what is wrong with wrong_field; NULL: no field is wrong */
	unsigned int wrong_field;
};

/* Makes room for max fields. Returns 0, -ENOMEM. */
int args_init(struct args *args, unsigned int max);
void args_free(struct args *args);

/* Splits a line of len bytes at its spaces. The byte after the line is overwritten. Returns 0;
 * -E2BIG: there are more than max fields; -EILSEQ: there is a NUL byte. */
int args_split(struct args *args, char *line, size_t len);

/* Whether a field was wrong. */
static inline bool args_wrong(const struct args *args)
{
	return args->wrong != NULL;
}

/* Notes that the field is wrong, unless another one was noted before. `why` is not copied. */
void args_refuse(struct args *args, unsigned int field, const char *why);

/* The text of a field, "" if it is missing. */
const char *args_text(struct args *args, unsigned int field);

/* A number from min to max, decimal, or hexadecimal with 0x. */
uint64_t args_unsigned(struct args *args, unsigned int field, uint64_t min, uint64_t max);
int64_t args_signed(struct args *args, unsigned int field, int64_t min, int64_t max);

/* The number of a handle: any whole number. handle_get() finds out whether the handle exists. */
int64_t args_handle(struct args *args, unsigned int field);

/* Whether the field is a number that args_unsigned() would accept. Notes nothing. */
bool args_is_number(const struct args *args, unsigned int field);

/* Decodes a base64 field in place. Returns the bytes, which are not aligned and live as long as the
 * line. The field is wrong, and NULL is returned, if there are not exactly `size` bytes. */
void *args_base64(struct args *args, unsigned int field, size_t size);

/* The fields from first to last as one text, with the original spaces between them. */
const char *args_join(struct args *args, unsigned int first, unsigned int last);

#endif
