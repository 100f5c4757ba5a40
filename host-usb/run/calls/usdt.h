/* SPDX-License-Identifier: Apache-2.0 */
/* USDT probes of a program: points that its author has named. Some are guarded by a semaphore, a
 * 16-bit counter in the process that says how many trace them; while it is 0, the probe is passed
 * by. */
#ifndef HOST_USB_RUN_CALLS_USDT_H
#define HOST_USB_RUN_CALLS_USDT_H

#include <stdint.h>

/* Where the semaphore of the probe at an offset of the ELF file fd is, as an offset of that file as
 * well. Returns 1; 0: there is no such probe, or it has none; -ENOEXEC: this is no such file. */
int usdt_semaphore(int fd, uint64_t location, uint64_t *semaphore);

#endif
