/* SPDX-License-Identifier: Apache-2.0 */
/* A packed table of kernel symbols, sorted by address. */
#include "core/bpfd/symbols/ksym_table.h"

#include "core/bpfd/symbols/array.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The names follow each other in order of address, each ended by a NUL. Only the offset of each
 * 16th name is stored; the others are found by counting NULs. A module's symbol begins with two
 * bytes that have the top bit set and contain the module's number. The byte PREFIXED alone stands
 * for "__pfx_" followed by the name of the next symbol: x86 kernels with call padding have such a
 * pair for each function. */
#define BLOCK		16
#define PREFIXED	0x02
#define NONE		UINT32_MAX
#define COUNT_MAX	(16U << 20)
#define TABLE_NAMES_MAX (256U << 20)
#define HIGH_MAX	4096

struct ksym_high {
	uint32_t value;
	uint32_t first;
};

struct table_entry {
	unsigned int module;
	bool prefixed;
	const unsigned char *name;
	size_t length;
};

static const unsigned char *skip_module(const unsigned char *at, unsigned int *module)
{
	if (!(*at & 0x80)) {
		*module = 0;
		return at;
	}
	*module = (unsigned int)(at[0] & 0x7f) << 7 | (at[1] & 0x7f);
	return at + 2;
}

/* Decodes the entry at `at` and returns where the next one begins. */
static const unsigned char *decode(const unsigned char *at, struct table_entry *entry)
{
	unsigned int ignored;
	const unsigned char *next;

	entry->name = skip_module(at, &entry->module);
	entry->prefixed = *entry->name == PREFIXED;
	if (!entry->prefixed) {
		entry->length = strlen((const char *)entry->name);
		return entry->name + entry->length + 1;
	}
	next = entry->name + 2;
	entry->name = skip_module(next, &ignored);
	entry->length = strlen((const char *)entry->name);
	return next;
}

static const unsigned char *entry_at(const struct ksym_table *table, uint32_t i)
{
	const unsigned char *at = table->names + table->block[i / BLOCK];

	for (uint32_t n = i % BLOCK; n; n--)
		at += strlen((const char *)at) + 1;
	return at;
}

uint64_t ksym_table_address(const struct ksym_table *table, uint32_t i)
{
	uint32_t h = table->high_count - 1;

	while (table->high[h].first > i)
		h--;
	return (uint64_t)table->high[h].value << 32 | table->low[i];
}

unsigned int ksym_table_name(const struct ksym_table *table, uint32_t i, char *name)
{
	struct table_entry entry;
	size_t prefix;

	decode(entry_at(table, i), &entry);
	prefix = entry.prefixed ? KSYM_PREFIX_SIZE : 0;
	memcpy(name, KSYM_PREFIX, prefix);
	memcpy(name + prefix, entry.name, entry.length + 1);
	return entry.module;
}

static int reserve(struct ksym_table *table, size_t name_size)
{
	uint32_t cap = table->cap;
	int err;

	if (table->count >= COUNT_MAX || table->names_len + name_size > TABLE_NAMES_MAX)
		return -E2BIG;
	if (table->names_len + name_size > table->names_cap) {
		size_t wanted = table->names_cap + table->names_cap / 2 + 65536;

		err = array_resize(&table->names, wanted, 1);
		if (err)
			return err;
		table->names_cap = wanted;
	}
	if (table->count == cap) {
		cap += cap / 2 + 4096;
		err = array_resize(&table->low, cap, sizeof(*table->low));
		if (!err)
			err = array_resize(&table->block, cap / BLOCK + 1, sizeof(*table->block));
		if (err)
			return err;
		table->cap = cap;
	}
	return 0;
}

static int add_high(struct ksym_table *table, uint32_t value)
{
	int err;

	if (table->high_count && table->high[table->high_count - 1].value == value)
		return 0;
	if (table->high_count == HIGH_MAX)
		return -E2BIG;
	err = array_resize(&table->high, table->high_count + 1, sizeof(*table->high));
	if (err)
		return err;
	table->high[table->high_count].value = value;
	table->high[table->high_count].first = table->count;
	table->high_count++;
	return 0;
}

/* Shortens the last entry if it is "__pfx_" followed by the name that is being added. */
static void fold_prefix(struct ksym_table *table, const char *name, size_t len)
{
	unsigned int module;
	unsigned char *text =
		table->names + (skip_module(table->names + table->last, &module) - table->names);

	/* The second name of a pair is never shortened: decode() looks one entry ahead, not two. */
	if (len > KSYM_PREFIX_SIZE && !memcmp(name, KSYM_PREFIX, KSYM_PREFIX_SIZE))
		return;
	if (table->names + table->names_len - text != (ptrdiff_t)(KSYM_PREFIX_SIZE + len + 1))
		return;
	if (memcmp(text, KSYM_PREFIX, KSYM_PREFIX_SIZE) ||
		memcmp(text + KSYM_PREFIX_SIZE, name, len))
		return;
	text[0] = PREFIXED;
	text[1] = '\0';
	table->names_len = (size_t)(text + 2 - table->names);
}

