/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a process has mapped, from <proc>/PID/maps. */
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
	uint32_t path;	 /* offset in proc_maps.paths */
	bool executable;
	bool deleted;	 /* the file of that path was deleted */
	uint8_t slot;	 /* for the caller's use; 0 at first */
	uint32_t number; /* for the caller's use; 0 at first */
};

struct proc_maps {
	struct proc_range *ranges; /* of files and the vDSO, sorted by address */
	size_t count, cap;
	char *paths;
	size_t paths_len, paths_cap;
	uint64_t hash; /* of the whole text */
};

/* Reads the maps of a process. Previous content is freed, also on error. Returns 0; -ENOENT: no
 * such process; -E2BIG: too many mappings; -ENOMEM; or the errno of open(2) or read(2). */
int proc_maps_read(struct proc_maps *maps, const char *proc, pid_t pid);

/* The range that includes the address, or NULL. */
struct proc_range *proc_maps_find(const struct proc_maps *maps, uint64_t address);

/* The range's path as the process sees it, without " (deleted)". */
const char *proc_maps_path(const struct proc_maps *maps, const struct proc_range *range);

void proc_maps_clear(struct proc_maps *maps);

#endif
