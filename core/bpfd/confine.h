/* SPDX-License-Identifier: Apache-2.0 */
/* Gives up the rights that a session does not need, before it reads any input. */
#ifndef CORE_BPFD_CONFINE_H
#define CORE_BPFD_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

struct paths;
struct profile;

/* Keeps only the capabilities of a profile, and bounds this process's own memory to `memory` bytes.
 * Returns 0 or a negative errno, which is logged. */
int confine_rights(const struct paths *paths, const struct profile *profile, uint64_t memory);

/* Allows only the system calls that sessions make, for the rest of the process's life. Their
 * arguments are checked too: no file can be opened for writing, no memory made executable, no other
 * process signalled or changed. With `names` files can be removed and renamed, and directories
 * made, for the sake of bpffs. A call outside the list fails with ENOSYS, and a refused argument
 * with EPERM. Neither ends the process: a C library may try a new call and fall back to an old one.
 * Returns 0; -ENOSYS: there is no filter for this architecture; or the kernel's errno. */
int confine_calls(bool names);

#endif
