/* SPDX-License-Identifier: Apache-2.0 */
/* Makes or joins a gadget and removes it, also after a killed daemon. */
#include "configfs/gadget_private.h"

#include "configfs/attr.h"
#include "configfs/build.h"
#include "configfs/functionfs.h"
#include "configfs/gadget_tree.h"
#include "configfs/join.h"
#include "configfs/kernel.h"
#include "configfs/lock.h"
#include "configfs/serial.h"
#include "configfs/udc.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/link/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LENGTH_MAX 30 /* FunctionFS accepts instance names of up to 40 characters */

static int check_options(const struct gadget_options *options)
{
	if (!attr_is_name(options->name) || strlen(options->name) > NAME_LENGTH_MAX ||
		options->name[0] == '.') {
		log_error("%s: not a gadget name of 1 to %d characters", options->name,
			NAME_LENGTH_MAX);
		return -EINVAL;
	}
	if (options->lanes < 1 || options->lanes > LANES_MAX) {
		log_error("lanes: %u: not a number from 1 to %d", options->lanes, LANES_MAX);
		return -EINVAL;
	}
	if (options->join && !attr_is_name(options->join)) {
		log_error("%s: not a gadget name", options->join);
		return -EINVAL;
	}
	if (!options->join && (!options->serial || !serial_valid(options->serial))) {
		log_error("serial number: not 1 to %d printable ASCII characters", SERIAL_MAX);
		return -EINVAL;
	}
	return 0;
}

/* Removes a gadget of our own that a killed daemon left. The caller has locked ffs_dir. */
static int remove_own(const struct gadget_options *options, const char *dir)
{
	char path[PATH_MAX], text[NAME_MAX + 1];
	struct stat st;
	int err;

	err = gadget_tree_foreign_function(dir, options->name, text, sizeof(text));
	if (err < 0)
		log_error("%s: cannot be read: %s%s", dir, strerror(-err), attr_hint(err));
	if (err > 0) {
		log_error("%s: has function %s, so it is not ours; remove it", dir, text);
		return -EEXIST;
	}
	/* The open files of a daemon that is alive make this fail before anything is changed. */
	if (err == 0)
		err = functionfs_unmount_leftovers(options, options->name);
	build_clean(options);
	if (err < 0 || stat(dir, &st) < 0)
		return err;
	/* The kernel unbinds the gadget when the last file of a lane is closed. So if it is still
	 * bound, a daemon is alive. The name of a controller that vanished may also be left there:
	 * removing the links clears it. */
	err = path_format(path, "%s/UDC", dir);
	if (err == 0 && attr_read(path, text, sizeof(text)) > 0 &&
		udc_driven(options->sysfs, text, options->name) != 0) {
		log_error("%s: bound to %s by a daemon whose mounts are not visible here; stop it",
			dir, text);
		return -EBUSY;
	}
	log_info("%s: removing what a killed daemon left", dir);
	return err < 0 ? err : gadget_tree_remove(dir);
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
		gadget_tree_remove(g->dir);
	return err;
}

static void forget_last(struct gadget *g)
{
	free(g->ffs_paths[--g->lanes]);
	g->ffs_paths[g->lanes] = NULL;
}

/* Unmounts all lanes. Continues after an error. Returns 0 or the first error. */
static int unmount_lanes(struct gadget *g)
{
	int first = 0, err;

	while (g->lanes > 0) {
		err = functionfs_unmount(g->ffs_paths[g->lanes - 1]);
		first = first ? first : err;
		forget_last(g);
	}
	return first;
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
	unmount_lanes(g);
	return err;
}

/* Removes all that a killed daemon left: its lanes in a joined gadget, and its own gadget. For
 * `udc` see join_recover(). */
static int remove_leftover(const struct gadget_options *options, char *udc)
{
	char dir[PATH_MAX], function[NAME_MAX + 1];
	int err = join_recover(options, udc);

	if (err == 0)
		err = path_format(dir, "%s/usb_gadget/%s", options->configfs, options->name);
	if (err < 0)
		return err;
	/* If we join another gadget, a foreign gadget with our name is not in the way. */
	if (options->join &&
		gadget_tree_foreign_function(dir, options->name, function, sizeof(function)) > 0)
		return functionfs_unmount_leftovers(options, options->join);
	return remove_own(options, dir);
}

/* `udc`: the controller of the gadget before a daemon was killed and the kernel unbound it. */
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

/* Removes what is ours from the unbound gadget. `unmounted`: all instances are unmounted, so that
 * the functions can be removed. */
static int take_down(struct gadget *g, bool unmounted)
{
	int err;

	if (!g->options.join) {
		/* While a process has files of a lane open, leave it to the next start. */
		return unmounted ? gadget_tree_remove(g->dir) : 0;
	}
	err = join_leave(&g->options, &g->join, unmounted);
	/* Old kernels unbind it even when the files of a lane that was not linked are closed. */
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
	int err = path_format(g->dir, "%s/usb_gadget/%s", root, name);

	if (err == 0)
		err = path_format(g->udc_file, "%s/usb_gadget/%s/UDC", root, name);
	if (err == 0)
		err = path_format(
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
	g->udc_fd = -1;
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

/* Removes the lane's function from the configuration. */
static int unlink_function(const struct gadget *g, unsigned int lane)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/ffs.%s%u", g->join.config, g->options.name, lane);

	if (err == 0 && unlink(path) < 0 && errno != ENOENT)
		err = -errno;
	return err;
}

static int remove_function(const struct gadget *g, unsigned int lane)
{
	char path[PATH_MAX];
	int err = path_format(path, "%s/functions/ffs.%s%u", g->dir, g->options.name, lane);

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
		err = functionfs_unmount(g->ffs_paths[last]);
	if (err == 0) {
		forget_last(g);
		err = remove_function(g, last);
	}
	if (err < 0)
		log_error("%s: cannot remove lane %u: %s", g->dir, last, strerror(-err));
	return err;
}

static void free_gadget(struct gadget *g)
{
	if (g->udc_fd >= 0)
		close(g->udc_fd);
	free(g);
}

int gadget_destroy(struct gadget *g)
{
	int first = gadget_unbind(g), err = unmount_lanes(g);

	first = first ? first : err;
	err = take_down(g, first == 0);
	first = first ? first : err;
	lock_release(&g->options, g->lock);
	free_gadget(g);
	return first;
}

void gadget_forget(struct gadget *g)
{
	for (unsigned int i = 0; i < g->lanes; i++)
		free(g->ffs_paths[i]);
	close(g->lock);
	free_gadget(g);
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
