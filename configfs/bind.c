/* SPDX-License-Identifier: Apache-2.0 */
/* Binds the gadget to a controller and unbinds it. */
#include "configfs/attr.h"
#include "configfs/gadget_private.h"
#include "configfs/gadget_tree.h"
#include "configfs/join.h"
#include "configfs/udc.h"
#include "core/base/kernel_errno.h"
#include "core/base/log.h"
#include "core/base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *gadget_udc(const struct gadget *g)
{
	return g->udc;
}

/* Reads the controller that the gadget's UDC file names, "" if none, and returns whether the gadget
 * drives it, as udc_driven() does. */
static int read_udc(const struct gadget *g, char udc[static UDC_NAME_SIZE])
{
	if (attr_read(g->udc_file, udc, UDC_NAME_SIZE) <= 0)
		return 0;
	return udc_driven(g->options.sysfs, udc, gadget_name(g));
}

static bool driven(const struct gadget *g, char udc[static UDC_NAME_SIZE])
{
	return read_udc(g, udc) > 0;
}

bool gadget_lost_controller(const struct gadget *g)
{
	char udc[UDC_NAME_SIZE];
	int drives = read_udc(g, udc);

	if (drives > 0)
		return false;
	/* When a controller vanishes, the kernel keeps its name in the UDC file; whoever unbinds
	 * the gadget clears it. Old kernels do not tell whether the gadget drives it. */
	return (drives == 0 && udc[0]) || g->udc_fd < 0 || udc_vanished(g->udc_fd);
}

/* Remembers the controller to which the gadget is bound. */
static void set_udc(struct gadget *g, const char *name)
{
	memcpy(g->udc, name, sizeof(g->udc));
	if (g->udc_fd >= 0)
		close(g->udc_fd);
	g->udc_fd = udc_open(g->options.sysfs, name);
}

struct unready {
	const struct gadget *gadget;
	char function[NAME_MAX + 1];
};

/* Looks for a FunctionFS function of another program, such as adbd, that may have no descriptors
 * yet. Newer kernels tell it in `ready`. */
static int find_unready(void *arg, const char *link, const char *name)
{
	struct unready *unready = arg;
	const struct gadget *g = unready->gadget;
	char path[PATH_MAX], value[4];

	if (strncmp(name, "ffs.", 4) != 0 || gadget_tree_is_lane(name, g->options.name))
		return 0;
	if (path_format(path, "%s/functions/%s/ready", g->join.dir, name) == 0 &&
		attr_read(path, value, sizeof(value)) > 0 && strcmp(value, "1") == 0)
		return 0;
	snprintf(unready->function, sizeof(unready->function), "%s", name);
	return 1;
}

/* Returns true if the controller takes the gadget without our lanes. */
static bool binds_without_lanes(struct gadget *g, const char *udc)
{
	bool binds;

	if (join_leave(&g->options, &g->join, false) < 0)
		return true;
	binds = attr_write(g->udc_file, udc) == 0;
	if (binds)
		attr_write(g->udc_file, "\n");
	/* Without its lanes the gadget is not what the daemon serves, so the next bind adds them.
	 */
	g->linked = join_link(&g->options, &g->join, g->lanes) == 0;
	return binds;
}

/* Returns true if the kernel refuses the gadget because the program of another function is not
 * ready. Its errno does not tell: since Linux 6.0 it is EBUSY, whatever failed. */
static bool waits_for_other(struct gadget *g, const char *udc)
{
	struct unready unready = {.gadget = g, .function = ""};

	if (!g->options.join || gadget_tree_links(g->join.dir, find_unready, &unready) != 1 ||
		binds_without_lanes(g, udc))
		return false;
	log_write(g->waits ? LOG_DEBUG : LOG_WARNING,
		"gadget %s: cannot be bound until the program of its function %s is ready; "
		"waiting for it",
		gadget_name(g), unready.function);
	g->waits = true;
	return true;
}

/* Returns the errno of gadget_bind() for an error of the kernel. Kernel versions differ in the
 * errno for too few endpoints: EBUSY, ENODEV, ENOTSUPP or ENOSPC. EBUSY can also mean that the
 * controller was taken meanwhile. */
static int bind_error(struct gadget *g, const char *udc, int err)
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
	if (waits_for_other(g, udc))
		return -EAGAIN;
	log_write(g->lanes > 1 ? LOG_DEBUG : LOG_ERROR,
		"%s: refuses gadget %s with %u lane%s: too few endpoints; for other causes see the "
		"kernel log",
		udc, name, g->lanes, g->lanes > 1 ? "s" : "");
	return -ENOSPC;
}

static void announce(const struct gadget *g)
{
	char what[64], udc[UDC_NAME_SIZE];

	if (!g->options.join || attr_read(g->udc_file, udc, sizeof(udc)) <= 0)
		return;
	snprintf(
		what, sizeof(what), g->linked ? "removing the lanes" : "adding %u lanes", g->lanes);
	join_announce(&g->options, &g->join, what);
}

static int unbind(struct gadget *g)
{
	int err;

	announce(g);
	err = attr_write(g->udc_file, "\n");
	if (err == 0)
		g->unbound = true;
	/* ENODEV: it was not bound. ENOENT: the gadget has been removed. */
	if (err == 0 || err == -ENODEV || err == -ENOENT)
		return 0;
	log_error("%s: cannot unbind: %s", g->udc_file, strerror(-err));
	return err;
}

int gadget_unbind(struct gadget *g)
{
	return g->linked ? unbind(g) : 0;
}

/* Picks the controller for a joined gadget. Until we have changed the gadget, this is the one it is
 * bound to now, because its owner may have rebound it. Returns 0 or a negative errno, logged:
 * -EINVAL if *udc names a different controller. */
static int joined_udc(struct gadget *g, const char **udc)
{
	char now[UDC_NAME_SIZE];

	if (!g->linked && driven(g, now) && strcmp(now, g->join.udc) != 0) {
		memcpy(g->join.udc, now, sizeof(now));
		/* -EIO for all causes: other errnos could have a meaning in gadget_bind(). */
		if (join_note(&g->options, &g->join) < 0)
			return -EIO;
	}
	if (!g->join.udc[0])
		return 0;
	if (*udc && strcmp(*udc, g->join.udc) != 0) {
		log_error("gadget %s: bound to %s, not to %s; leave out --udc", gadget_name(g),
			g->join.udc, *udc);
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
		set_udc(g, name);
		return 0;
	}
	err = udc_choose(o->configfs, o->sysfs, udc, gadget_name(g), name);
	if (err == 0)
		err = unbind(g); /* also clears the name of a controller that has vanished */
	if (err == 0 && !g->linked) {
		g->linked = true; /* from here on we have changed the gadget */
		err = join_link(o, &g->join, g->lanes);
	}
	if (err < 0)
		return err;
	err = attr_write(g->udc_file, name);
	if (err < 0)
		return bind_error(g, name, err);
	set_udc(g, name);
	g->unbound = g->waits = false;
	return 0;
}