int ksym_table_add(struct ksym_table *table, uint64_t address, const char *name, size_t len,
	unsigned int module)
{
	unsigned char *at;
	int err;

	/* A name must not begin with a byte that means something else to decode(). */
	if (!len || len > KSYM_NAME_MAX || module > KSYM_MODULE_MAX || name[0] <= ' ' ||
		name[0] >= 0x7f)
		return -EINVAL;
	if (address < table->last_address)
		return -ERANGE;
	err = reserve(table, len + 3);
	if (!err)
		err = add_high(table, (uint32_t)(address >> 32));
	if (err)
		return err;

	if (table->count)
		fold_prefix(table, name, len);
	if (table->count % BLOCK == 0)
		table->block[table->count / BLOCK] = (uint32_t)table->names_len;
	table->low[table->count++] = (uint32_t)address;
	table->last = table->names_len;
	table->last_address = address;
	at = table->names + table->names_len;
	if (module) {
		*at++ = (unsigned char)(0x80 | module >> 7);
		*at++ = (unsigned char)(0x80 | (module & 0x7f));
	}
	memcpy(at, name, len);
	at[len] = '\0';
	table->names_len = (size_t)(at + len + 1 - table->names);
	return 0;
}

void ksym_table_trim(struct ksym_table *table)
{
	/* If realloc() fails, the array stays as it is. */
	if (table->names_len && !array_resize(&table->names, table->names_len, 1))
		table->names_cap = table->names_len;
	if (table->count && !array_resize(&table->low, table->count, sizeof(*table->low)) &&
		!array_resize(&table->block, table->count / BLOCK + 1, sizeof(*table->block)))
		table->cap = table->count;
}

/* The first index from `first` on whose value is above low, or `end`. */
static uint32_t upper_bound(const uint32_t *lows, uint32_t first, uint32_t end, uint32_t low)
{
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (lows[middle] <= low)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

int64_t ksym_table_find_address(const struct ksym_table *table, uint64_t address)
{
	uint32_t value = (uint32_t)(address >> 32), i;
	uint32_t h = table->high_count;

	while (h && table->high[h - 1].value > value)
		h--;
	if (!h)
		return -ENOENT;
	i = h < table->high_count ? table->high[h].first : table->count;
	h--;
	if (table->high[h].value == value)
		i = upper_bound(table->low, table->high[h].first, i, (uint32_t)address);
	if (!i)
		return -ENOENT;
	i--;
	/* If several symbols have this address, the kernel itself uses the first. */
	address = ksym_table_address(table, i);
	while (i && table->low[i - 1] == table->low[i] &&
		ksym_table_address(table, i - 1) == address)
		i--;
	return i;
}

static uint32_t hash_bytes(uint32_t hash, const unsigned char *at, size_t len)
{
	while (len--)
		hash = (hash ^ *at++) * 16777619U; /* FNV-1a */
	return hash;
}

static uint32_t bucket_of(const struct ksym_table *table, const struct table_entry *entry)
{
	uint32_t hash = 2166136261U;

	if (entry->prefixed)
		hash = hash_bytes(hash, (const unsigned char *)KSYM_PREFIX, KSYM_PREFIX_SIZE);
	return hash_bytes(hash, entry->name, entry->length) % table->buckets;
}

static int build_index(struct ksym_table *table)
{
	const unsigned char *at = table->names;
	struct table_entry entry;

	table->buckets = table->count / 2 + 1;
	table->head = malloc(table->buckets * sizeof(*table->head));
	table->next = malloc((size_t)table->count * sizeof(*table->next));
	if (!table->head || !table->next) {
		free(table->head);
		free(table->next);
		table->head = table->next = NULL;
		return -ENOMEM;
	}
	memset(table->head, 0xff, table->buckets * sizeof(*table->head));
	for (uint32_t i = 0; i < table->count; i++) {
		uint32_t *head;

		at = decode(at, &entry);
		head = &table->head[bucket_of(table, &entry)];
		table->next[i] = *head;
		*head = i;
	}
	return 0;
}

static bool same_name(const struct table_entry *entry, const struct table_entry *wanted)
{
	const char *name = (const char *)wanted->name;
	size_t prefix = entry->prefixed ? KSYM_PREFIX_SIZE : 0;

	return prefix + entry->length == wanted->length && !memcmp(KSYM_PREFIX, name, prefix) &&
	       !memcmp(entry->name, name + prefix, entry->length);
}

int64_t ksym_table_find_name(struct ksym_table *table, const char *name)
{
	struct table_entry wanted = {.name = (const unsigned char *)name, .length = strlen(name)};
	int64_t found = -ENOENT;

	if (!table->count)
		return -ENOENT;
	if (!table->head && build_index(table))
		return -ENOMEM;
	/* A chain begins with the last symbol, so the last match is the first symbol. */
	for (uint32_t i = table->head[bucket_of(table, &wanted)]; i != NONE; i = table->next[i]) {
		struct table_entry entry;

		decode(entry_at(table, i), &entry);
		if (same_name(&entry, &wanted))
			found = i;
	}
	return found;
}

void ksym_table_clear(struct ksym_table *table)
{
	free(table->names);
	free(table->low);
	free(table->block);
	free(table->high);
	free(table->head);
	free(table->next);
	memset(table, 0, sizeof(*table));
}
