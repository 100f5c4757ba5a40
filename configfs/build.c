/* SPDX-License-Identifier: Apache-2.0 */
/* Builds a gadget with libusbgx, which sees only this gadget.
 *
 * usbg_init() reads all gadgets of the system. libusbgx 0.2.0 fails if any of them has a function
 * that it does not know (uvc, printer, ...) or is removed meanwhile. So libusbgx reads a directory
 * of ours instead of configfs, with a link to the one gadget. */
#include "configfs/build.h"
#include "core/base/paths.h"

#include "configfs/attr.h"
#include "core/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <usbg/function/ffs.h>
#include <usbg/usbg.h>

#define CONFIG_ID      1 /* together with the label: BUILD_CONFIG */
#define CONFIG_LABEL   "c"
#define CONFIG_NAME    "bpfd" /* the configuration's name on the host */
#define BUS_POWERED    0x80
#define MAX_POWER_MA   500    /* all of a high-speed port, for boards powered by the cable */
#define BCD_USB_2_0    0x0200 /* the kernel raises it on a faster link */
#define EP0_PACKET     64
#define OS_VENDOR_CODE 0xb7 /* bRequest by which Windows asks for the OS descriptors */
#define INSTANCE_SIZE  64

struct view {
	char dir[PATH_MAX];  /* <ffs_dir>/usb_gadget, which libusbgx reads */
	char link[PATH_MAX]; /* in `dir`, to the gadget in configfs */
};

static int view_paths(const struct gadget_options *options, struct view *view)
{
	int err = path_format(view->dir, "%s/usb_gadget", options->ffs_dir);

	return err < 0 ? err
		       : path_format(
				 view->link, "%s/usb_gadget/%s", options->ffs_dir, options->name);
}

static void view_remove(const struct view *view)
{
	unlink(view->link);
	rmdir(view->dir);
}

