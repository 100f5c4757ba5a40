/* SPDX-License-Identifier: Apache-2.0 */
/* The version code of the running kernel. */
#ifndef CORE_BPFD_BPF_KERNEL_VERSION_H
#define CORE_BPFD_BPF_KERNEL_VERSION_H

#include <stdint.h>

/* The kernel's LINUX_VERSION_CODE, or 0 if it is unknown. Kernels before 5.0 load programs for
 * kprobes only with this code. */
uint32_t kernel_version(void);

/* The code according to the release and version of uname(2), or 0. Public for tests. */
uint32_t kernel_version_of_names(const char *release, const char *version);

#endif
