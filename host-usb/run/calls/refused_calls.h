/* SPDX-License-Identifier: Apache-2.0 */
/* The list of system calls that are refused if they name a file of the board.
 *
 * The workstation's kernel runs them for all other files. */
#ifndef HOST_USB_RUN_CALLS_REFUSED_CALLS_H
#define HOST_USB_RUN_CALLS_REFUSED_CALLS_H

#include "host-usb/run/calls/numbers.h"

#define NONE -1

/* Each call, and the numbers of the arguments that name its files: directory and path, twice. With
 * NONE as directory the path starts at the working directory. With NONE as path the first number is
 * that of a descriptor, and the call is about its file. */
#define REFUSED_CALLS(X)                          \
	X(chroot, NONE, 0, NONE, NONE)            \
	X(fallocate, 0, NONE, NONE, NONE)         \
	X(fanotify_mark, 3, 4, NONE, NONE)        \
	X(fchmod, 0, NONE, NONE, NONE)            \
	X(fchmodat, 0, 1, NONE, NONE)             \
	X(fchmodat2, 0, 1, NONE, NONE)            \
	X(fchown, 0, NONE, NONE, NONE)            \
	X(fchownat, 0, 1, NONE, NONE)             \
	X(file_getattr, 0, 1, NONE, NONE)         \
	X(file_setattr, 0, 1, NONE, NONE)         \
	X(fremovexattr, 0, NONE, NONE, NONE)      \
	X(fsetxattr, 0, NONE, NONE, NONE)         \
	X(fspick, 0, 1, NONE, NONE)               \
	X(ftruncate, 0, NONE, NONE, NONE)         \
	X(inotify_add_watch, NONE, 1, NONE, NONE) \
	X(linkat, 0, 1, 2, 3)                     \
	X(lremovexattr, NONE, 0, NONE, NONE)      \
	X(lsetxattr, NONE, 0, NONE, NONE)         \
	X(mknodat, 0, 1, NONE, NONE)              \
	X(mount, NONE, 1, NONE, 0)                \
	X(mount_setattr, 0, 1, NONE, NONE)        \
	X(move_mount, 2, 3, 0, 1)                 \
	X(open_tree, 0, 1, NONE, NONE)            \
	X(open_tree_attr, 0, 1, NONE, NONE)       \
	X(pivot_root, NONE, 0, NONE, 1)           \
	X(removexattr, NONE, 0, NONE, NONE)       \
	X(removexattrat, 0, 1, NONE, NONE)        \
	X(setxattr, NONE, 0, NONE, NONE)          \
	X(setxattrat, 0, 1, NONE, NONE)           \
	X(symlinkat, 1, 2, NONE, NONE)            \
	X(truncate, NONE, 0, NONE, NONE)          \
	X(umount2, NONE, 0, NONE, NONE)           \
	X(utimensat, 0, 1, NONE, NONE)

#ifdef __NR_open /* architectures older than arm64 also have these */
#define REFUSED_OLD_CALLS(X)            \
	X(chmod, NONE, 0, NONE, NONE)   \
	X(chown, NONE, 0, NONE, NONE)   \
	X(futimesat, 0, 1, NONE, NONE)  \
	X(lchown, NONE, 0, NONE, NONE)  \
	X(link, NONE, 0, NONE, 1)       \
	X(mknod, NONE, 0, NONE, NONE)   \
	X(symlink, NONE, 1, NONE, NONE) \
	X(utime, NONE, 0, NONE, NONE)   \
	X(utimes, NONE, 0, NONE, NONE)
#else
#define REFUSED_OLD_CALLS(X)
#endif

/* Calls that read extended attributes: files of the board have none. */
#define ATTRIBUTE_CALLS(X)                 \
	X(fgetxattr, 0, NONE, NONE, NONE)  \
	X(flistxattr, 0, NONE, NONE, NONE) \
	X(getxattr, NONE, 0, NONE, NONE)   \
	X(getxattrat, 0, 1, NONE, NONE)    \
	X(lgetxattr, NONE, 0, NONE, NONE)  \
	X(listxattr, NONE, 0, NONE, NONE)  \
	X(listxattrat, 0, 1, NONE, NONE)   \
	X(llistxattr, NONE, 0, NONE, NONE)

#endif
