/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles of rights that a session can run with. */
#ifndef CORE_BASE_PROFILE_H
#define CORE_BASE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct profile;

/* Returns the profile of that name, or NULL if there is none. The name NULL selects the default. */
const struct profile *profile_find(const char *name);

const char *profile_name(const struct profile *profile);

/* Returns a profile's capabilities, as CAP_BIT()s. Without CAP_BPF, before Linux 5.8, CAP_SYS_ADMIN
 * takes its place. */
uint64_t profile_caps(const struct profile *profile, bool has_cap_bpf);

/* True if sessions may remove, make and rename files in bpffs. That needs system calls which work
 * on all files of the board. */
bool profile_changes_names(const struct profile *profile);

/* True if programs may only observe: those that change what the kernel or processes do are refused,
 * although the profile's capabilities allow them. */
bool profile_only_observes(const struct profile *profile);

/* Returns the capabilities that the parent of bpfd must have: those of all profiles, and those that
 * bpfd needs only while it starts. */
uint64_t profile_start_caps(void);

/* Prints what a session with this profile cannot do, compared with the default profile. */
void profile_print_losses(const struct profile *profile, FILE *to);

/* Logs the same for a process that has the capabilities `caps`. */
void profile_log_losses(const struct profile *profile, uint64_t caps);

#endif
