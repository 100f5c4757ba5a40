/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the board's lists of CPUs. Tools size arrays and values of per-CPU maps by them. */
#ifndef HOST_USB_RUN_FILES_CPUS_H
#define HOST_USB_RUN_FILES_CPUS_H

#include <stdint.h>

struct run;

#define CPUS_MAX 8192 /* NR_CPUS of the largest configuration of Linux, x86 with MAXSMP */

/* Checks `fd`, the board's file at `path` or a negative errno, and takes it over. Returns a
 * descriptor at its start, or a negative errno.
 *
 * The list of possible CPUs always has as many as the board has announced: if it does not, a memory
 * file with that number replaces it. The other lists of CPUs must be well-formed; those of online
 * and present CPUs must contain only possible ones. Otherwise this returns -EIO after logging.
 * Other files are passed on. */
int cpus_check(struct run *run, const char *path, int fd);

#endif
