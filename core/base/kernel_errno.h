/* SPDX-License-Identifier: Apache-2.0 */
/* Errors that the kernel returns to user space and errno.h does not define. */
#ifndef CORE_BASE_KERNEL_ERRNO_H
#define CORE_BASE_KERNEL_ERRNO_H

#define KERNEL_ENOTSUPP 524

#endif
