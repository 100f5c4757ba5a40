/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the gadget: what a killed daemon left goes, then made, bound, unbound, removed. */
#include "configfs/gadget.h"

#include "configfs/attr.h"
#include "configfs/build.h"
#include "configfs/functionfs.h"
#include "configfs/join.h"
#include "configfs/kernel.h"
#include "configfs/lock.h"
#include "configfs/serial.h"
#include "configfs/tree.h"
#include "configfs/udc.h"
#include "core/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LENGTH_MAX 30  /* FunctionFS takes instance names of up to 40 characters */
#define KERNEL_ENOTSUPP 524 /* what FunctionFS says to too few endpoints, not for user space */

struct gadget {
	struct gadget_options options;
	char dir[PATH_MAX];
	char udc_file[PATH_MAX];
	char udc[UDC_NAME_SIZE];
	struct join join; /* of a gadget that is joined; `config` of any */
	bool linked;	  /* the lanes are in the configuration */
	bool unbound;	  /* it was bound, and has been unbound here, not by somebody else */
	char *ffs_paths[GADGET_LANES_MAX];
	unsigned int lanes; /* with a path, mounted */
	int lock;
};

void gadget_options_init(struct gadget_options *options)
{
	unsigned int major = 0, minor = 0, patch = 0;

	sscanf(BPFD_USB_VERSION, "%u.%u.%u", &major, &minor, &patch);
	*options = (struct gadget_options){
		.configfs = "/sys/kernel/config",
		.name = "bpfd",
		.vendor_id = 0x1d6b,
		.product_id = 0x0104,
		.bcd_device = (uint16_t)((major % 10) << 8 | (minor % 10) << 4 | patch % 10),
		.manufacturer = "bpfd-usb",
		.product = "bpfd",
		.lanes = 2,
		.ffs_dir = "/run/bpfd-gadget",
		.may_load = true,
		.sysfs = "/sys",
		.proc = "/proc",
		.modules = "/lib/modules",
		.boot = "/boot",
		.machine_id = "/etc/machine-id",
	};
}

static int check_options(const struct gadget_options *options)
{
	if (!attr_is_name(options->name) || strlen(options->name) > NAME_LENGTH_MAX ||
		options->name[0] == '.') {
		log_error("%s: not a gadget's name of 1 to %d characters", options->name,
			NAME_LENGTH_MAX);
		return -EINVAL;
	}
	if (options->lanes < 1 || options->lanes > GADGET_LANES_MAX) {
		log_error("%u lanes: not from 1 to %d", options->lanes, GADGET_LANES_MAX);
		return -EINVAL;
	}
	if (options->join && !attr_is_name(options->join)) {
		log_error("%s: not a gadget's name", options->join);
		return -EINVAL;
	}
	if (!options->join && (!options->serial || !serial_valid(options->serial))) {
		log_error("serial number: not 1 to %d printable ASCII characters", SERIAL_MAX);
		return -EINVAL;
	}
	return 0;
}

/* With ffs_dir locked: removes what a killed daemon left of a gadget of our own. */
static int remove_own(const struct gadget_options *options, const char *dir)
{
	char path[PATH_MAX], text[NAME_MAX + 1];
	struct stat st;
	int err;

	err = tree_foreign_function(dir, options->name, text, sizeof(text));
	if (err < 0)
		log_error("%s: cannot be read: %s%s", dir, strerror(-err), attr_hint(err));
	if (err > 0) {
		log_error("%s: has function %s, so it is not ours: remove it", dir, text);
		return -EEXIST;
	}
	/* Files of a living daemon stop this before anything has been touched. */
	if (err == 0)
		err = functionfs_unmount_leftovers(options, options->name);
	build_clean(options);
	if (err < 0 || stat(dir, &st) < 0)
		return err;
	/* The kernel unbinds when the last file of a lane is closed, so somebody lives. */
	err = attr_path(path, "%s/UDC", dir);
	if (err == 0 && attr_read(path, text, sizeof(text)) > 0) {
		log_error(
			"%s: bound to %s by a daemon whose FunctionFS is not seen here", dir, text);
		return -EBUSY;
	}
	log_info("%s: removing what a killed daemon left", dir);
	return err < 0 ? err : tree_remove(dir);
}

