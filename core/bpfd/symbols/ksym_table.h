/* SPDX-License-Identifier: Apache-2.0 */
/* A packed table of kernel symbols in order of address: about 25 bytes a symbol. */
#ifndef CORE_BPFD_SYMBOLS_KSYM_TABLE_H
#define CORE_BPFD_SYMBOLS_KSYM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define KSYM_NAME_MAX	 511 /* KSYM_NAME_LEN - 1 of the kernels with Rust, the longest */
#define KSYM_MODULE_MAX	 16383
#define KSYM_PREFIX	 "__pfx_"
#define KSYM_PREFIX_SIZE (sizeof(KSYM_PREFIX) - 1)

/* Zero-initialised is empty. The fields are the table's own. */
struct ksym_table {
	unsigned char *names;
	size_t names_len, names_cap, last; /* last: where the last name begins */
	uint64_t last_address;
	uint32_t *low;	 /* the low half of each address */
	uint32_t *block; /* where in names each 16th symbol begins */
	uint32_t count, cap;
	struct ksym_high *high; /* the high halves, with the first symbol of each */
	uint32_t high_count;
	uint32_t *head, *next; /* hash chains by name; NULL until the first lookup by name */
	uint32_t buckets;
};

/* Appends a symbol; name is len bytes, none of them NUL. module is 0 or the
 * caller's number, to KSYM_MODULE_MAX. Returns 0, -ERANGE if the address is lower than the last
 * one, -EINVAL for a name or module that cannot be stored, -E2BIG, -ENOMEM. */
int ksym_table_add(struct ksym_table *table, uint64_t address, const char *name, size_t len,
	unsigned int module);

/* Gives back what growth reserved in advance. */
void ksym_table_trim(struct ksym_table *table);

/* The first symbol with the greatest address that is not above the given one, or -ENOENT. */
int64_t ksym_table_find_address(const struct ksym_table *table, uint64_t address);

/* The first symbol of that name; -ENOENT, -ENOMEM (the first call builds the index). */
int64_t ksym_table_find_name(struct ksym_table *table, const char *name);

/* The address of symbol i, which must be below count. */
uint64_t ksym_table_address(const struct ksym_table *table, uint32_t i);

/* Copies the name of symbol i (below count) into name, which holds KSYM_PREFIX_SIZE +
 * KSYM_NAME_MAX + 1 bytes. Returns its module. */
unsigned int ksym_table_name(const struct ksym_table *table, uint32_t i, char *name);

/* Frees everything; the table is empty after it. */
void ksym_table_clear(struct ksym_table *table);

#endif
