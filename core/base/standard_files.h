/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the descriptors 0, 1 and 2 from being used for something else. */
#ifndef CORE_BASE_STANDARD_FILES_H
#define CORE_BASE_STANDARD_FILES_H

/* Opens /dev/null as each of stdin, stdout and stderr that is closed. A closed stdin then reads as
 * empty, and writing to a closed stdout still fails with EBADF. `flags` is 0, or O_CLOEXEC if
 * programs that this process runs must find them closed again. Returns 0, or a negative errno after
 * logging it. */
int standard_files_open(int flags);

#endif
