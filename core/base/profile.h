/* SPDX-License-Identifier: Apache-2.0 */
/* The two profiles of rights that a session can run with. */
#ifndef CORE_BASE_PROFILE_H
#define CORE_BASE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct profile;

/* The profile of that name, or NULL; NULL asks for the default one. */
const struct profile *profile_find(const char *name);

const char *profile_name(const struct profile *profile);

/* The capabilities of a profile on a kernel that has CAP_BPF, or on an older one. */
uint64_t profile_caps(const struct profile *profile, bool has_cap_bpf);

/* The capabilities of all profiles together, and those that bpfd needs besides until it has
 * started: what the one who starts it has to have. */
uint64_t profile_start_caps(void);

/* Prints what the profile cannot do that the default one can, if anything. */
void profile_print_losses(const struct profile *profile, FILE *to);

/* Logs the same for the capabilities that a process has. */
void profile_log_losses(const struct profile *profile, uint64_t caps);

#endif
