/* SPDX-License-Identifier: Apache-2.0 */
/* Tests serial numbers: which texts are valid, and where a board's own comes from. */
#include "configfs/serial.h"

#include "tests/unit/configfs_test.h"

#include <errno.h>

#define DEVICE_TREE "proc/device-tree/serial-number"
#define SOC	    "sys/devices/soc0/serial_number"
#define DMI	    "sys/class/dmi/id/product_serial"
#define DMI_BOARD   "sys/class/dmi/id/board_serial"
#define MACHINE_ID  "etc/machine-id"
#define ID	    "0123456789abcdef0123456789abcdef\n"

static void assert_serial(const struct board *b, const char *expected, const char *expected_source)
{
	char serial[SERIAL_MAX + 1];
	const char *source;

	assert_int_equal(serial_find_source(&b->options, serial, &source), 0);
	assert_string_equal(serial, expected);
	assert_string_equal(source, expected_source);
	assert_int_equal(serial_find(&b->options, serial), 0);
	assert_string_equal(serial, expected);
}

static void assert_none(const struct board *b)
{
	char serial[SERIAL_MAX + 1];

	assert_int_equal(serial_find(&b->options, serial), -ENOENT);
}

static void test_valid(void **state)
{
	char text[SERIAL_MAX + 2];

	assert_true(serial_valid("x"));
	assert_true(serial_valid(" a b "));
	assert_true(serial_valid("~!\"#"));
	assert_false(serial_valid(""));
	assert_false(serial_valid("  "));
	assert_false(serial_valid("a\tb"));
	assert_false(serial_valid("a\n"));
	assert_false(serial_valid("caf\xc3\xa9"));
	assert_false(serial_valid("\x7f"));
	memset(text, 'x', sizeof(text));
	text[SERIAL_MAX + 1] = '\0';
	assert_false(serial_valid(text));
	text[SERIAL_MAX] = '\0';
	assert_true(serial_valid(text));
}

static void test_option(void **state)
{
	struct board *b = *state;
	char serial[SERIAL_MAX + 1];

	board_put(b, DEVICE_TREE, "10000000abcdef01");
	b->options.serial = " given ";
	assert_serial(b, " given ", "option");
	b->options.serial = "";
	assert_int_equal(serial_find(&b->options, serial), -EINVAL);
	b->options.serial = "a\x01";
	assert_int_equal(serial_find(&b->options, serial), -EINVAL);
}

static void test_order(void **state)
{
	struct board *b = *state;

	assert_none(b);
	board_put(b, MACHINE_ID, ID);
	assert_serial(b, "4877a4a09c98cf83", "hash of machine-id");
	board_put(b, DMI_BOARD, "MB-42\n");
	assert_serial(b, "MB-42", "mainboard (DMI)");
	board_put(b, DMI, "PF 1\n");
	assert_serial(b, "PF 1", "firmware (DMI)");
	board_put(b, SOC, "SOC7\n");
	assert_serial(b, "SOC7", "SoC");
	board_write(b, DEVICE_TREE, "10000000abcdef01", 17);
	assert_serial(b, "10000000abcdef01", "device tree");
}

static void test_placeholders(void **state)
{
	static const char *const bad[] = {"\n", "0\n", "0000000000000000",
		"To be filled by O.E.M.\n", "Default string\n", "NOT SPECIFIED\n", "None\n",
		"xxxxxxxx", "0123456789\n", "   \n", "\xff\xff\xff", "0123456789ABCDEF",
		"1234567890abcdef", "0123456789abcdef0123456789abcdef", "12345", "FEDCBA9876543210",
		"987654321", "012345678901234567890", "ABCDEFGH", "01-23-45-67", "FFFFFFFF",
		"0000-0000", "unknown", "Default", "default_serial", "System Serial Number",
		"Base Board Serial Number", "serialno", "N/A", "null", "(none)", "---"};
	static const char *const good[] = {"1234", "10000000abcdef01", "000001", "12346",
		"SN000123", "FFFFFFFE", "abcdeg", "PF0123456", "testboard", "default-7",
		"00:11:22:33:44:56"};
	struct board *b = *state;
	char text[SERIAL_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		board_put(b, DEVICE_TREE, bad[i]);
		board_put(b, DMI, bad[i]);
		assert_none(b);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		board_put(b, DEVICE_TREE, good[i]);
		assert_serial(b, good[i], "device tree");
	}
	board_put(b, DEVICE_TREE, "");
	/* A serial number that is too long is not cut: two boards could get the same one. */
	for (size_t i = 0; i <= SERIAL_MAX; i++)
		text[i] = (char)('a' + i * 7 % 26);
	board_write(b, DEVICE_TREE, text, SERIAL_MAX + 1);
	assert_none(b);
	text[SERIAL_MAX] = '\0';
	board_write(b, DEVICE_TREE, text, SERIAL_MAX);
	assert_serial(b, text, "device tree");
}