static int view_make(const struct gadget_options *options, const char *dir, struct view *view)
{
	char target[PATH_MAX];
	int err;

	if (!realpath(dir, target))
		return -errno;
	err = view_paths(options, view);
	if (err < 0)
		return err;
	if (mkdir(view->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (symlink(target, view->link) == 0)
		return 0;
	err = -errno;
	rmdir(view->dir);
	return err;
}

void build_clean(const struct gadget_options *options)
{
	struct view view;

	if (view_paths(options, &view) == 0)
		view_remove(&view);
}

/* Converts a code of libusbgx, which has one code for several causes. errno is more exact where
 * libusbgx leaves it set. */
static int usbg_errno(int code)
{
	switch (code) {
	case USBG_SUCCESS:
		return 0;
	case USBG_ERROR_NO_MEM:
		return -ENOMEM;
	case USBG_ERROR_NO_ACCESS:
		return errno == EROFS || errno == EPERM ? -errno : -EACCES;
	case USBG_ERROR_INVALID_PARAM:
	case USBG_ERROR_INVALID_VALUE:
		return -EINVAL;
	case USBG_ERROR_NOT_FOUND:
		return -ENOENT;
	case USBG_ERROR_IO:
		return -EIO;
	case USBG_ERROR_EXIST:
		return -EEXIST;
	case USBG_ERROR_NO_DEV:
		return -ENODEV;
	case USBG_ERROR_BUSY:
		return -EBUSY;
	case USBG_ERROR_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case USBG_ERROR_PATH_TOO_LONG:
		return -ENAMETOOLONG;
	case USBG_ERROR_NOT_EMPTY:
		return -ENOTEMPTY;
	default:
		return errno ? -errno : -EIO;
	}
}

/* Returns a step's code as an errno. If the step failed, logs that we cannot do `what`. */
static int step(const struct gadget_options *options, const char *what, int code)
{
	int err = usbg_errno(code);

	if (err < 0)
		log_error("gadget %s: cannot %s: %s", options->name, what, strerror(-err));
	return err;
}

static int set_identity(const struct gadget_options *options, usbg_gadget *g)
{
	const struct usbg_gadget_attrs attrs = {
		.bcdUSB = BCD_USB_2_0,
		.bMaxPacketSize0 = EP0_PACKET,
		.idVendor = options->vendor_id,
		.idProduct = options->product_id,
		.bcdDevice = options->bcd_device,
	};
	const struct usbg_gadget_strs strings = {
		.manufacturer = (char *)options->manufacturer,
		.product = (char *)options->product,
		.serial = (char *)options->serial,
	};
	const struct usbg_gadget_os_descs os = {
		.use = true,
		.b_vendor_code = OS_VENDOR_CODE,
		.qw_sign = (char *)"MSFT100",
	};
	int err = step(options, "set the ids", usbg_set_gadget_attrs(g, &attrs));

	if (err == 0)
		err = step(
			options, "set the strings", usbg_set_gadget_strs(g, LANG_US_ENG, &strings));
	if (err == 0)
		err = step(options, "set the Microsoft OS descriptors",
			usbg_set_gadget_os_descs(g, &os));
	return err;
}

static int make_config(const struct gadget_options *options, usbg_gadget *g, usbg_config **config)
{
	const struct usbg_config_strs strings = {.configuration = (char *)CONFIG_NAME};
	int err = step(options, "make the configuration",
		usbg_create_config(g, CONFIG_ID, CONFIG_LABEL, NULL, &strings, config));

	/* usbg_create_config() cannot set MaxPower: its attributes have only 8 bits for it. */
	if (err == 0)
		err = step(
			options, "set MaxPower", usbg_set_config_max_power(*config, MAX_POWER_MA));
	if (err == 0)
		err = step(options, "set bmAttributes",
			usbg_set_config_bm_attrs(*config, BUS_POWERED));
	if (err == 0)
		err = step(options, "add the OS descriptors to the configuration",
			usbg_set_os_desc_config(g, *config));
	return err;
}

static int make_lane(const struct gadget_options *options, usbg_gadget *g, usbg_config *config,
	const char *instance)
{
	usbg_function *function;
	int err;

	errno = 0;
	err = usbg_errno(usbg_create_function(g, USBG_F_FFS, instance, NULL, &function));
	if (err == -ENOENT)
		log_error("gadget %s: the kernel has no function ffs; install module usb_f_fs "
			  "(CONFIG_USB_CONFIGFS_F_FS)",
			options->name);
	else if (err == -EEXIST || err == -EBUSY)
		log_error("gadget %s: another gadget has a FunctionFS instance %s already",
			options->name, instance);
	else if (err < 0)
		log_error("gadget %s: cannot make function ffs.%s: %s", options->name, instance,
			strerror(-err));
	if (err < 0)
		return err;
	return step(options, "add a lane to the configuration",
		usbg_add_config_function(config, NULL, function));
}

static int build(const struct gadget_options *options, usbg_state *state)
{
	usbg_gadget *g = usbg_get_gadget(state, options->name);
	char instance[INSTANCE_SIZE];
	usbg_config *config;
	int err;

	if (!g) {
		log_error("gadget %s: removed by another process", options->name);
		return -ENOENT;
	}
	err = set_identity(options, g);
	if (err == 0)
		err = make_config(options, g, &config);
	for (unsigned int i = 0; err == 0 && i < options->lanes; i++) {
		snprintf(instance, sizeof(instance), "%s%u", options->name, i);
		err = make_lane(options, g, config, instance);
	}
	return err;
}

int build_gadget(const struct gadget_options *options, const char *dir)
{
	usbg_state *state;
	struct view view;
	int err = view_make(options, dir, &view);

	if (err < 0) {
		log_error("%s: cannot prepare the gadget: %s", options->ffs_dir, strerror(-err));
		return err;
	}
	errno = 0;
	err = usbg_errno(usbg_init(options->ffs_dir, &state));
	if (err < 0) {
		log_error("%s: libusbgx cannot read the gadget: %s", dir, strerror(-err));
	} else {
		err = build(options, state);
		usbg_cleanup(state);
	}
	view_remove(&view);
	return err;
}
