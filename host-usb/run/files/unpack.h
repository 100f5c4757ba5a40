/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks archives with the workstation's tar and xz. */
#ifndef HOST_USB_RUN_FILES_UNPACK_H
#define HOST_USB_RUN_FILES_UNPACK_H

#define UNPACK_MAX \
	(256U << 20) /* bytes of an archive without compression; headers are about 60 MB */

/* Unpacks a tar archive that is compressed by xz into a directory. Returns 0; -EFBIG: it is larger
 * than UNPACK_MAX; -ENOENT: tar or xz is not installed; -EBADMSG: one of them failed, and has said
 * why; or another negative errno. */
int unpack_tar_xz(int archive, const char *directory);

#endif
