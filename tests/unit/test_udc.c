/* SPDX-License-Identifier: Apache-2.0 */
/* Tests finding USB device controllers, their holders, and the choice of one. */
#include "configfs/udc.h"

#include "tests/unit/configfs_test.h"

#include <errno.h>

static void add_udc(const struct board *b, const char *name, const char *function)
{
	char path[256];

	snprintf(path, sizeof(path), "sys/class/udc/%s/function", name);
	board_put(b, path, function);
	snprintf(path, sizeof(path), "sys/class/udc/%s/state", name);
	board_put(b, path, "not attached\n");
}

static void add_gadget(const struct board *b, const char *name, const char *udc)
{
	char path[256];

	snprintf(path, sizeof(path), "configfs/usb_gadget/%s/UDC", name);
	board_put(b, path, udc);
}

static int choose(const struct board *b, const char *wanted, char name[UDC_NAME_SIZE])
{
	memset(name, 0, UDC_NAME_SIZE);
	return udc_choose(b->configfs, b->sysfs, wanted, "bpfd", name);
}

static void test_list(void **state)
{
	char names[UDC_LIST_MAX][UDC_NAME_SIZE], name[32];
	struct board *b = *state;

	assert_int_equal(udc_list(b->sysfs, names), 0); /* no such class */
	board_mkdir(b, "sys/class/udc");
	assert_int_equal(udc_list(b->sysfs, names), 0);
	add_udc(b, "fe980000.usb", "");
	add_udc(b, "20980000.usb", "");
	assert_int_equal(udc_list(b->sysfs, names), 2);
	assert_string_equal(names[0], "20980000.usb");
	assert_string_equal(names[1], "fe980000.usb");
	for (int i = 0; i < 2 * UDC_LIST_MAX; i++) {
		snprintf(name, sizeof(name), "udc.%d", i);
		add_udc(b, name, "");
	}
	assert_int_equal(udc_list(b->sysfs, names), UDC_LIST_MAX);
	board_put(b, "file/class/udc", "");
	assert_int_equal(udc_list(board_path(b, "file"), names), -ENOTDIR);
}

static void test_exists(void **state)
{
	struct board *b = *state;

	add_udc(b, "u", "");
	assert_true(udc_exists(b->sysfs, "u"));
	assert_false(udc_exists(b->sysfs, "v"));
	assert_false(udc_exists(b->sysfs, ""));
	assert_false(udc_exists(b->sysfs, NULL));
	assert_false(udc_exists(b->sysfs, "."));
	assert_false(udc_exists(b->sysfs, ".."));
	assert_false(udc_exists(b->sysfs, "../udc/u"));
}

static void test_read(void **state)
{
	struct board *b = *state;
	char value[8];

	add_udc(b, "u", "");
	assert_int_equal(udc_read(b->sysfs, "u", "function", value, sizeof(value)), 0);
	assert_int_equal(udc_read(b->sysfs, "u", "state", value, sizeof(value)), 7);
	assert_string_equal(value, "not att"); /* cut to what fits */
	assert_int_equal(udc_read(b->sysfs, "u", "nothing", value, sizeof(value)), -ENOENT);
	assert_string_equal(value, "");
}

static int holder(const struct board *b, const char *udc, const char *except, char text[32])
{
	return udc_holder(b->configfs, b->sysfs, udc, except, text, 32);
}

static void test_holder(void **state)
{
	struct board *b = *state;
	char text[32];

	add_udc(b, "u0", "");
	add_udc(b, "u1", "g_ether\n");
	add_udc(b, "u2", "other\n");
	add_udc(b, "u3", "bpfd\n");
	assert_int_equal(holder(b, "u0", NULL, text), 0);
	assert_int_equal(holder(b, "u1", NULL, text), 1);
	assert_string_equal(text, "g_ether");
	add_gadget(b, "idle", "\n");
	add_gadget(b, "other", "u2\n");
	add_gadget(b, "bpfd", "u3\n");
	assert_int_equal(holder(b, "u0", NULL, text), 0);
	assert_string_equal(text, "");
	assert_int_equal(holder(b, "u2", "bpfd", text), 1);
	assert_string_equal(text, "other");
	assert_int_equal(holder(b, "u3", "bpfd", text), 0);
	assert_string_equal(text, "");
	assert_int_equal(holder(b, "u3", NULL, text), 1);
	assert_string_equal(text, "bpfd");
	assert_int_equal(holder(b, "u", NULL, text), 0); /* a prefix is no match */
}

/* The kernel keeps the name in a gadget's UDC file when the controller vanishes. */
static void test_driven(void **state)
{
	struct board *b = *state;

	assert_int_equal(udc_driven(b->sysfs, "u0", "bpfd"), 0);
	add_udc(b, "u0", "");
	assert_int_equal(udc_driven(b->sysfs, "u0", "bpfd"), 0);
	add_udc(b, "u0", "other\n");
	assert_int_equal(udc_driven(b->sysfs, "u0", "bpfd"), 0);
	add_udc(b, "u0", "bpfd");
	assert_int_equal(udc_driven(b->sysfs, "u0", "bpfd"), 1);
	board_put(b, "sys/class/udc/u1/state", "");
	assert_true(udc_driven(b->sysfs, "u1", "bpfd") < 0);
}

/* When a controller has vanished, another one may have its name. */
static void test_vanished(void **state)
{
	struct board *b = *state;
	int first, second;

	board_mkdir(b, "sys/class/udc");
	assert_int_equal(udc_open(b->sysfs, "u0"), -ENOENT);
	add_udc(b, "u0", "");
	first = udc_open(b->sysfs, "u0");
	assert_true(first >= 0);
	assert_false(udc_vanished(first));
	board_remove(b, "sys/class/udc/u0");
	assert_true(udc_vanished(first));
	add_udc(b, "u0", "");
	assert_true(udc_vanished(first));
	second = udc_open(b->sysfs, "u0");
	assert_false(udc_vanished(second));
	close(first);
	close(second);
}

static void test_choose(void **state)
{
	char name[UDC_NAME_SIZE];
	struct board *b = *state;

	assert_int_equal(choose(b, NULL, name), -ENODEV);
	assert_int_equal(choose(b, "u0", name), -ENODEV);
	add_udc(b, "u0", "");
	assert_int_equal(choose(b, NULL, name), 0);
	assert_string_equal(name, "u0");
	add_udc(b, "u1", "");
	add_gadget(b, "g1", "u0\n");
	assert_int_equal(choose(b, NULL, name), 0);
	assert_string_equal(name, "u1");
	assert_int_equal(choose(b, "u0", name), -EBUSY);
	assert_int_equal(choose(b, "u1", name), 0);
	assert_string_equal(name, "u1");
	assert_int_equal(choose(b, "u2", name), -ENODEV);
	assert_int_equal(choose(b, "../udc/u1", name), -ENODEV);
	add_gadget(b, "bpfd", "u1\n"); /* held by our own gadget */
	assert_int_equal(choose(b, NULL, name), 0);
	assert_string_equal(name, "u1");
	add_gadget(b, "g2", "u1\n");
	add_gadget(b, "bpfd", "\n");
	assert_int_equal(choose(b, NULL, name), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		board_test(test_list),
		board_test(test_exists),
		board_test(test_read),
		board_test(test_holder),
		board_test(test_driven),
		board_test(test_vanished),
		board_test(test_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
