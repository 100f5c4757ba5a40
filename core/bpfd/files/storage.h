/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguishes file systems that store files from the kernel's own.
 *
 * Opening or reading a file of the kernel's own can have effects. */
#ifndef CORE_BPFD_FILES_STORAGE_H
#define CORE_BPFD_FILES_STORAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* True if a file system stores files, by st_dev of a file on it and f_type of statfs(2). */
bool storage_is(dev_t device, uint32_t type);

#endif
