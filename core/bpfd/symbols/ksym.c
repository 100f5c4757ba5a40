/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's symbols: reads <proc>/kallsyms once, and again when modules have changed. */
#include "core/bpfd/symbols/ksym.h"

#include "core/base/clock.h"
#include "core/base/paths.h"
#include "core/bpfd/symbols/array.h"
#include "core/bpfd/symbols/hash.h"
#include "core/bpfd/symbols/ksym_table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Modules come and go during a session, and the kernel does not report it. Reading <proc>/modules
 * takes about 50 us, too long for each lookup, so it is read at most once in this time. A result
 * may be outdated by as much. */
#define MODULES_CHECK_MS 100

/* No symbol of the kernel is larger. An address farther above a symbol lies in a gap. */
#define OFFSET_MAX (64ULL << 20)

#define KALLSYMS_PIECE 65536

struct loose_symbol {
	uint64_t address;
	uint32_t name; /* offset in loose.names */
	uint16_t length;
	uint16_t module;
};

struct ksym {
	const char *proc;
	bool tried; /* kallsyms was read, with this result: */
	int error;
	uint64_t modules_hash;
	uint64_t checked_ms;
	char **modules; /* module number 1 is modules[0]; 0 is the core image */
	unsigned int module_count;
	struct ksym_table core; /* symbols of the core image that are listed in order */
	struct ksym_table rest; /* symbols of modules, or listed out of order */
	char name[KSYM_PREFIX_SIZE + KSYM_NAME_MAX + 1];
};

/* Collects the symbols that are then sorted into ksym.rest. */
struct loose {
	struct loose_symbol *symbols;
	size_t count, cap;
	char *names;
	size_t names_len, names_cap;
};

int ksym_new(struct ksym **ksym, const char *proc)
{
	struct ksym *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->proc = proc;
	*ksym = new;
	return 0;
}

static void forget(struct ksym *ksym)
{
	ksym_table_clear(&ksym->core);
	ksym_table_clear(&ksym->rest);
	for (unsigned int i = 0; i < ksym->module_count; i++)
		free(ksym->modules[i]);
	free(ksym->modules);
	ksym->modules = NULL;
	ksym->module_count = 0;
	ksym->tried = false;
}

void ksym_free(struct ksym *ksym)
{
	if (!ksym)
		return;
	forget(ksym);
	free(ksym);
}

