/* SPDX-License-Identifier: Apache-2.0 */
/* Where the kernel's file trees are; options redirect them, for tests and odd boards. */
#ifndef CORE_BASE_PATHS_H
#define CORE_BASE_PATHS_H

struct event_files;

struct paths {
	const char *proc;    /* default /proc */
	const char *sysfs;   /* default /sys */
	const char *tracefs; /* default /sys/kernel/tracing */
	/* The files that are written to, opened beforehand; NULL: they are opened each time. */
	const struct event_files *event_files;
};

#endif
