/* SPDX-License-Identifier: Apache-2.0 */
/* Where the kernel's file trees are, and the formatter of paths. */
#ifndef CORE_BASE_PATHS_H
#define CORE_BASE_PATHS_H

#include <limits.h>

struct event_files;

/* Options redirect the trees, for tests and for boards that mount them elsewhere. */
struct paths {
	const char *proc;    /* default /proc */
	const char *sysfs;   /* default /sys */
	const char *tracefs; /* default /sys/kernel/tracing */
	/* The open files of tracefs that bpfd writes; NULL: it opens them for each write. */
	const struct event_files *event_files;
};

/* Writes a path like snprintf(3). Returns 0, or -ENAMETOOLONG; the path is then "". */
int path_format(char path[static PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
