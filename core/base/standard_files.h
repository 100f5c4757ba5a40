/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the descriptors 0, 1 and 2 from being used for something else. */
#ifndef CORE_BASE_STANDARD_FILES_H
#define CORE_BASE_STANDARD_FILES_H

/* Opens /dev/null for each of stdin, stdout and stderr that is closed. stdin then reads as empty;
 * writing to stdout still fails with EBADF. `flags` is O_CLOEXEC if the programs that this process
 * runs must find these descriptors closed, else 0. Returns 0, or a negative errno after logging
 * it. */
int standard_files_open(int flags);

#endif
