/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the attributes of a USB device in sysfs, and a board's serial number.
 *
 * The input is five texts separated by newlines, one for each of `files`. */
#include "host-usb/device.h"

#include "configfs/serial.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

#define DEVICES "sys/bus/usb/devices/"

static const char *const files[] = {DEVICES "1-2/serial", DEVICES "1-2/product",
	DEVICES "1-2/bcdDevice", DEVICES "1-2/devnum", "sys/class/dmi/id/product_serial"};

static void print(struct device_list *list)
{
	char text[DEVICE_SERIAL_MAX], *out;
	size_t size;
	FILE *file = open_memstream(&out, &size);

	MUST(file);
	device_list_print(list, file);
	device_list_print_json(list, file);
	fclose(file);
	for (size_t i = 0; i < size; i++)
		MUST((unsigned char)out[i] >= ' ' || out[i] == '\n');
	for (size_t i = 0; i < list->count; i++)
		MUST(device_text(list->items[i].serial, text, sizeof(text))[0]);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	struct gadget_options options;
	char serial[SERIAL_MAX + 1];
	struct device_list list;
	const char *source;

	if (!made) {
		tree_put(DEVICES "1-2/busnum", "1\n", 2);
		tree_put(DEVICES "1-2:1.0/bInterfaceClass", "ff\n", 3);
		tree_put(DEVICES "1-2:1.0/bInterfaceSubClass", "b7\n", 3);
		tree_put(DEVICES "1-2:1.0/bInterfaceProtocol", "01\n", 3);
		made = true;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
		size_t length = end ? (size_t)(end - data) + 1 : size;

		tree_put(files[i], data, length);
		data += length;
		size -= length;
	}
	MUST(!device_scan(tree_paths()->sysfs, &list));
	print(&list);
	device_list_free(&list);
	gadget_options_init(&options);
	options.proc = tree_paths()->proc;
	options.sysfs = tree_paths()->sysfs;
	if (!serial_find_source(&options, serial, &source))
		MUST(serial_valid(serial));
	return 0;
}
