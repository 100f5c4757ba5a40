/* SPDX-License-Identifier: Apache-2.0 */
/* Tests finding boards in sysfs and lanes in a configuration. */
#include "core/link/link.h"
#include "host-usb/device.h"
#include "host-usb/lane.h"

#include <errno.h>
#include <libusb.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];

static void put(const char *entry, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus/usb/devices/%s", root, entry);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/bus/usb/devices/%s/%s", root, entry, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static void put_interface(const char *entry, const char *class, const char *sub, const char *proto)
{
	put(entry, "bInterfaceClass", class);
	put(entry, "bInterfaceSubClass", sub);
	put(entry, "bInterfaceProtocol", proto);
}

static void put_driver(const char *entry, const char *driver)
{
	char path[PATH_MAX], target[PATH_MAX];

	snprintf(target, sizeof(target), "../../../bus/usb/drivers/%s", driver);
	snprintf(path, sizeof(path), "%s/bus/usb/devices/%s/driver", root, entry);
	assert_int_equal(symlink(target, path), 0);
}

static void put_board(const char *path, const char *serial, const char *bus, const char *address)
{
	char interface[80];

	put(path, "busnum", bus);
	put(path, "devnum", address);
	put(path, "speed", "480");
	put(path, "bcdDevice", "0123");
	put(path, "product", "bpfd");
	if (serial)
		put(path, "serial", serial);
	for (int i = 0; i < 2; i++) {
		snprintf(interface, sizeof(interface), "%s:1.%d", path, i);
		put_interface(interface, "ff", "b7", "01");
	}
}

static int make_root(void **state)
{
	char path[PATH_MAX];

	strcpy(root, "/tmp/test_device.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "mkdir -p %s/bus/usb/devices", root);
	return system(path);
}

static int remove_root(void **state)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void test_no_usb(void **state)
{
	struct device_list list;

	assert_int_equal(device_scan("/nonexistent", &list), 0);
	assert_int_equal(list.count, 0);
	assert_int_equal(device_scan(root, &list), 0);
	assert_int_equal(list.count, 0);
	device_list_free(&list);
}

static void test_scan(void **state)
{
	struct device_list list;

	put_board("1-10", "tenth", "1", "9");
	put_board("1-2.3", "other", "1", "7");
	put_driver("1-2.3:1.1", "usbfs");
	put_driver("1-2.3", "usb");
	/* A board that is exported to another machine. */
	put_board("1-3", "lent", "1", "8");
	put_driver("1-3", "usbip-host");
	/* A keyboard, adb, and an interface that is vanishing. */
	put("1-4", "busnum", "1");
	put_interface("1-4:1.0", "03", "01", "01");
	put_interface("1-4:1.1", "ff", "42", "01");
	put("1-5:1.0", "bInterfaceClass", "ff");

	assert_int_equal(device_scan(root, &list), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].path, "1-2.3");
	assert_string_equal(list.items[0].serial, "other");
	assert_string_equal(list.items[0].product, "bpfd");
	assert_string_equal(list.items[0].speed, "480");
	assert_int_equal(list.items[0].bus, 1);
	assert_int_equal(list.items[0].address, 7);
	assert_int_equal(list.items[0].release, 0x0123);
	assert_int_equal(list.items[0].lanes, 2);
	assert_int_equal(list.items[0].busy, 1);
	assert_string_equal(list.items[1].path, "1-10");
	assert_int_equal(list.items[1].busy, 0);
	device_list_free(&list);
}

/* A device that vanishes while it is read is not listed; the others are. */
static void test_vanished(void **state)
{
	struct device_list list;

	put_interface("1-6:1.0", "ff", "b7", "01");
	put_board("1-7", NULL, "1", "8");
	assert_int_equal(device_scan(root, &list), 0);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].path, "1-7");
	assert_string_equal(list.items[0].serial, "");
	device_list_free(&list);
}

static void test_bad_numbers(void **state)
{
	static const char *const bad[] = {"", "-", "x", "1x", "99999999999999999999"};
	struct device_list list;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_board("1-1", "s", bad[i], "2");
		assert_int_equal(device_scan(root, &list), 0);
		assert_int_equal(list.count, 0);
	}
}

