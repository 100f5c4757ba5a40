/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the gadget: what a killed daemon left goes, then made, bound, unbound, removed. */
#include "configfs/gadget.h"

#include "configfs/attr.h"
#include "configfs/build.h"
#include "configfs/functionfs.h"
#include "configfs/kernel.h"
#include "configfs/serial.h"
#include "configfs/tree.h"
#include "configfs/udc.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_LENGTH_MAX 30 /* FunctionFS takes instance names of up to 40 characters */
#define LOCK_TRIES	20 /* a killed daemon lets go a little later */
#define LOCK_PAUSE_MS	50
#define KERNEL_ENOTSUPP 524 /* what FunctionFS says to too few endpoints, not for user space */

struct gadget {
	struct gadget_options options;
	char dir[PATH_MAX];
	char udc_file[PATH_MAX];
	char udc[UDC_NAME_SIZE];
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
	if (!options->serial || !serial_valid(options->serial)) {
		log_error("serial number: not 1 to %d printable ASCII characters", SERIAL_MAX);
		return -EINVAL;
	}
	return 0;
}

static const char *hint(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return "; this needs root";
	case -EROFS:
		return "; it is mounted read-only, as in containers";
	default:
		return "";
	}
}

/* Opens and locks ffs_dir. Returns the descriptor, -EAGAIN if the directory was removed by who had
 * it locked before, or another negative errno. */
static int lock_once(const char *dir)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	struct stat ours, now;
	int fd, err = -EBUSY;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	for (int i = 0; err == -EBUSY && i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			err = 0;
		else if (errno != EWOULDBLOCK)
			err = -errno;
		else
			nanosleep(&pause, NULL);
	}
	if (err == 0 && (fstat(fd, &ours) < 0 || stat(dir, &now) < 0 || ours.st_dev != now.st_dev ||
				ours.st_ino != now.st_ino))
		err = -EAGAIN;
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

/* One daemon at a time has ffs_dir. Returns a descriptor for unlock() or a negative errno. */
static int lock(const struct gadget_options *options)
{
	int fd = -EAGAIN;

	for (int i = 0; fd == -EAGAIN && i < LOCK_TRIES; i++)
		fd = lock_once(options->ffs_dir);
	if (fd == -EBUSY)
		log_error("%s: another bpfd-gadget is running", options->ffs_dir);
	else if (fd < 0)
		log_error("%s: cannot make and lock: %s%s", options->ffs_dir, strerror(-fd),
			hint(fd));
	return fd;
}

/* Removes the directory unless somebody else keeps something there. */
static void unlock(const struct gadget_options *options, int fd)
{
	rmdir(options->ffs_dir);
	close(fd);
}

/* With ffs_dir locked: removes what a killed daemon left. */
static int remove_leftover(const struct gadget_options *options, const char *dir)
{
	char path[PATH_MAX], text[NAME_MAX + 1];
	struct stat st;
	int err;

	err = tree_foreign_function(dir, options->name, text, sizeof(text));
	if (err < 0)
		log_error("%s: cannot be read: %s%s", dir, strerror(-err), hint(err));
	if (err > 0) {
		log_error("%s: has function %s, so it is not ours: remove it", dir, text);
		return -EEXIST;
	}
	/* Files of a living daemon stop this before anything has been touched. */
	if (err == 0)
		err = functionfs_unmount_leftovers(options);
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
		log_error("%s: cannot make the gadget: %s%s", g->dir, strerror(-err), hint(err));
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

static int gadget_dir(const struct gadget_options *options, char dir[static PATH_MAX])
{
	return attr_path(dir, "%s/usb_gadget/%s", options->configfs, options->name);
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
	err = gadget_dir(options, g->dir);
	if (err == 0)
		err = attr_path(g->udc_file, "%s/UDC", g->dir);
	if (err == 0)
		err = kernel_prepare(options);
	if (err < 0)
		goto err_free;
	g->lock = lock(options);
	if (g->lock < 0) {
		err = g->lock;
		goto err_free;
	}
	err = remove_leftover(options, g->dir);
	if (err == 0)
		err = make_tree(g);
	if (err < 0)
		goto err_unlock;
	err = mount_lanes(g);
	if (err < 0)
		goto err_remove_tree;
	*gadget = g;
	return 0;

err_remove_tree:
	tree_remove(g->dir);
err_unlock:
	unlock(options, g->lock);
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
	char holder[NAME_MAX + 1];

	if (!udc_exists(o->sysfs, udc))
		return -ENODEV;
	if (udc_holder(o->configfs, o->sysfs, udc, o->name, holder, sizeof(holder))) {
		log_error("%s: taken by gadget %s", udc, holder);
		return -EBUSY;
	}
	if (err != -EBUSY && err != -ENODEV && err != -KERNEL_ENOTSUPP && err != -ENOSPC) {
		log_error(
			"%s: cannot bind gadget %s: %s%s", udc, o->name, strerror(-err), hint(err));
		return err;
	}
	log_write(g->lanes > 1 ? LOG_DEBUG : LOG_ERROR,
		"%s: refuses gadget %s with %u lane%s: too few endpoints, or see the kernel's log",
		udc, o->name, g->lanes, g->lanes > 1 ? "s" : "");
	return -ENOSPC;
}

int gadget_bind(struct gadget *g, const char *udc)
{
	const struct gadget_options *o = &g->options;
	char name[UDC_NAME_SIZE];
	int err;

	if (driven(g, name) && (!udc || strcmp(udc, name) == 0)) {
		memcpy(g->udc, name, sizeof(g->udc));
		return 0;
	}
	err = udc_choose(o->configfs, o->sysfs, udc, o->name, name);
	if (err == 0)
		err = gadget_unbind(g); /* also from a controller that has vanished */
	if (err < 0)
		return err;
	err = attr_write(g->udc_file, name);
	if (err < 0)
		return bind_error(g, name, err);
	memcpy(g->udc, name, sizeof(g->udc));
	return 0;
}

int gadget_unbind(struct gadget *g)
{
	int err = attr_write(g->udc_file, "\n");

	/* ENODEV: it was not bound. ENOENT: somebody has removed the gadget. */
	if (err == 0 || err == -ENODEV || err == -ENOENT)
		return 0;
	log_error("%s: cannot unbind: %s", g->udc_file, strerror(-err));
	return err;
}

/* Takes the lane's function out of the configuration. */
static int unlink_function(const struct gadget *g, unsigned int lane)
{
	char path[PATH_MAX];
	int err = attr_path(
		path, "%s/configs/" BUILD_CONFIG "/ffs.%s%u", g->dir, g->options.name, lane);

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

	while (g->lanes > 0) {
		err = unmount_last(g);
		first = first ? first : err;
	}
	/* Not under a process that still has files of a lane open: the next start removes it. */
	if (first == 0)
		first = tree_remove(g->dir);
	unlock(&g->options, g->lock);
	free(g);
	return first;
}

int gadget_remove_leftover(const struct gadget_options *options)
{
	char dir[PATH_MAX];
	int fd, err = gadget_dir(options, dir);

	if (err < 0)
		return err;
	fd = lock(options);
	if (fd < 0)
		return fd;
	err = remove_leftover(options, dir);
	unlock(options, fd);
	return err;
}
