/* SPDX-License-Identifier: Apache-2.0 */
/* The default options of a gadget. */
#include "configfs/options.h"

#include <stdio.h>

void gadget_options_init(struct gadget_options *options)
{
	unsigned int major = 0, minor = 0, patch = 0;

	sscanf(BPFD_USB_VERSION, "%u.%u.%u", &major, &minor, &patch);
	*options = (struct gadget_options){
		.configfs = "/sys/kernel/config",
		.name = "bpfd",
		.vendor_id = 0x1d6b,
		.product_id = 0x0104,
		.bcd_device = (uint16_t)((major % 10) << 8 | (minor % 10) << 4 | patch % 10),
		.manufacturer = "bpfd-usb",
		.product = "bpfd",
		.lanes = 2,
		.ffs_dir = "/run/bpfd-gadget",
		.may_load = true,
		.sysfs = "/sys",
		.proc = "/proc",
		.modules = "/lib/modules",
		.boot = "/boot",
		.machine_id = "/etc/machine-id",
	};
}
