/* SPDX-License-Identifier: Apache-2.0 */
/* Adds lanes to the gadget of another owner and restores it. */
#include "configfs/join.h"

#include "configfs/attr.h"
#include "configfs/functionfs.h"
#include "configfs/gadget_tree.h"
#include "core/base/log.h"
#include "core/base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_FILE	  "joined" /* in ffs_dir */
#define NOTE_FILE_PART	  "joined.part"
#define LIST_SIZE	  512	 /* bytes of names in one log message; a longer list is cut */
#define VENDOR_CODE	  "0xb7" /* bRequest by which Windows asks for the OS descriptors */
#define SIGN		  "MSFT100"
#define CONFIG_NUMBER_MAX 0xff /* bConfigurationValue has one byte */

struct note {
	char gadget[NAME_MAX + 1];
	char udc[UDC_NAME_SIZE];
	char vendor_code[16];
};

static int note_path(
	const struct gadget_options *options, const char *name, char path[static PATH_MAX])
{
	return path_format(path, "%s/%s", options->ffs_dir, name);
}

static bool read_line(FILE *file, char *line, size_t size)
{
	char *end;

	if (!fgets(line, (int)size, file))
		return false;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	return end != NULL;
}

/* Returns true if there is a note. Removes an invalid or unfinished one. */
static bool note_read(const struct gadget_options *options, struct note *note)
{
	char path[PATH_MAX];
	FILE *file;
	bool whole;

	if (note_path(options, NOTE_FILE_PART, path) == 0)
		unlink(path);
	file = note_path(options, NOTE_FILE, path) < 0 ? NULL : fopen(path, "re");
	if (!file)
		return false;
	whole = read_line(file, note->gadget, sizeof(note->gadget)) &&
		read_line(file, note->udc, sizeof(note->udc)) &&
		read_line(file, note->vendor_code, sizeof(note->vendor_code)) &&
		attr_is_name(note->gadget);
	fclose(file);
	if (!whole)
		unlink(path);
	return whole;
}

static void note_remove(const struct gadget_options *options)
{
	char path[PATH_MAX];

	if (note_path(options, NOTE_FILE, path) == 0)
		unlink(path);
}

static int note_write(const struct gadget_options *options, const struct join *join)
{
	char part[PATH_MAX], path[PATH_MAX];
	int err = note_path(options, NOTE_FILE_PART, part);
	FILE *file;

	if (err == 0)
		err = note_path(options, NOTE_FILE, path);
	if (err < 0)
		return err;
	file = fopen(part, "we");
	if (!file)
		return -errno;
	fprintf(file, "%s\n%s\n%s\n", options->join, join->udc, join->vendor_code);
	/* The previous note stays until the new one is complete. */
	if (fclose(file) < 0 || rename(part, path) < 0) {
		err = -errno;
		unlink(part);
	}
	return err;
}

int join_note(const struct gadget_options *options, const struct join *join)
{
	int err = note_write(options, join);

	if (err < 0)
		log_error("%s/" NOTE_FILE ": %s", options->ffs_dir, strerror(-err));
	return err;
}

static int os_write(const char *dir, const char *attribute, const char *value)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/os_desc/%s", dir, attribute);

	return err < 0 ? err : attr_write(path, value);
}

/* Writes the path of the link that gives OS descriptors to the configuration. */
static int os_link(const struct join *join, char path[static PATH_MAX])
{
	return path_format(path, "%s/os_desc/%s", join->dir, strrchr(join->config, '/') + 1);
}

static int find_any(void *arg, const char *path, const char *name)
{
	return 1;
}

static int count_config(void *arg, const char *path, const char *name)
{
	++*(unsigned int *)arg;
	return 0;
}

/* Reads the vendor code if the gadget does not use OS descriptors, so that we may set them. Hosts
 * see the configuration with OS descriptors first. If there are several configurations, leave that
 * order alone and set none. */
static void os_find(struct join *join)
{
	unsigned int configs = 0;
	char path[PATH_MAX], value[16];

	join->vendor_code[0] = '\0';
	if (gadget_tree_os_configs(join->dir, find_any, NULL) != 0 ||
		gadget_tree_configs(join->dir, count_config, &configs) < 0 || configs > 1)
		return;
	if (path_format(path, "%s/os_desc/use", join->dir) < 0 ||
		attr_read(path, value, sizeof(value)) <= 0 || strcmp(value, "0") != 0)
		return;
	/* The kernel shows 0xb7 as 0xffffffb7, but does not accept that value. */
	if (path_format(path, "%s/os_desc/b_vendor_code", join->dir) == 0 &&
		attr_read(path, value, sizeof(value)) > 0)
		snprintf(join->vendor_code, sizeof(join->vendor_code), "0x%02lx",
			strtoul(value, NULL, 0) & 0xff);
}

