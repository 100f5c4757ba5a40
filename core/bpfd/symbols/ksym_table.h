/* SPDX-License-Identifier: Apache-2.0 */
/* A packed table of kernel symbols, sorted by address: about 25 bytes a symbol. */
#ifndef CORE_BPFD_SYMBOLS_KSYM_TABLE_H
#define CORE_BPFD_SYMBOLS_KSYM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define KSYM_NAME_MAX	 511 /* KSYM_NAME_LEN - 1 of kernels with Rust, the largest value */
#define KSYM_MODULE_MAX	 16383
#define KSYM_PREFIX	 "__pfx_"
#define KSYM_PREFIX_SIZE (sizeof(KSYM_PREFIX) - 1)

/* A table of zero bytes is empty. Only ksym_table.c uses the fields, but for count and
 * last_address. */
struct ksym_table {
	unsigned char *names;
	size_t names_len, names_cap, last; /* last: offset of the last name */
	uint64_t last_address;
	uint32_t *low;	 /* the low half of each address */
	uint32_t *block; /* offset in names of each 16th symbol */
	uint32_t count, cap;
	struct ksym_high *high; /* the distinct high halves, with the first symbol of each */
	uint32_t high_count;
	uint32_t *head, *next; /* hash chains by name; NULL until the first lookup by name */
	uint32_t buckets;
};

/* Appends a symbol. name has len bytes, without NUL. module is any number up to KSYM_MODULE_MAX;
 * the caller chooses its meaning. Returns 0; -ERANGE: the address is lower than the last one;
 * -EINVAL: the name or module cannot be stored; -E2BIG; -ENOMEM. */
int ksym_table_add(struct ksym_table *table, uint64_t address, const char *name, size_t len,
	unsigned int module);

/* Frees the memory that was reserved for more symbols. */
void ksym_table_trim(struct ksym_table *table);

/* The index of the symbol with the greatest address up to the given one, or -ENOENT. If several
 * symbols have that address, the first of them. */
int64_t ksym_table_find_address(const struct ksym_table *table, uint64_t address);

/* The index of the first symbol of that name; -ENOENT; -ENOMEM: the first call, which builds the
 * hash table, had no memory. */
int64_t ksym_table_find_name(struct ksym_table *table, const char *name);

/* The address of symbol i, which must be below count. */
uint64_t ksym_table_address(const struct ksym_table *table, uint32_t i);

/* Copies the name of symbol i, which must be below count, to name, which has KSYM_PREFIX_SIZE +
 * KSYM_NAME_MAX + 1 bytes. Returns the symbol's module. */
unsigned int ksym_table_name(const struct ksym_table *table, uint32_t i, char *name);

/* Frees the symbols. The table is then empty. */
void ksym_table_clear(struct ksym_table *table);

#endif
