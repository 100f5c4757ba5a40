/* SPDX-License-Identifier: Apache-2.0 */
/* Finds boards in sysfs.
 *
 * sysfs is better than libusb's device list: it shows the serial number without opening the device,
 * and the state of a lane without claiming it. It also shows a new device at once, which a libusb
 * context misses if no udevd runs. */
#include "host-usb/device.h"
#include "core/base/paths.h"
#include "core/base/printable.h"
#include "core/base/utf8.h"

#include "core/link/link.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES_MAX 1024 /* boards; more than eight buses have addresses for */

/* Reads an attribute and strips its newline. Returns the length or a negative errno. */
static int sysfs_read(int dir, const char *device, const char *name, char *text, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd, err = path_format(path, "%s/%s", device, name);

	if (err)
		return err;
	text[0] = '\0';
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, text, size - 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	if (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return (int)n;
}

static int sysfs_number(
	int dir, const char *device, const char *name, int base, unsigned int *value)
{
	char text[32], *end;
	unsigned long n;
	int err = sysfs_read(dir, device, name, text, sizeof(text));

	if (err < 0)
		return err;
	errno = 0;
	n = strtoul(text, &end, base);
	if (errno || end == text || *end || n > UINT_MAX)
		return -EINVAL;
	*value = (unsigned int)n;
	return 0;
}

/* True if the error means that there is no such attribute or device (any more), or no number in it.
 * Other errors concern this process, and a board that is left out for them would be a wrong answer.
 */
static bool is_absent(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -ENXIO || err == -EINVAL;
}

/* Returns 1 or 0, or a negative errno. */
static int is_lane(int dir, const char *interface)
{
	static const struct {
		const char *name;
		unsigned int value;
	} wanted[] = {{"bInterfaceClass", LANE_CLASS}, {"bInterfaceSubClass", LANE_SUBCLASS},
		{"bInterfaceProtocol", LANE_PROTOCOL}};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		unsigned int value;
		int err = sysfs_number(dir, interface, wanted[i].name, 16, &value);

		if (err)
			return is_absent(err) ? 0 : err;
		if (value != wanted[i].value)
			return 0;
	}
	return 1;
}

/* Finds the driver of a device or interface; "" if it has none. Returns 0 or a negative errno. */
static int find_driver(int dir, const char *device, char driver[static PATH_MAX])
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t len;
	int err = path_format(path, "%s/driver", device);

	driver[0] = '\0';
	if (err)
		return err;
	len = readlinkat(dir, path, target, sizeof(target) - 1);
	if (len < 0)
		return is_absent(-errno) ? 0 : -errno;
	target[len] = '\0';
	name = strrchr(target, '/');
	strcpy(driver, name ? name + 1 : target);
	return 0;
}

/* Reads an attribute that devices may lack. */
static int read_optional(int dir, const char *device, const char *name, char *text, size_t size)
{
	int err = sysfs_read(dir, device, name, text, size);

	return err < 0 && !is_absent(err) ? err : 0;
}

/* Fills in *device from its path. Returns a negative errno, for example if the device has vanished.
 */
static int device_read(int dir, struct device *device)
{
	unsigned int release = 0;
	int err = sysfs_number(dir, device->path, "busnum", 10, &device->bus);

	if (err == 0)
		err = sysfs_number(dir, device->path, "devnum", 10, &device->address);
	if (err == 0)
		err = read_optional(
			dir, device->path, "serial", device->serial, sizeof(device->serial));
	if (err == 0)
		err = read_optional(
			dir, device->path, "product", device->product, sizeof(device->product));
	if (err == 0)
		err = read_optional(
			dir, device->path, "speed", device->speed, sizeof(device->speed));
	if (err < 0)
		return err;
	err = sysfs_number(dir, device->path, "bcdDevice", 16, &release);
	if (err == 0)
		device->release = (uint16_t)release;
	return err < 0 && !is_absent(err) ? err : 0;
}

/* Returns the list entry for the device of an interface such as "1-2.3:1.0", and adds it if it is
 * new. Returns NULL with *err 0 if the device has vanished, is exported, or the list is full. */
static struct device *list_device(
	struct device_list *list, int dir, const char *interface, int *err)
{
	size_t len = strcspn(interface, ":");
	struct device device = {.bus = 0}, *items;
	char driver[PATH_MAX];

	*err = 0;
	if (len >= sizeof(device.path) || list->count == DEVICES_MAX)
		return NULL;
	memcpy(device.path, interface, len);
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].path, device.path) == 0)
			return &list->items[i];
	*err = find_driver(dir, device.path, driver);
	if (*err)
		return NULL;
	/* usbip-host exports the whole device to another machine: this host cannot use it. */
	if (driver[0] && strcmp(driver, "usb") != 0)
		return NULL;
	*err = device_read(dir, &device);
	if (*err) {
		*err = is_absent(*err) ? 0 : *err;
		return NULL;
	}
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items) {
		*err = -ENOMEM;
		return NULL;
	}
	list->items = items;
	items[list->count] = device;
	return &items[list->count++];
}

