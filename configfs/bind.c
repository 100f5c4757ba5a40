/* SPDX-License-Identifier: Apache-2.0 */
/* Binds the gadget to a controller and unbinds it. */
#include "configfs/attr.h"
#include "configfs/gadget_private.h"
#include "configfs/join.h"
#include "configfs/udc.h"
#include "core/base/kernel_errno.h"
#include "core/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *gadget_udc(const struct gadget *g)
{
	return g->udc;
}

/* Returns true if the gadget drives the controller that its UDC file names. `udc` gets the name. */
static bool driven(const struct gadget *g, char udc[static UDC_NAME_SIZE])
{
	return attr_read(g->udc_file, udc, UDC_NAME_SIZE) > 0 &&
	       udc_driven(g->options.sysfs, udc, gadget_name(g)) > 0;
}

bool gadget_bound(const struct gadget *g)
{
	char udc[UDC_NAME_SIZE];

	return driven(g, udc);
}

/* Returns the errno of gadget_bind() for an error of the kernel. Kernel versions differ in the
 * errno for too few endpoints: EBUSY, ENODEV, ENOTSUPP or ENOSPC. EBUSY can also mean that the
 * controller was taken meanwhile. */
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
		memcpy(g->udc, name, sizeof(g->udc));
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
	memcpy(g->udc, name, sizeof(g->udc));
	g->unbound = false;
	return 0;
}
