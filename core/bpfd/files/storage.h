/* SPDX-License-Identifier: Apache-2.0 */
/* Tells file systems that store files from those whose files are the kernel's own: opening or
 * reading one of those can do something. */
#ifndef CORE_BPFD_FILES_STORAGE_H
#define CORE_BPFD_FILES_STORAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether a file system stores files, by st_dev of a file on it and f_type of statfs(2). */
bool storage_is(dev_t device, uint32_t type);

#endif
