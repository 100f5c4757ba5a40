/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguishes file systems that store files from the kernel's own. */
#include "core/bpfd/files/storage.h"

#include <stddef.h>
#include <sys/sysmacros.h>

/* Numbers, because linux/magic.h names only some of them, and older headers fewer. */
static const uint32_t without_device[] = {
	0x01021994, /* tmpfs, memfd */
	0x858458f6, /* ramfs, an initramfs */
	0x794c7630, /* overlayfs */
	0x61756673, /* aufs */
	0x24051905, /* UBIFS */
	0x9123683e, /* Btrfs, whose subvolumes have anonymous device numbers */
	0xca451a4e, /* bcachefs */
	0x2fc12fc1, /* ZFS */
	0xe0f5e1e2, /* EROFS in a file */
	0x0000f15f, /* eCryptfs */
	0x00006969, /* NFS */
	0x01021997, /* 9p */
	0x65735546, /* FUSE, virtiofs */
	0xff534d42, /* SMB 1 */
	0xfe534d42, /* SMB 2 and 3 */
	0x00c36400, /* Ceph */
	0x786f4256, /* vboxsf */
	0x00c0ffee, /* hostfs */
};

/* A file system on a block or MTD device has the number of that device. All others have major
 * number 0. Of those, new kernels add more that are the kernel's own than that store files, so an
 * unknown one counts as the kernel's own. */
bool storage_is(dev_t device, uint32_t type)
{
	if (major(device))
		return true;
	for (size_t i = 0; i < sizeof(without_device) / sizeof(without_device[0]); i++)
		if (without_device[i] == type)
			return true;
	return false;
}
