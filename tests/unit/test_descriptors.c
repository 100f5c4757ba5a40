/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the descriptors of a lane by reading them the way the kernel does. */
#include "core/link/link.h"
#include "gadget/descriptors.h"

#include <linux/usb/ch9.h>
#include <linux/usb/functionfs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint32_t le32(const uint8_t *at)
{
	return (uint32_t)(at[0] | at[1] << 8 | at[2] << 16) | (uint32_t)at[3] << 24;
}

/* Checks the descriptors of one speed. Returns their end. */
static const uint8_t *check_speed(const uint8_t *at, unsigned int packet, unsigned int count)
{
	unsigned int endpoints = 0;

	assert_int_equal(at[1], USB_DT_INTERFACE);
	assert_int_equal(at[5], LANE_CLASS);
	assert_int_equal(at[6], LANE_SUBCLASS);
	assert_int_equal(at[7], LANE_PROTOCOL);
	for (unsigned int i = 0; i < count; i++) {
		if (at[1] == USB_DT_ENDPOINT) {
			assert_int_equal(at[0], USB_DT_ENDPOINT_SIZE);
			assert_int_equal(at[4] | at[5] << 8, packet);
			assert_int_equal(!!(at[2] & USB_DIR_IN), endpoints); /* OUT, then IN */
			endpoints++;
		}
		at += at[0];
	}
	assert_int_equal(endpoints, 2);
	return at;
}

static const uint8_t *check_os(const uint8_t *at, unsigned int index, unsigned int version)
{
	uint32_t len = le32(at + 1);

	assert_int_equal(at[0], 0);
	assert_int_equal(at[5] | at[6] << 8, version);
	assert_int_equal(at[7] | at[8] << 8, index);
	assert_int_equal(at[9], 1);
	if (index == 4)
		assert_memory_equal(at + 13, "WINUSB\0\0", 8);
	else
		assert_int_equal(le32(at + 11), len - 11); /* it contains exactly one property */
	return at + len;
}

static void check(enum os_descriptors os, unsigned int version)
{
	uint8_t buffer[DESCRIPTORS_MAX];
	size_t len = descriptors_build(buffer, os);
	const uint8_t *at = buffer + 24;

	assert_int_equal(le32(buffer), FUNCTIONFS_DESCRIPTORS_MAGIC_V2);
	assert_int_equal(le32(buffer + 4), len);
	if (os != OS_DESC_NONE) {
		assert_int_equal(le32(at), 2);
		at += 4;
	}
	at = check_speed(at, 64, le32(buffer + 12));
	at = check_speed(at, 512, le32(buffer + 16));
	at = check_speed(at, 1024, le32(buffer + 20));
	if (os != OS_DESC_NONE) {
		at = check_os(at, 4, version);
		at = check_os(at, 5, version);
	}
	assert_ptr_equal(at, buffer + len);
}

static void test_descriptors(void **state)
{
	check(OS_DESC_NONE, 0);
	check(OS_DESC_0100, 0x0100);
	check(OS_DESC_0001, 0x0001);
}

static void test_strings(void **state)
{
	uint8_t buffer[DESCRIPTORS_MAX];
	size_t len = descriptors_build_strings(buffer);

	assert_int_equal(le32(buffer), FUNCTIONFS_STRINGS_MAGIC);
	assert_int_equal(le32(buffer + 4), len);
	assert_int_equal(le32(buffer + 8), 1);
	assert_int_equal(le32(buffer + 12), 1);
	assert_string_equal((char *)buffer + 18, "bpfd");
	assert_int_equal(len, 18 + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
