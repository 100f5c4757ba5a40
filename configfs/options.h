/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a gadget, which all parts of configfs/ read. */
#ifndef CONFIGFS_OPTIONS_H
#define CONFIGFS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define GADGET_LANES_MAX 16 /* 32 endpoints: more than USB has */

struct gadget_options {
	const char *configfs; /* where configfs is mounted */
	const char *name;     /* of our gadget; a lane's function is ffs.<name><lane> */
	uint16_t vendor_id, product_id, bcd_device;
	const char *manufacturer, *product;
	const char *serial; /* NULL: serial_find() has to find one first */
	/* A gadget that somebody else has made and that the lanes are added to, and its
	 * configuration. NULL: a gadget of our own; the first configuration. What is above about
	 * ids and strings is then not used. */
	const char *join, *join_config;
	unsigned int lanes;
	const char *ffs_dir; /* gets one mounted FunctionFS instance a lane, <name><lane> */
	bool may_load;	     /* may load kernel modules and mount configfs */

	/* Where the system is; for tests. */
	const char *sysfs, *proc;
	const char *modules;	/* /lib/modules */
	const char *boot;	/* /boot */
	const char *machine_id; /* /etc/machine-id */
};

/* Fills in the defaults. */
void gadget_options_init(struct gadget_options *options);

#endif
