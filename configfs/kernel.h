/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and loads the file systems and modules that a gadget needs. */
#ifndef CONFIGFS_KERNEL_H
#define CONFIGFS_KERNEL_H

#include "configfs/options.h"

#include <stdbool.h>

/* Returns true if the kernel has the file system now. */
bool kernel_has_filesystem(const struct gadget_options *options, const char *name);

/* Returns true if the lists of modules say that the module is installed for the running kernel or
 * built in. */
bool kernel_has_module(const struct gadget_options *options, const char *name);

/* Returns true if a list of the running kernel's modules is present. */
bool kernel_has_module_list(const struct gadget_options *options);

/* Returns true if configfs is mounted where the options say. */
bool kernel_configfs_mounted(const struct gadget_options *options);

/* Returns true if libcomposite is present: configfs has its directory usb_gadget. */
bool kernel_has_gadgets(const struct gadget_options *options);

/* Ensures that configfs is mounted and libcomposite is present, and loads FunctionFS. Mounts and
 * loads only if the options allow it. Returns 0, or a negative errno after logging which module and
 * kernel option are missing. */
int kernel_prepare(const struct gadget_options *options);

#endif
