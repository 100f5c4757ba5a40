/* SPDX-License-Identifier: Apache-2.0 */
/* What files a process has mapped where: <proc>/PID/maps. */
#ifndef CORE_BPFD_SYMBOLS_PROC_MAPS_H
#define CORE_BPFD_SYMBOLS_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_MAPS_VDSO "[vdso]"

struct proc_range {
	uint64_t start, end; /* addresses in the process */
	uint64_t offset;     /* in the file */
	uint64_t inode;
	uint64_t device; /* major << 32 | minor */
	uint32_t path;	 /* in proc_maps.paths */
	bool executable;
	bool deleted;	 /* there is no file of that path any more */
	uint8_t slot;	 /* the reader's own: zero at first */
	uint32_t number; /* the same */
};

struct proc_maps {
	struct proc_range *ranges; /* of files and the vDSO, in order of address */
	size_t count, cap;
	char *paths;
	size_t paths_len, paths_cap;
	uint64_t hash; /* of the whole text */
};

/* Reads the maps; a previous content is freed, also on error. Returns 0; -ENOENT: no such
 * process; -E2BIG: more than this is ready to hold; -ENOMEM; open(2)'s and read(2)'s errors. */
int proc_maps_read(struct proc_maps *maps, const char *proc, pid_t pid);

/* The range that holds the address, or NULL. */
struct proc_range *proc_maps_find(const struct proc_maps *maps, uint64_t address);

/* The range's path as the process sees it, without " (deleted)". */
const char *proc_maps_path(const struct proc_maps *maps, const struct proc_range *range);

void proc_maps_clear(struct proc_maps *maps);

#endif
