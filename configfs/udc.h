/* SPDX-License-Identifier: Apache-2.0 */
/* USB device controllers: lists them, finds who holds them, chooses one. Nothing here waits. */
#ifndef CONFIGFS_UDC_H
#define CONFIGFS_UDC_H

#include <stdbool.h>
#include <stddef.h>

#define UDC_NAME_SIZE 256
#define UDC_LIST_MAX  16

/* Lists the controllers of <sysfs>/class/udc, sorted by name. Returns their number, at most
 * UDC_LIST_MAX; 0 also if the kernel has no such class; or a negative errno. */
int udc_list(const char *sysfs, char names[UDC_LIST_MAX][UDC_NAME_SIZE]);

/* Returns true if there is a controller of that name; false also for NULL and an invalid name. */
bool udc_exists(const char *sysfs, const char *name);

/* Opens the directory of the controller `name`, to recognise this controller later: after a driver
 * was bound again, another one has the name. Returns a file descriptor, which the caller closes, or
 * a negative errno. */
int udc_open(const char *sysfs, const char *name);

/* Returns true if the controller of udc_open() has vanished, even if another one has its name. */
bool udc_vanished(int udc);

/* Reads an attribute, such as "state", "current_speed" or "function". Returns the length, 0 if it
 * is empty, or a negative errno with an empty value. */
int udc_read(const char *sysfs, const char *name, const char *attribute, char *value, size_t size);

/* Checks whether the gadget drives the controller `name` that its UDC file names. It may not: when
 * a controller vanishes, the kernel keeps the name in the UDC file, even after the controller is
 * back. Returns 1 or 0, or a negative errno if the controller exists but does not report its
 * gadget, as on old kernels. */
int udc_driven(const char *sysfs, const char *name, const char *gadget);

/* Finds who drives the controller: a gadget in <configfs>/usb_gadget, or a gadget driver such as
 * g_ether. Returns 1 and the name in `holder`, or 0 and "". The gadget `except` is not counted as a
 * holder; it may be NULL. */
int udc_holder(const char *configfs, const char *sysfs, const char *name, const char *except,
	char *holder, size_t size);

/* Chooses the controller `wanted` or, for NULL, the first that is free or held by `except`. Returns
 * 0 and its name; -ENODEV if there is no such controller yet (not logged); -EBUSY if it is taken,
 * logged with the holder; or another negative errno, logged. */
int udc_choose(const char *configfs, const char *sysfs, const char *wanted, const char *except,
	char name[UDC_NAME_SIZE]);

#endif
