/* SPDX-License-Identifier: Apache-2.0 */
/* Each step of filling a gadget fails once: with an errno and one message, and nothing is left. */
#include "configfs/build.h"
#include "core/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <usbg/usbg.h>

#include <cmocka.h>

#include "tests/unit/log_capture.h"

#define LANES 2
#define STEPS (8 + 2 * LANES) /* calls of libusbgx that return a code */

static char dir[64];

/* libusbgx: the step that fails, its code and the errno that it leaves. */
static struct {
	int fail_in, code, error;
	bool is_removed; /* the gadget, by another process */
	int functions, states;
} usbg;

static int step(void)
{
	if (usbg.fail_in == 0 || --usbg.fail_in > 0)
		return 0;
	errno = usbg.error;
	return usbg.code;
}

int usbg_init(const char *path, usbg_state **state)
{
	int err = step();

	assert_string_equal(path, dir);
	usbg.states += err == 0;
	return err;
}

void usbg_cleanup(usbg_state *state)
{
	usbg.states--;
}

usbg_gadget *usbg_get_gadget(usbg_state *state, const char *name)
{
	return usbg.is_removed ? NULL : (usbg_gadget *)dir;
}

int usbg_set_gadget_attrs(usbg_gadget *g, const struct usbg_gadget_attrs *attrs)
{
	assert_int_equal(attrs->idVendor, 0x1234);
	return step();
}

int usbg_set_gadget_strs(usbg_gadget *g, int lang, const struct usbg_gadget_strs *strings)
{
	assert_string_equal(strings->serial, "serial");
	return step();
}

int usbg_set_gadget_os_descs(usbg_gadget *g, const struct usbg_gadget_os_descs *os)
{
	return step();
}

int usbg_create_config(usbg_gadget *g, int id, const char *label,
	const struct usbg_config_attrs *attrs, const struct usbg_config_strs *strings,
	usbg_config **config)
{
	return step();
}

int usbg_set_config_max_power(usbg_config *config, int power)
{
	return step();
}

int usbg_set_config_bm_attrs(usbg_config *config, int attrs)
{
	return step();
}

int usbg_set_os_desc_config(usbg_gadget *g, usbg_config *config)
{
	return step();
}

int usbg_create_function(usbg_gadget *g, usbg_function_type type, const char *instance, void *attrs,
	usbg_function **function)
{
	char wanted[16];

	snprintf(wanted, sizeof(wanted), "bpfd%d", usbg.functions++);
	assert_string_equal(instance, wanted);
	return step();
}

int usbg_add_config_function(usbg_config *config, const char *name, usbg_function *function)
{
	return step();
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/test_build.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return rmdir(dir); /* fails unless it is empty */
}

/* Builds a gadget while a step fails. Returns the errno; *log has what was logged. */
static int run(int fail_in, int code, int error, const char **log)
{
	struct gadget_options options = {.name = "bpfd",
		.vendor_id = 0x1234,
		.manufacturer = "m",
		.product = "p",
		.serial = "serial",
		.lanes = LANES,
		.ffs_dir = dir};
	int err;

	usbg.fail_in = fail_in;
	usbg.code = code;
	usbg.error = error;
	usbg.functions = 0;
	log_begin();
	err = build_gadget(&options, "/tmp");
	*log = log_end();
	assert_int_equal(usbg.states, 0);
	return err;
}

static void assert_one_line(const char *log)
{
	const char *end = strchr(log, '\n');

	assert_non_null(end);
	assert_string_equal(end, "\n");
}