static void test_select(void **state)
{
	struct device_list list;

	put_board("1-1", "one", "1", "2");
	put_board("1-2", "two", "1", "3");
	put_board("2-1", "two", "2", "2");

	assert_int_equal(device_scan(root, &list), 0);
	device_list_select(&list, NULL);
	assert_int_equal(list.count, 3);
	device_list_select(&list, "two");
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[0].path, "1-2");
	assert_string_equal(list.items[1].path, "2-1");
	device_list_select(&list, "2-1");
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].path, "2-1");
	device_list_select(&list, "one");
	assert_int_equal(list.count, 0);
	device_list_free(&list);
}

static void test_print(void **state)
{
	struct device_list list;
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text) - 1, "w");

	put_board("1-1", "a\033[31mb", "1", "2");
	put_driver("1-1:1.0", "usbfs");
	assert_int_equal(device_scan(root, &list), 0);
	device_list_print(&list, out);
	fclose(out);
	device_list_free(&list);
	assert_string_equal(text, "SERIAL   PATH        SPEED       LANES  FREE  VERSION  PRODUCT\n"
				  "a?[31mb  1-1         480 Mb/s        2     1  1.2.3    bpfd\n");
}

static void assert_json(const char *wanted)
{
	struct device_list list;
	char text[2048] = "";
	FILE *out = fmemopen(text, sizeof(text) - 1, "w");

	assert_int_equal(device_scan(root, &list), 0);
	device_list_print_json(&list, out);
	fclose(out);
	device_list_free(&list);
	assert_string_equal(text, wanted);
}

/* An overlong form, a surrogate, a code above U+10FFFF, a continuation byte, a cut character. */
#define BAD	 "\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\x80|\xe2\x82"
#define R	 "\\ufffd"
#define REPLACED R R "|" R R R "|" R R R R "|" R "|" R R

static void test_json(void **state)
{
	assert_json("[]\n");
	put_board("1-1", "a\"\\\033\x7f\xc3\xa4\xf0\x9f\x94\x8c", "1", "2");
	put_driver("1-1:1.0", "usbfs");
	put_board("1-2", BAD, "1", "3");
	put("1-2", "speed", "fast");
	assert_json("[\n  {\"serial\": \"a\\u0022\\u005c\\u001b\\u007f\xc3\xa4\xf0\x9f\x94\x8c\", "
		    "\"path\": \"1-1\", \"bus\": 1, \"address\": 2, \"speed\": 480, \"lanes\": 2, "
		    "\"free\": 1, \"version\": \"1.2.3\", \"product\": \"bpfd\"},\n"
		    "  {\"serial\": \"" REPLACED "\", "
		    "\"path\": \"1-2\", \"bus\": 1, \"address\": 3, \"speed\": null, \"lanes\": 2, "
		    "\"free\": 2, \"version\": \"1.2.3\", \"product\": \"bpfd\"}\n]\n");
}

static void test_text(void **state)
{
	char out[6];

	assert_string_equal(device_text("", out, sizeof(out)), "-");
	assert_string_equal(device_text("a\x9b\x7f\n", out, sizeof(out)), "a???");
	assert_string_equal(
		device_text("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", out, sizeof(out)), "???z");
	assert_string_equal(device_text("\xc3", out, sizeof(out)), "?");
	assert_string_equal(device_text("123456789", out, sizeof(out)), "12345");
	assert_string_equal(device_text("1", out, 1), "");
}

/* A configuration of up to four interfaces with a pair of endpoints each. */
struct config {
	struct libusb_config_descriptor config;
	struct libusb_interface interface[4];
	struct libusb_interface_descriptor alt[4];
	struct libusb_endpoint_descriptor endpoint[4][2];
};

