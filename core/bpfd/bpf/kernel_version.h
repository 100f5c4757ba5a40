/* SPDX-License-Identifier: Apache-2.0 */
/* The version code of the running kernel. */
#ifndef CORE_BPFD_BPF_KERNEL_VERSION_H
#define CORE_BPFD_BPF_KERNEL_VERSION_H

#include <stdint.h>

/* The kernel's LINUX_VERSION_CODE; 0 if it cannot be told. Kernels before 5.0 load a program for
 * kprobes only with it. */
uint32_t kernel_version(void);

/* What uname(2) tells of it. For tests. */
uint32_t kernel_version_of_names(const char *release, const char *version);

#endif
