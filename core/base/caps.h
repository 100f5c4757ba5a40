/* SPDX-License-Identifier: Apache-2.0 */
/* The capabilities of this process, by the system calls themselves: libcap is not needed for that
 * little. */
#ifndef CORE_BASE_CAPS_H
#define CORE_BASE_CAPS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

/* Of Linux 5.8 and 5.9; older headers lack them. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF	    39
#endif

/* Sets of capabilities are bits. */
#define CAP_BIT(capability) ((uint64_t)1 << (capability))

/* Whether this kernel has the capability at all. */
bool caps_known(int capability);

/* The capabilities that this process may use. Returns 0 or an errno. */
int caps_permitted(uint64_t *set);

/* Gives up all capabilities but those in `set`, of which the ones that it has stay permitted and
 * effective. `bounding` is what programs that it runs can get at most, if it may change that.
 * Returns 0 or an errno. */
int caps_keep(uint64_t set, uint64_t bounding);

/* Forbids that this process or its children gain rights by running a program. Returns 0, -errno. */
int caps_no_new_privileges(void);

#endif