static void config_add(struct config *c, uint8_t subclass, uint8_t out, uint8_t in, uint8_t type)
{
	unsigned int i = c->config.bNumInterfaces++;

	c->config.interface = c->interface;
	c->interface[i] = (struct libusb_interface){&c->alt[i], 1};
	c->alt[i] = (struct libusb_interface_descriptor){
		.bInterfaceNumber = (uint8_t)i,
		.bNumEndpoints = 2,
		.bInterfaceClass = LANE_CLASS,
		.bInterfaceSubClass = subclass,
		.bInterfaceProtocol = LANE_PROTOCOL,
		.endpoint = c->endpoint[i],
	};
	c->endpoint[i][0].bEndpointAddress = out;
	c->endpoint[i][0].bmAttributes = type;
	c->endpoint[i][1].bEndpointAddress = in;
	c->endpoint[i][1].bmAttributes = type;
}

static void test_places(void **state)
{
	struct lane_place places[LANES_MAX];
	struct config c = {.config = {0}};

	assert_int_equal(usb_lane_places(&c.config, places), 0);
	config_add(&c, 0x42, 0x01, 0x81, LIBUSB_TRANSFER_TYPE_BULK);
	config_add(&c, LANE_SUBCLASS, 0x02, 0x82, LIBUSB_TRANSFER_TYPE_BULK);
	config_add(&c, LANE_SUBCLASS, 0x03, 0x83, LIBUSB_TRANSFER_TYPE_INTERRUPT);
	config_add(&c, LANE_SUBCLASS, 0x84, 0x04, LIBUSB_TRANSFER_TYPE_BULK);
	assert_int_equal(usb_lane_places(&c.config, places), 2);
	assert_int_equal(places[0].interface, 1);
	assert_int_equal(places[0].out, 0x02);
	assert_int_equal(places[0].in, 0x82);
	assert_int_equal(places[1].interface, 3);
	assert_int_equal(places[1].out, 0x04);
	assert_int_equal(places[1].in, 0x84);
}

static void test_places_duplicate(void **state)
{
	struct lane_place places[LANES_MAX];
	struct config c = {.config = {0}}, foreign = {.config = {0}};

	config_add(&c, LANE_SUBCLASS, 0x01, 0x81, LIBUSB_TRANSFER_TYPE_BULK);
	config_add(&c, LANE_SUBCLASS, 0x02, 0x81, LIBUSB_TRANSFER_TYPE_BULK);
	assert_int_equal(usb_lane_places(&c.config, places), -EEXIST);
	/* An address that only other interfaces share is allowed. */
	config_add(&foreign, 0x42, 0x01, 0x81, LIBUSB_TRANSFER_TYPE_BULK);
	config_add(&foreign, 0x42, 0x01, 0x81, LIBUSB_TRANSFER_TYPE_BULK);
	config_add(&foreign, LANE_SUBCLASS, 0x02, 0x82, LIBUSB_TRANSFER_TYPE_BULK);
	assert_int_equal(usb_lane_places(&foreign.config, places), 1);
}

static void test_places_one_way(void **state)
{
	struct lane_place places[LANES_MAX];
	struct config c = {.config = {0}};

	config_add(&c, LANE_SUBCLASS, 0x82, 0x81, LIBUSB_TRANSFER_TYPE_BULK);
	assert_int_equal(usb_lane_places(&c.config, places), 0);
	c.interface[0].num_altsetting = 0;
	assert_int_equal(usb_lane_places(&c.config, places), 0);
}

static void test_open_missing(void **state)
{
	struct usb_lane *lane;

	assert_int_equal(usb_lane_open("/nonexistent/001", LANE_TRANSFER, NULL, &lane), -ENOENT);
	/* Not a USB device. */
	assert_true(usb_lane_open("/dev/null", LANE_TRANSFER, NULL, &lane) < 0);
	usb_lane_close(NULL);
}

static void test_error_text(void **state)
{
	static const int errors[] = {ENODEV, EPIPE, EOVERFLOW, EIO, ECANCELED, EEXIST, ENOMEM};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		assert_true(strlen(usb_lane_error_text(-errors[i])) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_usb, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_scan, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_vanished, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_bad_numbers, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_select, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_print, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_json, make_root, remove_root),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_places_duplicate),
		cmocka_unit_test(test_places_one_way),
		cmocka_unit_test(test_open_missing),
		cmocka_unit_test(test_error_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
