/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel needs to have for a gadget: file systems and modules, looked for and loaded. */
#ifndef CONFIGFS_KERNEL_H
#define CONFIGFS_KERNEL_H

#include "configfs/options.h"

#include <stdbool.h>

/* Whether the kernel has the file system now. */
bool kernel_has_filesystem(const struct gadget_options *options, const char *name);

/* Whether the module is installed for the running kernel, or built in, by the list of modules. */
bool kernel_has_module(const struct gadget_options *options, const char *name);

/* Whether there is a list of the running kernel's modules. */
bool kernel_has_module_list(const struct gadget_options *options);

/* Whether configfs is mounted where the options say. */
bool kernel_configfs_mounted(const struct gadget_options *options);

/* Whether libcomposite is there: configfs has its directory usb_gadget. */
bool kernel_has_gadgets(const struct gadget_options *options);

/* Makes sure of configfs and libcomposite; loads them and FunctionFS, and mounts, if the options
 * allow it. Returns 0, or a negative errno, logged with the module and the kernel option that is
 * missing. */
int kernel_prepare(const struct gadget_options *options);

#endif
