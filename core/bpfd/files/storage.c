/* SPDX-License-Identifier: Apache-2.0 */
/* Tells file systems that store files from the kernel's own. */
#include "core/bpfd/files/storage.h"

#include <stddef.h>
#include <sys/sysmacros.h>

/* The numbers, not the names of linux/magic.h, which has some of them only, and older ones fewer.
 */
static const uint32_t without_device[] = {
	0x01021994, /* tmpfs, memfd */
	0x858458f6, /* ramfs, an initramfs */
	0x794c7630, /* overlayfs */
	0x61756673, /* aufs */
	0x24051905, /* UBIFS */
	0x9123683e, /* Btrfs: a number of its own for each subvolume */
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

/* What is on a block or MTD device has its number; all others have major number 0. Of those the
 * kernel's own are the ones that each version adds to: what is not known is one of them. */
bool storage_is(dev_t device, uint32_t type)
{
	if (major(device))
		return true;
	for (size_t i = 0; i < sizeof(without_device) / sizeof(without_device[0]); i++)
		if (without_device[i] == type)
			return true;
	return false;
}
