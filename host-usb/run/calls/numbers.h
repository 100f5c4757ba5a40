/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of system calls that older headers lack. All architectures have the same. */
#ifndef HOST_USB_RUN_CALLS_NUMBERS_H
#define HOST_USB_RUN_CALLS_NUMBERS_H

#include <sys/syscall.h>

#ifndef __NR_open_tree
#define __NR_open_tree	428
#define __NR_move_mount 429
#define __NR_fspick	433
#endif
#ifndef __NR_mount_setattr
#define __NR_mount_setattr 442
#endif
#ifndef __NR_process_mrelease
#define __NR_process_mrelease 448
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_setxattrat
#define __NR_setxattrat	   463
#define __NR_getxattrat	   464
#define __NR_listxattrat   465
#define __NR_removexattrat 466
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif
#ifndef __NR_file_getattr
#define __NR_file_getattr 468
#define __NR_file_setattr 469
#endif

#endif
