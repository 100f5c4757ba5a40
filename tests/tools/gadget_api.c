/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of configfs/gadget.h on a real kernel with one free controller, dummy_udc.0.
 *
 * tests/e2e/configfs.sh runs it in the VM. */
#include "configfs/gadget.h"
#include "configfs/udc.h"
#include "gadget/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define UDC  "dummy_udc.0"
#define OURS "/sys/kernel/config/usb_gadget/bpfd"
#define RUN  "/run/bpfd-gadget"

static struct gadget *create(unsigned int lanes)
{
	static struct gadget_options options;
	struct gadget *g = NULL;

	gadget_options_init(&options);
	options.serial = "api";
	options.lanes = lanes;
	assert_int_equal(gadget_create(&options, &g), 0);
	assert_non_null(g);
	return g;
}

static bool is_bound(void)
{
	return udc_driven("/sys", UDC, "bpfd") > 0;
}

static void assert_nothing_left(void)
{
	assert_int_equal(access(OURS, F_OK), -1);
	assert_int_equal(access(RUN, F_OK), -1);
}

/* Opens the lane's ep0 and writes the descriptors. Returns ep0. */
static int open_lane(const struct gadget *g, unsigned int lane)
{
	uint8_t data[DESCRIPTORS_MAX];
	char path[256];
	size_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/ep0", gadget_ffs_path(g, lane));
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	len = descriptors_build(data, OS_DESC_NONE);
	assert_int_equal(write(fd, data, len), len);
	len = descriptors_build_strings(data);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

static void test_bind(void **state)
{
	struct gadget *g = create(2);
	int ep0[2] = {open_lane(g, 0), open_lane(g, 1)};

	assert_string_equal(gadget_ffs_path(g, 1), RUN "/bpfd1");
	assert_null(gadget_ffs_path(g, 2));
	assert_false(is_bound());
	assert_string_equal(gadget_udc(g), "");
	assert_int_equal(gadget_unbind(g), 0);
	assert_int_equal(gadget_bind(g, "nonsense"), -ENODEV);
	assert_int_equal(gadget_bind(g, "../udc/" UDC), -ENODEV);
	assert_int_equal(gadget_bind(g, NULL), 0);
	assert_true(is_bound());
	assert_string_equal(gadget_udc(g), UDC);
	assert_int_equal(gadget_bind(g, UDC), 0); /* bound already */
	assert_int_equal(gadget_bind(g, NULL), 0);
	assert_int_equal(gadget_unbind(g), 0);
	assert_false(is_bound());
	assert_int_equal(gadget_bind(g, UDC), 0);
	close(ep0[1]); /* the kernel unbinds */
	assert_false(is_bound());
	close(ep0[0]);
	assert_int_equal(gadget_destroy(g), 0);
	assert_nothing_left();
}

static void test_refused(void **state)
{
	struct gadget *g = create(3);
	int ep0;

	/* Without descriptors the kernel fails with the same errno as with too few endpoints. */
	assert_int_equal(gadget_bind(g, NULL), -ENOSPC);
	assert_false(is_bound());
	assert_int_equal(gadget_drop_last_lane(g), 0);
	assert_null(gadget_ffs_path(g, 2));
	assert_int_equal(access(RUN "/bpfd2", F_OK), -1);
	assert_int_equal(access(OURS "/functions/ffs.bpfd2", F_OK), -1);
	assert_int_equal(gadget_drop_last_lane(g), 0);
	assert_int_equal(gadget_drop_last_lane(g), -EINVAL);
	assert_int_equal(gadget_bind(g, NULL), -ENOSPC);
	ep0 = open_lane(g, 0);
	assert_int_equal(gadget_bind(g, NULL), 0);
	close(ep0);
	assert_int_equal(gadget_destroy(g), 0);
	assert_nothing_left();
}

/* A file that is still open keeps the gadget alive; the next gadget_create() replaces it. */
static void test_open_file(void **state)
{
	struct gadget *g = create(2);
	int ep0 = open_lane(g, 0);

	assert_int_equal(gadget_destroy(g), -EBUSY);
	assert_int_equal(access(OURS "/functions/ffs.bpfd0", F_OK), 0);
	close(ep0);
	g = create(2);
	ep0 = open_lane(g, 1);
	assert_int_equal(gadget_drop_last_lane(g), -EBUSY);
	assert_string_equal(gadget_ffs_path(g, 1), RUN "/bpfd1");
	close(ep0);
	assert_int_equal(gadget_destroy(g), 0); /* also unmounts that lane */
	assert_nothing_left();
	g = create(1);
	assert_int_equal(gadget_destroy(g), 0);
	assert_nothing_left();
}

/* Another process removes the gadget while the daemon has it. */
static void test_removed(void **state)
{
	struct gadget *g = create(1);

	assert_int_equal(unlink(OURS "/os_desc/c.1"), 0);
	assert_int_equal(unlink(OURS "/configs/c.1/ffs.bpfd0"), 0);
	assert_int_equal(rmdir(OURS "/configs/c.1/strings/0x409"), 0);
	assert_int_equal(rmdir(OURS "/configs/c.1"), 0);
	assert_int_equal(rmdir(OURS "/functions/ffs.bpfd0"), 0);
	assert_int_equal(rmdir(OURS "/strings/0x409"), 0);
	assert_int_equal(rmdir(OURS), 0);
	assert_int_equal(gadget_bind(g, NULL), -ENOENT);
	assert_false(is_bound());
	assert_int_equal(gadget_destroy(g), 0);
	assert_nothing_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_open_file),
		cmocka_unit_test(test_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
