/* SPDX-License-Identifier: Apache-2.0 */
/* USDT probes: trace points that a program's author has named. A probe may have a semaphore: a
 * 16-bit counter of its tracers in the memory of the process. While it is 0, the program skips the
 * probe. */
#ifndef HOST_USB_RUN_CALLS_USDT_H
#define HOST_USB_RUN_CALLS_USDT_H

#include <stdint.h>

/* Finds the semaphore of the probe at the file offset `location` of an ELF file, and stores the
 * file offset of the semaphore. Returns 1; 0: no such probe, or it has no semaphore; -ENOEXEC: not
 * an ELF file. */
int usdt_semaphore(int fd, uint64_t location, uint64_t *semaphore);

#endif