static void test_machine_id(void **state)
{
	static const char *const bad[] = {"", "\n", "uninitialized\n", "0123\n",
		"00000000000000000000000000000000\n", "0123456789abcdef0123456789abcdeg\n",
		"0123456789abcdef0123456789abcdef0\n"};
	char first[SERIAL_MAX + 1], second[SERIAL_MAX + 1];
	struct board *b = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		board_put(b, MACHINE_ID, bad[i]);
		assert_none(b);
	}
	board_put(b, MACHINE_ID, "0123456789abcdef0123456789abcdef\n");
	assert_int_equal(serial_find(&b->options, first), 0);
	board_put(b, MACHINE_ID, "0123456789abcdef0123456789abcdee\n");
	assert_int_equal(serial_find(&b->options, second), 0);
	assert_string_not_equal(first, second);
	assert_null(strstr(first, "0123"));
}

/* The serial number of a joined gadget. */
static void test_joined(void **state)
{
	char serial[SERIAL_MAX + 1];
	struct board *b = *state;

	b->options.join = "other";
	assert_int_equal(serial_of_joined(&b->options, serial), -ENOENT);
	board_put(b, "configfs/usb_gadget/other/strings/0x409/serialnumber", "theirs 7\n");
	assert_int_equal(serial_of_joined(&b->options, serial), 0);
	assert_string_equal(serial, "theirs 7");
	board_put(b, "configfs/usb_gadget/other/strings/0x409/serialnumber", "\n");
	assert_int_equal(serial_of_joined(&b->options, serial), -ENOENT);
}

/* Serial numbers are not only ASCII, and a gadget need not have English strings. */
static void test_joined_languages(void **state)
{
	static const char *const names[] = {"0x407", "1031", "0x0409", "1033", "0x411"};
	char serial[SERIAL_MAX + 1], path[128];
	struct board *b = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "gadget%zu", i);
		b->options.join = path;
		snprintf(path, sizeof(path),
			"configfs/usb_gadget/gadget%zu/strings/%s/serialnumber", i, names[i]);
		board_put(b, path, "Ger\xc3\xa4t 7\n");
		snprintf(path, sizeof(path), "gadget%zu", i);
		assert_int_equal(serial_of_joined(&b->options, serial), 0);
		assert_string_equal(serial, "Ger\xc3\xa4t 7");
	}
	b->options.join = "both";
	board_put(b, "configfs/usb_gadget/both/strings/0x0409/serialnumber", "english\n");
	board_put(b, "configfs/usb_gadget/both/strings/0x407/serialnumber", "deutsch\n");
	assert_int_equal(serial_of_joined(&b->options, serial), 0);
	assert_string_equal(serial, "english");
	b->options.join = "late";
	board_put(b, "configfs/usb_gadget/late/strings/0x407/serialnumber", "deutsch\n");
	board_put(b, "configfs/usb_gadget/late/strings/1033/serialnumber", "english\n");
	assert_int_equal(serial_of_joined(&b->options, serial), 0);
	assert_string_equal(serial, "english");
	b->options.join = "latin1";
	board_put(b, "configfs/usb_gadget/latin1/strings/0x409/serialnumber", "Ger\xe4t\n");
	assert_int_equal(serial_of_joined(&b->options, serial), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		board_test(test_option),
		board_test(test_order),
		board_test(test_placeholders),
		board_test(test_machine_id),
		board_test(test_joined),
		board_test(test_joined_languages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