static void test_steps(void **state)
{
	static const char *const texts[STEPS] = {
		"/tmp: libusbgx cannot read the gadget: Input/output error",
		"gadget bpfd: cannot set the ids: Input/output error",
		"gadget bpfd: cannot set the strings: Input/output error",
		"gadget bpfd: cannot set the Microsoft OS descriptors: Input/output error",
		"gadget bpfd: cannot make the configuration: Input/output error",
		"gadget bpfd: cannot set MaxPower: Input/output error",
		"gadget bpfd: cannot set bmAttributes: Input/output error",
		"gadget bpfd: cannot add the OS descriptors to the configuration: Input/output",
		"gadget bpfd: cannot make function ffs.bpfd0: Input/output error",
		"gadget bpfd: cannot add a lane to the configuration: Input/output error",
		"gadget bpfd: cannot make function ffs.bpfd1: Input/output error",
		"gadget bpfd: cannot add a lane to the configuration: Input/output error",
	};
	const char *log;

	for (int i = 0; i < STEPS; i++) {
		assert_int_equal(run(i + 1, USBG_ERROR_IO, 0, &log), -EIO);
		assert_one_line(log);
		assert_non_null(strstr(log, texts[i]));
	}
	assert_int_equal(run(0, 0, 0, &log), 0);
	assert_string_equal(log, "");
}

/* libusbgx has one error code for several causes. errno says which one it was. */
static void test_codes(void **state)
{
	static const struct {
		int code, error, wanted;
	} codes[] = {
		{USBG_ERROR_NO_MEM, 0, ENOMEM},
		{USBG_ERROR_NO_ACCESS, 0, EACCES},
		{USBG_ERROR_NO_ACCESS, EROFS, EROFS},
		{USBG_ERROR_NO_ACCESS, EPERM, EPERM},
		{USBG_ERROR_INVALID_PARAM, 0, EINVAL},
		{USBG_ERROR_INVALID_VALUE, 0, EINVAL},
		{USBG_ERROR_NOT_FOUND, 0, ENOENT},
		{USBG_ERROR_IO, 0, EIO},
		{USBG_ERROR_EXIST, 0, EEXIST},
		{USBG_ERROR_NO_DEV, 0, ENODEV},
		{USBG_ERROR_BUSY, 0, EBUSY},
		{USBG_ERROR_NOT_SUPPORTED, 0, EOPNOTSUPP},
		{USBG_ERROR_PATH_TOO_LONG, 0, ENAMETOOLONG},
		{USBG_ERROR_NOT_EMPTY, 0, ENOTEMPTY},
		{USBG_ERROR_OTHER_ERROR, 0, EIO},
		{USBG_ERROR_OTHER_ERROR, ENOSPC, ENOSPC},
	};
	const char *log;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_int_equal(run(1, codes[i].code, codes[i].error, &log), -codes[i].wanted);
		assert_one_line(log);
		assert_non_null(strstr(log, strerror(codes[i].wanted)));
	}
}

/* The causes that a user can remove. */
static void test_functions(void **state)
{
	const char *log;

	assert_int_equal(run(9, USBG_ERROR_NOT_FOUND, 0, &log), -ENOENT);
	assert_non_null(strstr(log, "install module usb_f_fs"));
	assert_int_equal(run(11, USBG_ERROR_EXIST, 0, &log), -EEXIST);
	assert_non_null(strstr(log, "another gadget has a FunctionFS instance bpfd1 already"));
	assert_int_equal(run(9, USBG_ERROR_BUSY, 0, &log), -EBUSY);
	assert_non_null(strstr(log, "another gadget has a FunctionFS instance bpfd0 already"));
}

static void test_removed(void **state)
{
	const char *log;

	usbg.is_removed = true;
	assert_int_equal(run(0, 0, 0, &log), -ENOENT);
	usbg.is_removed = false;
	assert_one_line(log);
	assert_non_null(strstr(log, "gadget bpfd: removed by another process"));
}

/* libusbgx reads the gadget through a link in the directory of the instances. */
static void test_no_view(void **state)
{
	char link[100], view[80];
	const char *log;

	snprintf(view, sizeof(view), "%s/usb_gadget", dir);
	snprintf(link, sizeof(link), "%s/bpfd", view);
	assert_int_equal(mkdir(view, 0700), 0);
	assert_int_equal(symlink("/tmp", link), 0); /* of a killed daemon */
	assert_int_equal(run(0, 0, 0, &log), -EEXIST);
	assert_one_line(log);
	assert_non_null(strstr(log, "cannot prepare the gadget: File exists"));
	build_clean(&(struct gadget_options){.name = "bpfd", .ffs_dir = dir});
	assert_int_equal(run(0, 0, 0, &log), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_view, setup, teardown),
	};

	log_open("test", LOG_INFO);
	return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
