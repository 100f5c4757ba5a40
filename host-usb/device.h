/* SPDX-License-Identifier: Apache-2.0 */
/* Finds boards: USB devices with lanes, as sysfs shows them. Opens and claims nothing, so it needs
 * no permission and disturbs no session. */
#ifndef HOST_USB_DEVICE_H
#define HOST_USB_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DEVICE_PATH_MAX	  64  /* bytes: bus, seven ports */
#define DEVICE_SERIAL_MAX 384 /* bytes: 126 characters of up to 3 bytes */

struct device {
	char path[DEVICE_PATH_MAX];	/* bus and ports, "1-2.3" */
	char serial[DEVICE_SERIAL_MAX]; /* empty if it has none; raw, see device_text */
	char product[DEVICE_SERIAL_MAX];
	char speed[16];		   /* Mb/s */
	unsigned int bus, address; /* of its node below /dev/bus/usb */
	uint16_t release;	   /* bcdDevice */
	unsigned int lanes, busy;  /* lanes, and how many of them a program holds */
};

struct device_list {
	struct device *items; /* in the order of their paths */
	size_t count;
};

/* Reads all boards below `sysfs` ("/sys"). No USB at all is an empty list. Returns 0 and *list, to
 * be freed with device_list_free, or a negative errno. */
int device_scan(const char *sysfs, struct device_list *list);
void device_list_free(struct device_list *list);

/* Keeps the boards whose serial or path is `wanted`; all when that is NULL. */
void device_list_select(struct device_list *list, const char *wanted);

/* Prints a table with a heading, one board a line. Fields are separated by two spaces or more. */
void device_list_print(const struct device_list *list, FILE *out);

/* The same for programs: a JSON array of objects with serial, path, bus, address, speed (Mb/s, null
 * if not known), lanes, free, version, product. Text is UTF-8; what is not becomes U+FFFD. */
void device_list_print_json(const struct device_list *list, FILE *out);

/* Copies text of a device for people to read: bytes that a terminal could obey become '?', an empty
 * text becomes "-". Returns `out`, of `size` bytes. */
char *device_text(const char *text, char *out, size_t size);

#endif