/* The signature stays, as the kernel cannot clear it. It ignores the signature without `use`. */
static void os_restore(const struct join *join)
{
	char path[PATH_MAX];

	if (!join->vendor_code[0])
		return;
	os_write(join->dir, "use", "0");
	os_write(join->dir, "b_vendor_code", join->vendor_code);
	if (os_link(join, path) == 0)
		unlink(path);
}

/* An error is only logged: without OS descriptors the lanes work everywhere except on Windows. */
static void os_set(const struct join *join)
{
	char path[PATH_MAX];
	int err;

	if (!join->vendor_code[0])
		return;
	err = os_link(join, path);
	if (err == 0)
		err = os_write(join->dir, "b_vendor_code", VENDOR_CODE);
	if (err == 0)
		err = os_write(join->dir, "qw_sign", SIGN);
	if (err == 0 && symlink(join->config, path) < 0)
		err = -errno;
	if (err == 0)
		err = os_write(join->dir, "use", "1");
	if (err == 0)
		return;
	log_warning("%s/os_desc: cannot set Microsoft OS descriptors: %s; Windows needs them",
		join->dir, strerror(-err));
	os_restore(join);
}

struct list {
	const char *lanes; /* lanes of this name are left out; NULL: none are */
	char text[LIST_SIZE];
};

static int list_add(void *arg, const char *path, const char *name)
{
	struct list *list = arg;
	size_t len = strlen(list->text);

	if (!list->lanes || !gadget_tree_is_lane(name, list->lanes))
		snprintf(list->text + len, sizeof(list->text) - len, "%s%s", len ? ", " : "", name);
	return 0;
}

static int find_lane(void *arg, const char *path, const char *name)
{
	return gadget_tree_is_lane(name, arg);
}

/* Returns 0 if no daemon serves lanes in the gadget, else -EBUSY, logged. The kernel unbinds a
 * gadget when the files of its lanes are closed. So if it is bound with lanes, a daemon is alive,
 * for example in another mount namespace. */
static int check_dead(const struct gadget_options *options, const char *dir)
{
	char path[PATH_MAX], udc[UDC_NAME_SIZE];

	if (gadget_tree_links(dir, find_lane, (void *)options->name) <= 0 ||
		path_format(path, "%s/UDC", dir) < 0 || attr_read(path, udc, sizeof(udc)) <= 0 ||
		udc_driven(options->sysfs, udc, strrchr(dir, '/') + 1) == 0)
		return 0;
	log_error("%s: bound to %s with lanes of a daemon whose mounts are not visible here; "
		  "stop it",
		dir, udc);
	return -EBUSY;
}

void join_bind_again(const struct join *join)
{
	const char *dir = join->dir, *udc = join->udc, *gadget = strrchr(dir, '/') + 1;
	char path[PATH_MAX], now[UDC_NAME_SIZE];
	int err = path_format(path, "%s/UDC", dir);

	if (err < 0 || !udc[0] || attr_read(path, now, sizeof(now)) != 0)
		return;
	err = attr_write(path, udc);
	if (err == 0)
		log_info("gadget %s: bound to %s again", gadget, udc);
	else
		log_error("gadget %s: cannot bind it to %s again: %s", gadget, udc, strerror(-err));
}

/* The name of the link in os_desc is the name of the configuration. */
static int find_os_config(void *arg, const char *path, const char *name)
{
	struct join *join = arg;

	return path_format(join->config, "%s/configs/%s", join->dir, name) < 0 ? -ENAMETOOLONG : 1;
}

int join_recover(const struct gadget_options *options, char *udc)
{
	struct join join = {.udc = ""};
	struct note note;
	int err;

	if (udc)
		udc[0] = '\0';
	if (!note_read(options, &note))
		return 0;
	err = path_format(join.dir, "%s/usb_gadget/%s", options->configfs, note.gadget);
	/* The open files of a daemon that is alive make this fail before anything is changed. */
	if (err == 0)
		err = functionfs_unmount_leftovers(options, note.gadget);
	if (err == 0)
		err = check_dead(options, join.dir);
	if (err < 0)
		return err;
	log_info("gadget %s: removing the lanes that a killed daemon left", note.gadget);
	memcpy(join.vendor_code, note.vendor_code, sizeof(join.vendor_code));
	if (gadget_tree_os_configs(join.dir, find_os_config, &join) != 1)
		join.vendor_code[0] = '\0';
	memcpy(join.udc, note.udc, sizeof(join.udc));
	err = join_leave(options, &join, true);
	if (err < 0)
		return err;
	if (udc && options->join && strcmp(options->join, note.gadget) == 0)
		memcpy(udc, note.udc, UDC_NAME_SIZE);
	else
		join_bind_again(&join);
	return 0;
}

/* Looks for the configuration that is wanted, or else the one with the lowest number, which follows
 * the last dot. Hosts use the first configuration. The kernel shows the one with OS descriptors
 * first; without any, the one with the lowest number is most probably first. */
struct config_search {
	const char *wanted;
	char name[NAME_MAX + 1];
	long number;
};

