/* SPDX-License-Identifier: Apache-2.0 */
/* Binding a gadget to a controller: success, each refusal of the kernel, controllers that vanish.
 */
#include "configfs/gadget_private.h"
#include "configfs/udc.h"
#include "core/base/kernel_errno.h"
#include "core/base/log.h"
#include "tests/unit/configfs_test.h"

#include <errno.h>

#include "tests/unit/log_capture.h"

#define OWN   "configfs/usb_gadget/bpfd"
#define OTHER "configfs/usb_gadget/g1"

static struct board *b;
static struct gadget g;

/* The kernel: what writing a controller's name returns, and what the write does besides. */
static struct {
	int bind_error, unbind_error;
	const char *vanishes, *taken; /* a controller, while it is bound */
} kernel;

/* The linker replaces attr_write() by this; see the Makefile. */
int __real_attr_write(const char *path, const char *value);
int __wrap_attr_write(const char *path, const char *value);

static void put_udc(const char *name, const char *function)
{
	char path[256];

	snprintf(path, sizeof(path), "sys/class/udc/%s/function", name);
	board_put(b, path, function);
	snprintf(path, sizeof(path), "sys/class/udc/%s/state", name);
	board_put(b, path, "not attached\n");
}

static void remove_udc(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "sys/class/udc/%s", name);
	board_remove(b, path);
}

static void put_bound(const char *udc)
{
	board_put(b, g.options.join ? OTHER "/UDC" : OWN "/UDC", udc);
}

int __wrap_attr_write(const char *path, const char *value)
{
	char now[UDC_NAME_SIZE];

	if (strcmp(path, g.udc_file) != 0)
		return __real_attr_write(path, value);
	if (strcmp(value, "\n") == 0) {
		if (kernel.unbind_error)
			return kernel.unbind_error;
		if (attr_read(g.udc_file, now, sizeof(now)) > 0 && udc_exists(b->sysfs, now))
			put_udc(now, "");
		put_bound("");
		return 0;
	}
	if (kernel.vanishes)
		remove_udc(kernel.vanishes);
	if (kernel.taken)
		put_udc(kernel.taken, "g_ether");
	if (kernel.bind_error)
		return kernel.bind_error;
	put_bound(value);
	put_udc(value, g.options.join ? "g1" : "bpfd");
	return 0;
}

/* A gadget of our own with two lanes, as gadget_create() makes it. */
static int setup(void **state)
{
	board_setup(state);
	b = *state;
	memset(&kernel, 0, sizeof(kernel));
	memset(&g, 0, sizeof(g));
	board_put(b, OWN "/UDC", "");
	board_mkdir(b, "sys/class/udc");
	g.options = b->options;
	g.lanes = g.options.lanes = 2;
	g.udc_fd = -1;
	g.linked = true;
	strcpy(g.dir, board_path(b, OWN));
	strcpy(g.udc_file, board_path(b, OWN "/UDC"));
	log_begin();
	return 0;
}

static int teardown(void **state)
{
	log_end();
	if (g.udc_fd >= 0)
		close(g.udc_fd);
	return board_teardown(state);
}

/* The same in the gadget of another owner, which is bound to u0 and has an adb. */
static int setup_joined(void **state)
{
	setup(state);
	g.options.join = "g1";
	board_mkdir(b, OTHER "/functions/ffs.adb");
	board_put(b, OTHER "/functions/ffs.adb/ready", "0\n");
	board_mkdir(b, OTHER "/configs/c.1");
	board_mkdir(b, "run");
	assert_int_equal(
		symlink("../../functions/ffs.adb", board_path(b, OTHER "/configs/c.1/ffs.adb")), 0);
	put_udc("u0", "g1");
	put_bound("u0\n");
	assert_int_equal(join_find(&g.options, &g.join), 0);
	assert_int_equal(join_make(&g.options, &g.join), 0);
	strcpy(g.dir, board_path(b, OTHER));
	strcpy(g.udc_file, board_path(b, OTHER "/UDC"));
	g.linked = false;
	return 0;
}

static bool is_bound(void)
{
	char udc[UDC_NAME_SIZE];

	return attr_read(g.udc_file, udc, sizeof(udc)) > 0 &&
	       udc_driven(g.options.sysfs, udc, gadget_name(&g)) > 0;
}

static void expect_log(const char *text)
{
	const char *log = log_end();

	if (*text ? !strstr(log, text) : *log)
		fail_msg("no \"%s\" in: %s", text, log);
	log_begin();
}

static void test_bind(void **state)
{
	assert_int_equal(gadget_bind(&g, NULL), -ENODEV);
	put_udc("u1", "");
	put_udc("u0", "g_ether");
	assert_int_equal(gadget_bind(&g, "none"), -ENODEV);
	expect_log("");
	assert_int_equal(gadget_bind(&g, "u0"), -EBUSY);
	expect_log("u0: taken by gadget g_ether");
	assert_int_equal(gadget_bind(&g, NULL), 0);
	assert_string_equal(gadget_udc(&g), "u1");
	assert_true(is_bound());
	assert_false(gadget_lost_controller(&g));
	/* Again: nothing is written. */
	kernel.bind_error = kernel.unbind_error = -EIO;
	assert_int_equal(gadget_bind(&g, "u1"), 0);
	kernel.unbind_error = 0;
	assert_int_equal(gadget_unbind(&g), 0);
	assert_false(is_bound());
	assert_true(g.unbound);
	kernel.unbind_error = -EIO;
	assert_int_equal(gadget_unbind(&g), -EIO);
	expect_log("cannot unbind: Input/output error");
	kernel.unbind_error = -ENODEV; /* it was not bound */
	assert_int_equal(gadget_unbind(&g), 0);
}

