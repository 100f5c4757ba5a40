/* SPDX-License-Identifier: Apache-2.0 */
/* Finds USB device controllers in sysfs and their holders in configfs. */
#include "configfs/udc.h"
#include "core/base/paths.h"

#include "configfs/attr.h"
#include "core/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int udc_list(const char *sysfs, char names[UDC_LIST_MAX][UDC_NAME_SIZE])
{
	char path[PATH_MAX];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	if (path_format(path, "%s/class/udc", sysfs) < 0)
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (count < UDC_LIST_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			snprintf(names[count++], UDC_NAME_SIZE, "%s", entry->d_name);
	}
	closedir(dir);
	qsort(names, (size_t)count, UDC_NAME_SIZE, compare_names);
	return count;
}

bool udc_exists(const char *sysfs, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return name && attr_is_name(name) &&
	       path_format(path, "%s/class/udc/%s", sysfs, name) == 0 && stat(path, &st) == 0;
}

int udc_open(const char *sysfs, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (path_format(path, "%s/class/udc/%s", sysfs, name) < 0)
		return -ENAMETOOLONG;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool udc_vanished(int udc)
{
	return faccessat(udc, "state", F_OK, 0) < 0;
}

int udc_read(const char *sysfs, const char *name, const char *attribute, char *value, size_t size)
{
	char path[PATH_MAX];

	value[0] = '\0';
	if (path_format(path, "%s/class/udc/%s/%s", sysfs, name, attribute) < 0)
		return -ENAMETOOLONG;
	return attr_read(path, value, size);
}

int udc_driven(const char *sysfs, const char *name, const char *gadget)
{
	char function[NAME_MAX + 1];
	int err;

	if (!udc_exists(sysfs, name))
		return 0;
	err = udc_read(sysfs, name, "function", function, sizeof(function));
	return err < 0 ? err : strcmp(function, gadget) == 0;
}

/* Returns true if the gadget's UDC file names the controller. */
static bool gadget_holds(const char *configfs, const char *gadget, const char *name)
{
	char path[PATH_MAX], udc[UDC_NAME_SIZE];

	return path_format(path, "%s/usb_gadget/%s/UDC", configfs, gadget) == 0 &&
	       attr_read(path, udc, sizeof(udc)) > 0 && strcmp(udc, name) == 0;
}

/* Returns 1 and the name of the gadget that holds the controller; 2 if `except` holds it; or 0. */
static int gadget_holder(
	const char *configfs, const char *name, const char *except, char *holder, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	if (path_format(path, "%s/usb_gadget", configfs) < 0)
		return 0;
	dir = opendir(path);
	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !gadget_holds(configfs, entry->d_name, name))
			continue;
		found = except && strcmp(entry->d_name, except) == 0 ? 2 : 1;
		if (found == 1)
			snprintf(holder, size, "%s", entry->d_name);
	}
	closedir(dir);
	return found;
}

int udc_holder(const char *configfs, const char *sysfs, const char *name, const char *except,
	char *holder, size_t size)
{
	int found;

	holder[0] = '\0';
	found = gadget_holder(configfs, name, except, holder, size);
	if (found)
		return found == 1;
	/* Gadget drivers such as g_ether are not in configfs. */
	return udc_read(sysfs, name, "function", holder, size) > 0;
}

/* Returns 0 if the controller is free, else -EBUSY, logged. */
static int check_free(const char *configfs, const char *sysfs, const char *name, const char *except)
{
	char holder[NAME_MAX + 1];

	if (!udc_holder(configfs, sysfs, name, except, holder, sizeof(holder)))
		return 0;
	log_error("%s: taken by gadget %s; share it with --join, unbind it, or name another "
		  "controller with --udc",
		name, holder);
	return -EBUSY;
}

int udc_choose(const char *configfs, const char *sysfs, const char *wanted, const char *except,
	char name[UDC_NAME_SIZE])
{
	char names[UDC_LIST_MAX][UDC_NAME_SIZE], holder[NAME_MAX + 1];
	int count;

	if (wanted) {
		if (!udc_exists(sysfs, wanted))
			return -ENODEV;
		snprintf(name, UDC_NAME_SIZE, "%s", wanted);
		return check_free(configfs, sysfs, name, except);
	}
	count = udc_list(sysfs, names);
	if (count < 0) {
		log_error("%s/class/udc: %s", sysfs, strerror(-count));
		return count;
	}
	for (int i = 0; i < count; i++) {
		if (udc_holder(configfs, sysfs, names[i], except, holder, sizeof(holder)))
			continue;
		memcpy(name, names[i], UDC_NAME_SIZE);
		return 0;
	}
	for (int i = 0; i < count; i++)
		check_free(configfs, sysfs, names[i], except);
	return count ? -EBUSY : -ENODEV;
}
