/* SPDX-License-Identifier: Apache-2.0 */
/* Finds boards, the USB devices that have lanes, in sysfs.
 *
 * This opens and claims nothing, so it needs no permission and disturbs no session. */
#ifndef HOST_USB_DEVICE_H
#define HOST_USB_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DEVICE_PATH_MAX	  64  /* bytes: a bus and up to seven ports */
#define DEVICE_SERIAL_MAX 384 /* bytes: 126 characters of up to 3 bytes each */

struct device {
	char path[DEVICE_PATH_MAX];	/* bus and ports, "1-2.3" */
	char serial[DEVICE_SERIAL_MAX]; /* raw, see device_text; empty if the device has none */
	char product[DEVICE_SERIAL_MAX];
	char speed[16];		   /* Mb/s */
	unsigned int bus, address; /* they name the node below /dev/bus/usb */
	uint16_t release;	   /* bcdDevice */
	unsigned int lanes, busy;  /* all lanes; those that a program has claimed */
};

struct device_list {
	struct device *items; /* sorted by path */
	size_t count;
};

/* Lists all boards below `sysfs` ("/sys"). A machine without USB has an empty list. Returns 0 and
 * *list, which the caller frees with device_list_free, or a negative errno. */
int device_scan(const char *sysfs, struct device_list *list);
void device_list_free(struct device_list *list);

/* Keeps the boards whose serial or path equals `wanted`, or all if `wanted` is NULL. */
void device_list_select(struct device_list *list, const char *wanted);

/* Prints a heading, then one line for each board. Two or more spaces separate the fields. */
void device_list_print(const struct device_list *list, FILE *out);

/* Prints a JSON array with one object for each board: serial, path, bus, address, speed (Mb/s, null
 * if unknown), lanes, free, version, product. Each invalid byte of UTF-8 becomes U+FFFD. */
void device_list_print_json(const struct device_list *list, FILE *out);

/* Makes text of a device safe for a terminal: bytes other than printable ASCII become '?', and an
 * empty text becomes "-". Copies it to `out`, at most `size` bytes with the NUL. Returns `out`. */
char *device_text(const char *text, char *out, size_t size);

#endif
