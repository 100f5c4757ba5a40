/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a gadget, which all parts of configfs/ read. */
#ifndef CONFIGFS_OPTIONS_H
#define CONFIGFS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct gadget_options {
	const char *configfs; /* where configfs is mounted */
	const char *name;     /* of our gadget; a lane's function is ffs.<name><lane> */
	uint16_t vendor_id, product_id, bcd_device;
	const char *manufacturer, *product;
	const char *serial; /* NULL until serial_find() has found one */
	/* The gadget of another owner to add the lanes to, and the name of its configuration. If
	 * `join` is NULL, a gadget of our own is made; otherwise the ids and strings above are
	 * ignored. If `join_config` is NULL, the configuration that hosts see first is used. */
	const char *join, *join_config;
	unsigned int lanes;
	const char *ffs_dir; /* each lane's FunctionFS instance is mounted here on <name><lane> */
	bool may_load;	     /* may load kernel modules and mount configfs */

	/* Where the system's files are; tests redirect them. */
	const char *sysfs, *proc;
	const char *modules;	/* /lib/modules */
	const char *boot;	/* /boot */
	const char *machine_id; /* /etc/machine-id */
};

/* Sets all options to their defaults. */
void gadget_options_init(struct gadget_options *options);

#endif