static int make_tree(struct gadget *g)
{
	int err;

	if (mkdir(g->dir, 0755) < 0) {
		err = -errno;
		log_error(
			"%s: cannot make the gadget: %s%s", g->dir, strerror(-err), attr_hint(err));
		return err;
	}
	err = build_gadget(&g->options, g->dir);
	if (err < 0)
		tree_remove(g->dir);
	return err;
}

/* Unmounts the last lane. */
static int unmount_last(struct gadget *g)
{
	char **path = &g->ffs_paths[g->lanes - 1];
	int err = functionfs_unmount(*path);

	free(*path);
	*path = NULL;
	g->lanes--;
	return err;
}

static int mount_lanes(struct gadget *g)
{
	char instance[NAME_LENGTH_MAX + 16];
	char *path;
	int err = 0;

	while (g->lanes < g->options.lanes) {
		snprintf(instance, sizeof(instance), "%s%u", g->options.name, g->lanes);
		if (asprintf(&path, "%s/%s", g->options.ffs_dir, instance) < 0) {
			err = -ENOMEM;
			log_error("%s: %s", instance, strerror(ENOMEM));
			goto err_unmount;
		}
		err = functionfs_mount(instance, path);
		if (err < 0) {
			free(path);
			goto err_unmount;
		}
		g->ffs_paths[g->lanes++] = path;
	}
	return 0;

err_unmount:
	while (g->lanes > 0)
		unmount_last(g);
	return err;
}

/* The same of one that was joined as well; `udc` is of join_recover(). */
static int remove_leftover(const struct gadget_options *options, char *udc)
{
	char dir[PATH_MAX], function[NAME_MAX + 1];
	int err = join_recover(options, udc);

	if (err == 0)
		err = attr_path(dir, "%s/usb_gadget/%s", options->configfs, options->name);
	if (err < 0)
		return err;
	/* Whose the gadget of that name is does not matter to one that joins another. */
	if (options->join &&
		tree_foreign_function(dir, options->name, function, sizeof(function)) > 0)
		return functionfs_unmount_leftovers(options, options->join);
	return remove_own(options, dir);
}

/* `udc`: what the gadget was bound to until a daemon was killed, and the kernel unbound it. */
static int make_joined(struct gadget *g, const char *udc)
{
	int err = join_find(&g->options, &g->join);

	if (err < 0)
		return err;
	if (udc[0] && !g->join.udc[0]) {
		memcpy(g->join.udc, udc, UDC_NAME_SIZE);
		g->unbound = true;
	}
	err = functionfs_unmount_leftovers(&g->options, g->options.join);
	return err < 0 ? err : join_make(&g->options, &g->join);
}

static int make(struct gadget *g)
{
	char udc[UDC_NAME_SIZE];
	int err = remove_leftover(&g->options, udc);

	if (!g->options.join)
		return err < 0 ? err : make_tree(g);
	if (err == 0)
		err = make_joined(g, udc);
	if (err < 0 && udc[0]) {
		memcpy(g->join.dir, g->dir, sizeof(g->dir));
		memcpy(g->join.udc, udc, sizeof(udc));
		join_bind_again(&g->join);
	}
	return err;
}

/* Removes the functions, and all else that is ours of the unbound gadget. */
static int take_down(struct gadget *g, bool unmounted)
{
	int err;

	if (!g->options.join) {
		/* Not under a process that still has files of a lane open: the next start does. */
		return unmounted ? tree_remove(g->dir) : 0;
	}
	err = join_leave(&g->options, &g->join, unmounted);
	/* Old kernels have unbound it when the files of a lane were closed that it did not have. */
	if (err == 0 && (g->unbound || !g->linked))
		join_bind_again(&g->join);
	return err;
}

const char *gadget_name(const struct gadget *g)
{
	return g->options.join ? g->options.join : g->options.name;
}