static int compare_paths(const void *a, const void *b)
{
	return strverscmp(((const struct device *)a)->path, ((const struct device *)b)->path);
}

static int scan_interfaces(DIR *stream, struct device_list *list)
{
	int dir = dirfd(stream), err = 0;
	char driver[PATH_MAX];
	struct device *device;
	struct dirent *entry;

	while (err == 0 && (errno = 0, entry = readdir(stream))) {
		if (!strchr(entry->d_name, ':'))
			continue;
		err = is_lane(dir, entry->d_name);
		if (err <= 0)
			continue;
		device = list_device(list, dir, entry->d_name, &err);
		if (!device)
			continue;
		/* usbfs is the driver of a claimed interface. With any other driver a lane is busy,
		 * too. */
		err = find_driver(dir, entry->d_name, driver);
		device->lanes++;
		device->busy += driver[0] != '\0';
	}
	return err ? err : -errno;
}

int device_scan(const char *sysfs, struct device_list *list)
{
	char path[PATH_MAX];
	DIR *stream;
	int err;

	*list = (struct device_list){NULL, 0};
	err = path_format(path, "%s/bus/usb/devices", sysfs);
	if (err)
		return err;
	stream = opendir(path);
	if (!stream)
		return errno == ENOENT ? 0 : -errno;
	err = scan_interfaces(stream, list);
	closedir(stream);
	if (err < 0)
		device_list_free(list);
	else if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare_paths);
	return err;
}

void device_list_free(struct device_list *list)
{
	free(list->items);
	*list = (struct device_list){NULL, 0};
}

void device_list_select(struct device_list *list, const char *wanted)
{
	size_t kept = 0;

	if (!wanted)
		return;
	for (size_t i = 0; i < list->count; i++) {
		const struct device *device = &list->items[i];

		if (strcmp(device->serial, wanted) == 0 || strcmp(device->path, wanted) == 0)
			list->items[kept++] = *device;
	}
	list->count = kept;
}

char *device_text(const char *text, char *out, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len = 0;

	for (; *at && len + 1 < size; len++) {
		size_t bytes = utf8_length(at);

		out[len] = (char)(bytes == 1 ? *at : '?');
		at += bytes ? bytes : 1;
	}
	printable_ascii(out, len);
	if (len == 0 && size > 1)
		out[len++] = '-';
	out[len] = '\0';
	return out;
}

void device_list_print(const struct device_list *list, FILE *out)
{
	char serial[DEVICE_SERIAL_MAX], product[DEVICE_SERIAL_MAX], speed[32];
	int width = (int)strlen("SERIAL");

	for (size_t i = 0; i < list->count; i++) {
		device_text(list->items[i].serial, serial, sizeof(serial));
		if ((int)strlen(serial) > width)
			width = (int)strlen(serial);
	}
	fprintf(out, "%-*s  %-10s  %-10s  %5s  %4s  %-7s  %s\n", width, "SERIAL", "PATH", "SPEED",
		"LANES", "FREE", "VERSION", "PRODUCT");
	for (size_t i = 0; i < list->count; i++) {
		const struct device *d = &list->items[i];

		snprintf(speed, sizeof(speed), "%s Mb/s", d->speed[0] ? d->speed : "?");
		fprintf(out, "%-*s  %-10s  %-10s  %5u  %4u  %x.%x.%x    %s\n", width,
			device_text(d->serial, serial, sizeof(serial)), d->path, speed, d->lanes,
			d->lanes - d->busy, d->release >> 8, d->release >> 4 & 0xf,
			d->release & 0xf, device_text(d->product, product, sizeof(product)));
	}
}

static void print_json_text(const char *text, FILE *out)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length;

	fputc('"', out);
	for (; *at; at += length ? length : 1) {
		length = utf8_length(at);
		if (!length)
			fputs("\\ufffd", out);
		else if (*at < 0x20 || *at == '"' || *at == '\\' || *at == 0x7f)
			fprintf(out, "\\u%04x", *at);
		else
			fwrite(at, 1, length, out);
	}
	fputc('"', out);
}

void device_list_print_json(const struct device_list *list, FILE *out)
{
	fputs("[", out);
	for (size_t i = 0; i < list->count; i++) {
		const struct device *d = &list->items[i];
		bool known = d->speed[0] && d->speed[strspn(d->speed, "0123456789.")] == '\0';

		fprintf(out, "%s\n  {\"serial\": ", i ? "," : "");
		print_json_text(d->serial, out);
		fputs(", \"path\": ", out);
		print_json_text(d->path, out);
		fprintf(out, ", \"bus\": %u, \"address\": %u, \"speed\": %s", d->bus, d->address,
			known ? d->speed : "null");
		fprintf(out, ", \"lanes\": %u, \"free\": %u, \"version\": \"%x.%x.%x\"", d->lanes,
			d->lanes - d->busy, d->release >> 8, d->release >> 4 & 0xf,
			d->release & 0xf);
		fputs(", \"product\": ", out);
		print_json_text(d->product, out);
		fputc('}', out);
	}
	fputs(list->count ? "\n]\n" : "]\n", out);
}
