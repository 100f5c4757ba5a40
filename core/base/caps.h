/* SPDX-License-Identifier: Apache-2.0 */
/* The capabilities of this process, through the system calls: so little does not need libcap. */
#ifndef CORE_BASE_CAPS_H
#define CORE_BASE_CAPS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

/* Added in Linux 5.8; older headers lack them. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF	    39
#endif

/* A set of capabilities is a mask of these bits. */
#define CAP_BIT(capability) ((uint64_t)1 << (capability))

/* True if this kernel has the capability. */
bool caps_known(int capability);

/* Stores the permitted capabilities of this process in *set. Returns 0 or a negative errno. */
int caps_permitted(uint64_t *set);

/* Gives up all capabilities outside `set`; those in it that the process has stay permitted and
 * become effective. Also reduces the bounding set to `bounding`, which limits the programs that the
 * process runs, if the process has CAP_SETPCAP. Returns 0 or a negative errno. */
int caps_keep(uint64_t set, uint64_t bounding);

/* Sets no_new_privs: this process and its children can no longer gain rights by running a program.
 * Returns 0 or a negative errno. */
int caps_no_new_privileges(void);

#endif