static void test_refused(void **state)
{
	static const int too_few[] = {-EBUSY, -ENODEV, -KERNEL_ENOTSUPP, -ENOSPC};

	put_udc("u0", "");
	for (size_t i = 0; i < sizeof(too_few) / sizeof(too_few[0]); i++) {
		kernel.bind_error = too_few[i];
		g.lanes = 2; /* the daemon goes on with fewer */
		assert_int_equal(gadget_bind(&g, NULL), -ENOSPC);
		expect_log("");
		g.lanes = 1;
		assert_int_equal(gadget_bind(&g, NULL), -ENOSPC);
		expect_log("u0: refuses gadget bpfd with 1 lane");
	}
	kernel.bind_error = -EROFS;
	assert_int_equal(gadget_bind(&g, NULL), -EROFS);
	expect_log(
		"u0: cannot bind gadget bpfd: Read-only file system; the file system is mounted");
	kernel.bind_error = -EACCES;
	assert_int_equal(gadget_bind(&g, NULL), -EACCES);
	expect_log("run it as root");
	kernel.bind_error = -EINVAL;
	assert_int_equal(gadget_bind(&g, NULL), -EINVAL);
	expect_log("cannot bind gadget bpfd: Invalid argument");
	kernel.bind_error = -EBUSY;
	kernel.taken = "u0";
	assert_int_equal(gadget_bind(&g, NULL), -EBUSY);
	expect_log("u0: taken by gadget g_ether");
	kernel.taken = NULL;
	put_udc("u0", "");
	kernel.bind_error = -ENODEV;
	kernel.vanishes = "u0";
	assert_int_equal(gadget_bind(&g, NULL), -ENODEV);
	expect_log("");
}

static void test_vanishes(void **state)
{
	put_udc("u0", "");
	assert_true(gadget_lost_controller(&g)); /* never bound */
	assert_int_equal(gadget_bind(&g, NULL), 0);
	remove_udc("u0");
	assert_true(gadget_lost_controller(&g));
	put_udc("u0", ""); /* another one has the name */
	assert_false(is_bound());
	assert_true(gadget_lost_controller(&g));
	assert_int_equal(gadget_bind(&g, NULL), 0);
	assert_false(gadget_lost_controller(&g));
	put_udc("u0", ""); /* its owner cleared the file */
	put_bound("");
	assert_false(gadget_lost_controller(&g));
	/* An old kernel does not say which gadget drives the controller. */
	put_bound("u0");
	board_remove(b, "sys/class/udc/u0/function");
	assert_false(gadget_lost_controller(&g));
	remove_udc("u0");
	assert_true(gadget_lost_controller(&g));
	put_bound(""); /* the controller vanished after its owner had cleared the file */
	assert_true(gadget_lost_controller(&g));
}

static void test_joined(void **state)
{
	put_udc("u1", "");
	assert_int_equal(gadget_bind(&g, "u1"), -EINVAL);
	expect_log("gadget g1: bound to u0, not to u1; leave out --udc");
	assert_int_equal(gadget_unbind(&g), 0); /* not changed yet */
	assert_true(is_bound());
	/* Its owner has bound it elsewhere meanwhile. */
	put_udc("u0", "");
	put_udc("u1", "g1");
	put_bound("u1");
	assert_int_equal(gadget_bind(&g, NULL), 0);
	expect_log("gadget g1: adding 2 lanes: rebinding it interrupts");
	assert_string_equal(gadget_udc(&g), "u1");
	assert_string_equal(g.join.udc, "u1");
	assert_true(g.linked);
	assert_true(board_has(b, OTHER "/configs/c.1/ffs.bpfd0"));
	assert_true(board_has(b, OTHER "/configs/c.1/ffs.bpfd1"));
	assert_int_equal(gadget_unbind(&g), 0);
	expect_log("gadget g1: removing the lanes: rebinding it interrupts");
}

/* adbd opens its function later. Until then the kernel refuses the gadget, also without our lanes.
 */
static void test_waits(void **state)
{
	kernel.bind_error = -ENODEV;
	assert_int_equal(gadget_bind(&g, NULL), -EAGAIN);
	expect_log("ffs.adb");
	assert_int_equal(gadget_bind(&g, NULL), -EAGAIN);
	expect_log("");
	assert_true(board_has(b, OTHER "/configs/c.1/ffs.bpfd0"));
	board_put(b, OTHER "/functions/ffs.adb/ready", "1\n");
	assert_int_equal(gadget_bind(&g, NULL), -ENOSPC);
	kernel.bind_error = 0;
	assert_int_equal(gadget_bind(&g, NULL), 0);
	assert_false(g.waits);
}

/* Without a note of the controller the next start would bind the gadget to the wrong one. */
static void test_no_note(void **state)
{
	put_udc("u1", "g1");
	put_udc("u0", "");
	put_bound("u1");
	board_remove(b, "run");
	assert_int_equal(gadget_bind(&g, NULL), -EIO);
	assert_true(is_bound());
	board_mkdir(b, "run");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vanishes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_joined, setup_joined, teardown),
		cmocka_unit_test_setup_teardown(test_waits, setup_joined, teardown),
		cmocka_unit_test_setup_teardown(test_no_note, setup_joined, teardown),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("bind", tests, NULL, NULL);
}
