/* SPDX-License-Identifier: Apache-2.0 */
/* Takes from this process what a session has no use for, before it reads what a client sends. */
#ifndef CORE_BPFD_CONFINE_H
#define CORE_BPFD_CONFINE_H

#include <stdint.h>

struct paths;
struct profile;

/* Keeps the capabilities of a profile, and bounds this process's own memory, in bytes. Returns 0,
 * or an errno after having said what failed. */
int confine_rights(const struct paths *paths, const struct profile *profile, uint64_t memory);

/* Refuses all system calls that sessions do not make, for good: of the others nothing can be opened
 * for writing, made executable, or done to another process. A call that is not in the list fails
 * with ENOSYS, for which C libraries have another way, and does not end the process: a library that
 * we have not seen may try it in good faith. An argument that is refused fails with EPERM. Returns
 * 0; -ENOSYS: no filter for this architecture, or what the kernel refuses it with. */
int confine_calls(void);

#endif
