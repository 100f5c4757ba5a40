/* SPDX-License-Identifier: Apache-2.0 */
/* The life of lanes in a joined gadget: mounts that fail, lanes that are dropped, files that stay
 * open. The test is mount(2) and umount2(2). */
#include "configfs/gadget.h"
#include "core/base/log.h"
#include "tests/unit/configfs_test.h"

#include <errno.h>
#include <sys/mount.h>
#include <time.h>

#include "tests/unit/log_capture.h"

#define G1 "configfs/usb_gadget/g1"

static struct {
	int mounted, tries;
	int mount_fails_in, mount_error; /* 0: never */
	int unmount_error;
} kernel;

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	const void *data)
{
	assert_string_equal(type, "functionfs");
	if (kernel.mount_fails_in && --kernel.mount_fails_in == 0) {
		errno = kernel.mount_error;
		return -1;
	}
	kernel.mounted++;
	return 0;
}

int umount2(const char *target, int flags)
{
	kernel.tries++;
	if (kernel.unmount_error) {
		errno = kernel.unmount_error;
		return -1;
	}
	kernel.mounted--;
	return 0;
}

int nanosleep(const struct timespec *time, struct timespec *rest)
{
	return 0;
}

static struct board *b;
static struct gadget *g;

static int setup(void **state)
{
	board_setup(state);
	b = *state;
	g = NULL;
	memset(&kernel, 0, sizeof(kernel));
	b->options.join = "g1";
	b->options.lanes = 3;
	board_mkdir(b, G1 "/functions/acm.0");
	board_mkdir(b, G1 "/configs/c.1");
	board_put(b, G1 "/UDC", "");
	log_begin();
	return 0;
}

static int teardown(void **state)
{
	log_end();
	return board_teardown(state);
}

static void expect_log(const char *text)
{
	const char *log = log_end();

	if (!strstr(log, text))
		fail_msg("no \"%s\" in: %s", text, log);
	log_begin();
}

static bool has_lane(unsigned int lane)
{
	char path[80];

	snprintf(path, sizeof(path), G1 "/functions/ffs.bpfd%u", lane);
	return board_has(b, path);
}

static void assert_nothing_left(void)
{
	for (unsigned int i = 0; i < 3; i++)
		assert_false(has_lane(i));
	assert_true(board_has(b, G1 "/functions/acm.0"));
	assert_false(board_has(b, "run"));
	assert_int_equal(kernel.mounted, 0);
}

static void test_life(void **state)
{
	assert_int_equal(gadget_create(&b->options, &g), 0);
	assert_int_equal(kernel.mounted, 3);
	assert_string_equal(strrchr(gadget_ffs_path(g, 2), '/'), "/bpfd2");
	assert_null(gadget_ffs_path(g, 3));
	assert_string_equal(gadget_name(g), "g1");
	assert_int_equal(symlink("x", board_path(b, G1 "/configs/c.1/ffs.bpfd2")), 0);
	assert_int_equal(gadget_drop_last_lane(g), 0);
	assert_false(board_has(b, G1 "/configs/c.1/ffs.bpfd2"));
	assert_false(has_lane(2));
	assert_null(gadget_ffs_path(g, 2));
	assert_int_equal(gadget_drop_last_lane(g), 0);
	assert_int_equal(gadget_drop_last_lane(g), -EINVAL);
	assert_true(has_lane(0));
	assert_int_equal(gadget_destroy(g), 0);
	assert_nothing_left();
}

static void test_mount_fails(void **state)
{
	kernel.mount_error = ENODEV;
	for (int i = 1; i <= 3; i++) {
		kernel.mount_fails_in = i;
		assert_int_equal(gadget_create(&b->options, &g), -ENODEV);
		expect_log("cannot mount FunctionFS instance bpfd");
		assert_nothing_left();
	}
}

static void test_files_stay_open(void **state)
{
	assert_int_equal(gadget_create(&b->options, &g), 0);
	kernel.unmount_error = EBUSY;
	assert_int_equal(gadget_drop_last_lane(g), -EBUSY);
	assert_true(kernel.tries > 10);
	expect_log("bpfd2: a process has its files open; stop the daemon and its processes");
	assert_non_null(gadget_ffs_path(g, 2));
	kernel.unmount_error = EPERM;
	assert_int_equal(gadget_drop_last_lane(g), -EPERM);
	expect_log("bpfd2: cannot unmount: Operation not permitted");
	assert_int_equal(gadget_destroy(g), -EPERM);
	/* The functions of mounted instances stay for the next start. */
	for (unsigned int i = 0; i < 3; i++)
		assert_true(has_lane(i));
	assert_true(board_has(b, "run"));
	kernel.unmount_error = EINVAL; /* unmounted by somebody else */
	kernel.mounted = 0;
	assert_int_equal(gadget_remove_leftover(&b->options), 0);
	assert_nothing_left();
}

/* A worker forgets what the daemon holds. */
static void test_forget(void **state)
{
	assert_int_equal(gadget_create(&b->options, &g), 0);
	gadget_forget(g);
	assert_int_equal(kernel.mounted, 3);
	assert_true(has_lane(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mount_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_stay_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("gadget", tests, NULL, NULL);
}