static int look_at_config(void *arg, const char *path, const char *name)
{
	struct config_search *search = arg;
	const char *dot = strrchr(name, '.');
	long number = dot ? strtol(dot + 1, NULL, 10) : CONFIG_NUMBER_MAX;

	if (search->wanted ? strcmp(search->wanted, name) != 0 : number >= search->number)
		return 0;
	search->number = number;
	snprintf(search->name, sizeof(search->name), "%s", name);
	return 0;
}

static int find_config(const struct gadget_options *options, struct join *join)
{
	struct config_search search = {options->join_config, "", CONFIG_NUMBER_MAX + 1};
	int err = search.wanted ? 0 : gadget_tree_os_configs(join->dir, find_os_config, join);

	if (err == 1)
		return 0;
	if (err == 0)
		err = gadget_tree_configs(join->dir, look_at_config, &search);
	if (err < 0)
		log_error("%s: cannot be read: %s%s", join->dir, strerror(-err), attr_hint(err));
	if (err < 0)
		return err;
	if (search.name[0])
		return path_format(join->config, "%s/configs/%s", join->dir, search.name);
	if (options->join_config)
		log_error(
			"gadget %s: has no configuration %s", options->join, options->join_config);
	else
		log_error("gadget %s: has no configuration", options->join);
	return -ENOENT;
}

int join_find(const struct gadget_options *options, struct join *join)
{
	struct list list = {.text = ""};
	char path[PATH_MAX];
	struct stat st;
	int err;

	err = path_format(join->dir, "%s/usb_gadget/%s", options->configfs, options->join);
	if (err < 0)
		return err;
	if (stat(join->dir, &st) < 0) {
		if (path_format(path, "%s/usb_gadget", options->configfs) == 0)
			gadget_tree_gadgets(path, list_add, &list);
		log_error("gadget %s: not found; there %s %s", options->join,
			strchr(list.text, ',') ? "are" : "is", list.text[0] ? list.text : "none");
		return -ENOENT;
	}
	err = find_config(options, join);
	if (err < 0)
		return err;
	join->udc[0] = '\0';
	if (path_format(path, "%s/UDC", join->dir) == 0)
		attr_read(path, join->udc, sizeof(join->udc));
	os_find(join);
	return 0;
}

static int make_function(
	const struct gadget_options *options, const struct join *join, unsigned int lane)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/functions/ffs.%s%u", join->dir, options->name, lane);

	if (err < 0 || mkdir(path, 0755) == 0)
		return err;
	err = -errno;
	if (err == -ENOENT)
		log_error("gadget %s: the kernel has no function ffs; install module usb_f_fs "
			  "(CONFIG_USB_CONFIGFS_F_FS)",
			options->join);
	else if (err == -EEXIST || err == -EBUSY)
		log_error("gadget %s: another gadget has a FunctionFS instance %s%u already",
			options->join, options->name, lane);
	else
		log_error(
			"%s: cannot make the function: %s%s", path, strerror(-err), attr_hint(err));
	return err;
}

int join_make(const struct gadget_options *options, const struct join *join)
{
	int err = check_dead(options, join->dir);

	/* Lanes of a killed daemon whose note is lost. */
	if (err == 0)
		err = gadget_tree_unlink_lanes(join->dir, options->name);
	if (err == 0)
		err = gadget_tree_remove_lanes(join->dir, options->name);
	if (err < 0)
		return err;
	err = join_note(options, join);
	for (unsigned int i = 0; err == 0 && i < options->lanes; i++)
		err = make_function(options, join, i);
	if (err == 0)
		return 0;
	gadget_tree_remove_lanes(join->dir, options->name);
	note_remove(options);
	return err;
}

void join_announce(const struct gadget_options *options, const struct join *join, const char *what)
{
	struct list list = {.lanes = options->name, .text = ""};

	gadget_tree_links(join->dir, list_add, &list);
	log_info("gadget %s: %s: rebinding it interrupts %s", options->join, what,
		list.text[0] ? list.text : "no other function");
}

int join_link(const struct gadget_options *options, const struct join *join, unsigned int lanes)
{
	char function[PATH_MAX], link[PATH_MAX];
	int err = 0;

	for (unsigned int i = 0; err == 0 && i < lanes; i++) {
		err = path_format(function, "%s/functions/ffs.%s%u", join->dir, options->name, i);
		if (err == 0)
			err = path_format(link, "%s/ffs.%s%u", join->config, options->name, i);
		if (err == 0 && symlink(function, link) < 0)
			err = -errno;
	}
	if (err < 0)
		log_error("%s: cannot add a lane: %s", join->config, strerror(-err));
	else
		os_set(join);
	return err;
}

int join_leave(const struct gadget_options *options, const struct join *join, bool unmounted)
{
	int err;

	os_restore(join);
	err = gadget_tree_unlink_lanes(join->dir, options->name);
	if (err < 0 || !unmounted)
		return err;
	err = gadget_tree_remove_lanes(join->dir, options->name);
	if (err == 0)
		note_remove(options);
	return err;
}
