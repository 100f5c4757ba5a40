/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols that a JIT compiler writes to /tmp/perf-PID.map. The file is not trusted. */
#ifndef CORE_BPFD_SYMBOLS_JIT_MAP_H
#define CORE_BPFD_SYMBOLS_JIT_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct jit_symbol {
	uint64_t address, size;
	uint32_t name;	 /* offset in text */
	uint32_t number; /* of the line: of two symbols at one address the later one counts */
};

/* All zeroes: nothing was read. */
struct jit_map {
	char path[48]; /* as the process sees it */
	char *text;    /* the file, with NULs after the names */
	struct jit_symbol *symbols;
	size_t count, cap;
	uint64_t size, inode; /* of the file, as it was read */
	uint64_t read_ms;
};

/* Reads the file of a process if it has changed, at most once a second. Without a file the map is
 * empty. Returns 0; -EFBIG: the file is too large; -ENOMEM; or the errno of opening or reading it;
 * -ENOENT: there is none. */
int jit_map_refresh(struct jit_map *map, const char *proc, pid_t pid);

/* Finds the symbol that covers an address. Returns its name, valid until the next refresh, and in
 * *offset the distance from its address; NULL: there is none. */
const char *jit_map_find_address(const struct jit_map *map, uint64_t address, uint64_t *offset);

/* Finds the latest symbol of that name. Returns 0, -ENOENT. */
int jit_map_find_name(const struct jit_map *map, const char *name, uint64_t *address);

void jit_map_clear(struct jit_map *map);

#endif