static int set_paths(struct gadget *g)
{
	const char *root = g->options.configfs, *name = gadget_name(g);
	int err = attr_path(g->dir, "%s/usb_gadget/%s", root, name);

	if (err == 0)
		err = attr_path(g->udc_file, "%s/usb_gadget/%s/UDC", root, name);
	if (err == 0)
		err = attr_path(
			g->join.config, "%s/usb_gadget/%s/configs/" BUILD_CONFIG, root, name);
	return err;
}

int gadget_create(const struct gadget_options *options, struct gadget **gadget)
{
	struct gadget *g;
	int err = check_options(options);

	if (err < 0)
		return err;
	g = calloc(1, sizeof(*g));
	if (!g) {
		log_error("gadget: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	g->options = *options;
	g->linked = !options->join;
	err = set_paths(g);
	if (err == 0)
		err = kernel_prepare(options);
	if (err < 0)
		goto err_free;
	g->lock = lock_take(options);
	if (g->lock < 0) {
		err = g->lock;
		goto err_free;
	}
	err = make(g);
	if (err < 0)
		goto err_unlock;
	err = mount_lanes(g);
	if (err < 0)
		goto err_take_down;
	*gadget = g;
	return 0;

err_take_down:
	take_down(g, true);
err_unlock:
	lock_release(options, g->lock);
err_free:
	free(g);
	return err;
}

const char *gadget_ffs_path(const struct gadget *g, unsigned int lane)
{
	return lane < g->lanes ? g->ffs_paths[lane] : NULL;
}

const char *gadget_udc(const struct gadget *g)
{
	return g->udc;
}

/* Whether the controller that the UDC file names is there and driven. The kernel lets the name
 * stand when the controller vanishes. */
static bool driven(const struct gadget *g, char udc[static UDC_NAME_SIZE])
{
	char function[NAME_MAX + 1];

	return attr_read(g->udc_file, udc, UDC_NAME_SIZE) > 0 &&
	       udc_exists(g->options.sysfs, udc) &&
	       udc_read(g->options.sysfs, udc, "function", function, sizeof(function)) > 0;
}

bool gadget_bound(const struct gadget *g)
{
	char udc[UDC_NAME_SIZE];

	return driven(g, udc);
}

/* What the kernel's refusal means. EBUSY, ENODEV and ENOTSUPP have stood for too few endpoints, in
 * different versions, and EBUSY also for a controller that was taken meanwhile. */
static int bind_error(const struct gadget *g, const char *udc, int err)
{
	const struct gadget_options *o = &g->options;
	const char *name = gadget_name(g);
	char holder[NAME_MAX + 1];

	if (!udc_exists(o->sysfs, udc))
		return -ENODEV;
	if (udc_holder(o->configfs, o->sysfs, udc, name, holder, sizeof(holder))) {
		log_error("%s: taken by gadget %s", udc, holder);
		return -EBUSY;
	}
	if (err != -EBUSY && err != -ENODEV && err != -KERNEL_ENOTSUPP && err != -ENOSPC) {
		log_error("%s: cannot bind gadget %s: %s%s", udc, name, strerror(-err),
			attr_hint(err));
		return err;
	}
	log_write(g->lanes > 1 ? LOG_DEBUG : LOG_ERROR,
		"%s: refuses gadget %s with %u lane%s: too few endpoints, or see the kernel's log",
		udc, name, g->lanes, g->lanes > 1 ? "s" : "");
	return -ENOSPC;
}

static void announce(const struct gadget *g)
{
	char what[64], udc[UDC_NAME_SIZE];

	if (!g->options.join || attr_read(g->udc_file, udc, sizeof(udc)) <= 0)
		return;
	snprintf(what, sizeof(what), g->linked ? "taking lanes out" : "adding %u lanes", g->lanes);
	join_announce(&g->options, &g->join, what);
}

static int unbind(struct gadget *g)
{
	int err;

	announce(g);
	err = attr_write(g->udc_file, "\n");
	if (err == 0)
		g->unbound = true;
	/* ENODEV: it was not bound. ENOENT: somebody has removed the gadget. */
	if (err == 0 || err == -ENODEV || err == -ENOENT)
		return 0;
	log_error("%s: cannot unbind: %s", g->udc_file, strerror(-err));
	return err;
}

int gadget_unbind(struct gadget *g)
{
	return g->linked ? unbind(g) : 0;
}

/* Which controller one that is joined goes to: the one that it is bound to, as long as it is as it
 * was found. Returns 0 or -EINVAL, logged, if another one is wanted. */
static int joined_udc(struct gadget *g, const char **udc)
{
	char now[UDC_NAME_SIZE];

	if (!g->linked && driven(g, now))
		memcpy(g->join.udc, now, sizeof(now));
	if (!g->join.udc[0])
		return 0;
	if (*udc && strcmp(*udc, g->join.udc) != 0) {
		log_error("gadget %s: bound to %s, not to %s", gadget_name(g), g->join.udc, *udc);
		return -EINVAL;
	}
	*udc = g->join.udc;
	return 0;
}

int gadget_bind(struct gadget *g, const char *udc)
{
	const struct gadget_options *o = &g->options;
	char name[UDC_NAME_SIZE];
	int err = o->join ? joined_udc(g, &udc) : 0;

	if (err < 0)
		return err;
	if (g->linked && driven(g, name) && (!udc || strcmp(udc, name) == 0)) {
		memcpy(g->udc, name, sizeof(g->udc));
		return 0;
	}
	err = udc_choose(o->configfs, o->sysfs, udc, gadget_name(g), name);
	if (err == 0)
		err = unbind(g); /* also from a controller that has vanished */
	if (err == 0 && !g->linked) {
		g->linked = true; /* from here on it is not as it was found */
		err = join_link(o, &g->join, g->lanes);
	}
	if (err < 0)
		return err;
	err = attr_write(g->udc_file, name);
	if (err < 0)
		return bind_error(g, name, err);
	memcpy(g->udc, name, sizeof(g->udc));
	g->unbound = false;
	return 0;
}

/* Takes the lane's function out of the configuration. */
static int unlink_function(const struct gadget *g, unsigned int lane)
{
	char path[PATH_MAX];
	int err = attr_path(path, "%s/ffs.%s%u", g->join.config, g->options.name, lane);

	if (err == 0 && unlink(path) < 0 && errno != ENOENT)
		err = -errno;
	return err;
}

static int remove_function(const struct gadget *g, unsigned int lane)
{
	char path[PATH_MAX];
	int err = attr_path(path, "%s/functions/ffs.%s%u", g->dir, g->options.name, lane);

	if (err == 0 && rmdir(path) < 0 && errno != ENOENT)
		err = -errno;
	return err;
}

int gadget_drop_last_lane(struct gadget *g)
{
	unsigned int last = g->lanes - 1;
	int err;

	if (g->lanes < 2)
		return -EINVAL;
	err = unlink_function(g, last);
	if (err == 0)
		err = unmount_last(g);
	if (err == 0)
		err = remove_function(g, last);
	if (err < 0)
		log_error("%s: cannot remove lane %u: %s", g->dir, last, strerror(-err));
	return err;
}

int gadget_destroy(struct gadget *g)
{
	int first = gadget_unbind(g), err;
	bool unmounted = first == 0;

	while (g->lanes > 0) {
		err = unmount_last(g);
		unmounted = unmounted && err == 0;
		first = first ? first : err;
	}
	err = take_down(g, unmounted);
	first = first ? first : err;
	lock_release(&g->options, g->lock);
	free(g);
	return first;
}

void gadget_forget(struct gadget *g)
{
	for (unsigned int i = 0; i < g->lanes; i++)
		free(g->ffs_paths[i]);
	close(g->lock);
	free(g);
}

int gadget_remove_leftover(const struct gadget_options *options)
{
	int fd = lock_take(options), err;

	if (fd < 0)
		return fd;
	err = remove_leftover(options, NULL);
	lock_release(options, fd);
	return err;
}