static int open_proc(const struct ksym *ksym, const char *name)
{
	char path[PATH_MAX];
	int fd, err = path_format(path, "%s/%s", ksym->proc, name);

	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Returns the number of a module. kallsyms lists the symbols of a module together, so only the last
 * name is compared. */
static int intern_module(struct ksym *ksym, const char *name, size_t len)
{
	const char *last = ksym->module_count ? ksym->modules[ksym->module_count - 1] : "";
	char **grown;

	if (strlen(last) == len && !memcmp(last, name, len))
		return (int)ksym->module_count;
	if (ksym->module_count == KSYM_MODULE_MAX)
		return -E2BIG;
	grown = realloc(ksym->modules, (ksym->module_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	ksym->modules = grown;
	ksym->modules[ksym->module_count] = strndup(name, len);
	if (!ksym->modules[ksym->module_count])
		return -ENOMEM;
	return (int)++ksym->module_count;
}

static int loose_add(struct loose *loose, const struct loose_symbol *symbol, const char *name)
{
	struct loose_symbol *new;
	int err;

	if (loose->names_len + symbol->length > UINT32_MAX)
		return -E2BIG;
	err = array_reserve(
		&loose->symbols, &loose->cap, loose->count + 1, sizeof(*loose->symbols));
	if (!err)
		err = array_reserve(
			&loose->names, &loose->names_cap, loose->names_len + symbol->length, 1);
	if (err)
		return err;
	new = &loose->symbols[loose->count++];
	*new = *symbol;
	new->name = (uint32_t)loose->names_len;
	memcpy(loose->names + loose->names_len, name, symbol->length);
	loose->names_len += symbol->length;
	return 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Whether a name marks a place in the code instead of naming it. Modules list such names of
 * compiler and assembler: ARM's and RISC-V's mapping symbols ($a, $d, $t, $x, $xrv64i), and local
 * labels. The rule is that of the kernel's is_mapping_symbol(), which the kernel's own lookups
 * follow. */
static bool is_mapping_symbol(const char *name, size_t len)
{
	return name[0] == '$' || (len > 1 && ((name[0] == '.' && name[1] == 'L') ||
						     (name[0] == 'L' && name[1] == '0')));
}

/* Parses a line without its newline: "address type name", and "\t[module]" if it is a module's. */
static int parse_line(struct ksym *ksym, struct loose *loose, const char *at, const char *end)
{
	struct loose_symbol symbol = {.address = 0};
	const char *name;
	int digit, err;

	while (at < end && (digit = hex_value(*at)) >= 0) {
		symbol.address = symbol.address << 4 | (uint64_t)digit;
		at++;
	}
	if (end - at < 4 || at[0] != ' ' || at[2] != ' ')
		return 0;
	name = at + 3;
	at = end[-1] == ']' ? memchr(name, '\t', (size_t)(end - name)) : NULL;
	if (at && end - at >= 4 && at[1] == '[') {
		err = intern_module(ksym, at + 2, (size_t)(end - 1 - (at + 2)));
		if (err < 0)
			return err;
		symbol.module = (uint16_t)err;
		end = at;
	}
	if (end == name || end - name > KSYM_NAME_MAX ||
		is_mapping_symbol(name, (size_t)(end - name)))
		return 0;
	symbol.length = (uint16_t)(end - name);
	if (!symbol.module) {
		err = ksym_table_add(&ksym->core, symbol.address, name, symbol.length, 0);
		if (err != -ERANGE)
			return err == -EINVAL ? 0 : err;
	}
	return loose_add(loose, &symbol, name);
}

static int read_lines(struct ksym *ksym, struct loose *loose, int fd)
{
	char *buffer = malloc(KALLSYMS_PIECE);
	size_t have = 0;
	int err = 0;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		const char *at = buffer, *end;
		ssize_t n = read(fd, buffer + have, KALLSYMS_PIECE - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		if (memchr(buffer + have, '\0', (size_t)n)) { /* the table ends names with NUL */
			err = -EINVAL;
			break;
		}
		have += (size_t)n;
		while (!err && (end = memchr(at, '\n', have - (size_t)(at - buffer)))) {
			err = parse_line(ksym, loose, at, end);
			at = end + 1;
		}
		if (err)
			break;
		have -= (size_t)(at - buffer);
		if (have == KALLSYMS_PIECE)
			have = 0; /* a line of this length is not a symbol */
		memmove(buffer, at, have);
	}
	free(buffer);
	return err;
}

static int by_address(const void *left, const void *right)
{
	const struct loose_symbol *a = left, *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static int sort_loose(struct ksym *ksym, struct loose *loose)
{
	int err;

	if (loose->count)
		qsort(loose->symbols, loose->count, sizeof(*loose->symbols), by_address);
	for (size_t i = 0; i < loose->count; i++) {
		const struct loose_symbol *symbol = &loose->symbols[i];

		err = ksym_table_add(&ksym->rest, symbol->address, loose->names + symbol->name,
			symbol->length, symbol->module);
		if (err && err != -EINVAL)
			return err;
	}
	return 0;
}

static int load(struct ksym *ksym)
{
	struct loose loose = {.count = 0};
	int err, fd;

	fd = open_proc(ksym, "kallsyms");
	if (fd < 0)
		return fd;
	err = read_lines(ksym, &loose, fd);
	close(fd);
	if (!err)
		err = sort_loose(ksym, &loose);
	free(loose.symbols);
	free(loose.names);
	if (!err && !ksym->core.count && !ksym->rest.count)
		err = -ENODATA;
	/* With kptr_restrict every address is listed as zero. */
	if (!err && !ksym->core.last_address && !ksym->rest.last_address)
		err = -EPERM;
	if (err) {
		forget(ksym);
		return err;
	}
	ksym_table_trim(&ksym->core);
	ksym_table_trim(&ksym->rest);
	return 0;
}

/* Hashes the names, sizes, states and addresses of the modules, but not the reference counts and
 * users, which change often. Returns 0 if there is no such file, as on a kernel without modules. */
static uint64_t hash_modules(const struct ksym *ksym)
{
	static const bool counted[6] = {true, true, false, false, true, true};
	uint64_t hash = HASH_EMPTY;
	unsigned int field = 0;
	char buffer[4096];
	ssize_t n;
	int fd = open_proc(ksym, "modules");

	if (fd < 0)
		return 0;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (field >= 6 || counted[field])
				hash = hash_add(hash, (unsigned char)buffer[i]);
			if (buffer[i] == '\n')
				field = 0;
			else if (buffer[i] == ' ')
				field++;
		}
	}
	close(fd);
	return hash;
}

/* Makes sure that the symbols are loaded and current. */
static int refresh(struct ksym *ksym)
{
	uint64_t now_ms = clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000, hash;

	if (ksym->tried && now_ms - ksym->checked_ms < MODULES_CHECK_MS)
		return ksym->error;
	/* Before reading kallsyms, so that a module loaded in between is noticed next time. */
	hash = hash_modules(ksym);
	ksym->checked_ms = now_ms;
	if (ksym->tried && !ksym->error && hash == ksym->modules_hash)
		return 0;
	forget(ksym);
	ksym->modules_hash = hash;
	ksym->error = load(ksym);
	ksym->tried = true;
	return ksym->error;
}

/* Whether an address can be the kernel's. On 64-bit kernels all its addresses have the top bit; but
 * x86's per-CPU symbols are listed by offset from 0, and must not match user addresses. */
static bool is_plausible(const struct ksym *ksym, uint64_t address)
{
	const uint64_t top = 1ULL << 63;

	return address & top || !((ksym->core.last_address | ksym->rest.last_address) & top);
}

int ksym_find_address(struct ksym *ksym, uint64_t address, struct ksym_name *found)
{
	const struct ksym_table *table;
	int64_t core, rest;
	uint64_t start = 0;
	unsigned int module;
	int err = refresh(ksym);

	if (err)
		return err;
	core = ksym_table_find_address(&ksym->core, address);
	rest = ksym_table_find_address(&ksym->rest, address);
	table = &ksym->core;
	if (core >= 0)
		start = ksym_table_address(table, (uint32_t)core);
	if (rest >= 0 && (core < 0 || ksym_table_address(&ksym->rest, (uint32_t)rest) > start)) {
		table = &ksym->rest;
		core = rest;
		start = ksym_table_address(table, (uint32_t)rest);
	}
	if (core < 0 || address - start > OFFSET_MAX || !is_plausible(ksym, address))
		return -ENOENT;
	module = ksym_table_name(table, (uint32_t)core, ksym->name);
	found->name = ksym->name;
	found->module = module ? ksym->modules[module - 1] : "kernel";
	found->offset = address - start;
	return 0;
}

int ksym_find_name(struct ksym *ksym, const char *name, uint64_t *address)
{
	const struct ksym_table *table = &ksym->core;
	int64_t i;
	int err = refresh(ksym);

	if (err)
		return err;
	i = ksym_table_find_name(&ksym->core, name);
	if (i == -ENOENT) {
		table = &ksym->rest;
		i = ksym_table_find_name(&ksym->rest, name);
	}
	if (i < 0)
		return (int)i;
	*address = ksym_table_address(table, (uint32_t)i);
	return 0;
}
