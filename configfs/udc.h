/* SPDX-License-Identifier: Apache-2.0 */
/* USB device controllers: which there are, who holds them, which to take. Nothing here waits. */
#ifndef CONFIGFS_UDC_H
#define CONFIGFS_UDC_H

#include <stdbool.h>
#include <stddef.h>

#define UDC_NAME_SIZE 256
#define UDC_LIST_MAX  16

/* Lists the controllers of <sysfs>/class/udc, sorted. Returns their number, at most UDC_LIST_MAX,
 * 0 also if the kernel has no such class, or a negative errno. */
int udc_list(const char *sysfs, char names[UDC_LIST_MAX][UDC_NAME_SIZE]);

/* Whether there is a controller of that name; false for "", NULL and what is no name. */
bool udc_exists(const char *sysfs, const char *name);

/* Reads an attribute, such as "state", "current_speed" or "function". Returns its length, 0 if it
 * is empty, or a negative errno; then it is "". */
int udc_read(const char *sysfs, const char *name, const char *attribute, char *value, size_t size);

/* Whether the gadget drives the controller that its UDC file names: the kernel lets the name stand
 * when the controller vanishes, also once it is back. Returns 1, 0, or a negative errno if a
 * controller that is there does not tell, as on old kernels. */
int udc_driven(const char *sysfs, const char *name, const char *gadget);

/* Who drives the controller: the gadget in <configfs>/usb_gadget, or a gadget driver such as
 * g_ether. Returns 1 and its name, or 0 and "". `except`: a gadget that does not count, NULL: none.
 */
int udc_holder(const char *configfs, const char *sysfs, const char *name, const char *except,
	char *holder, size_t size);

/* Chooses the controller `wanted`; NULL: the only one, or the first that nobody but the gadget
 * `except` holds. Returns 0 and its name; -ENODEV: there is none (yet), not logged; -EBUSY: taken,
 * logged with the holder. */
int udc_choose(const char *configfs, const char *sysfs, const char *wanted, const char *except,
	char name[UDC_NAME_SIZE]);

#endif
