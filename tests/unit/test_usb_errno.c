/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of libusb as errnos: bpfd-usb decides by them, and prints them. */
#include "host-usb/usb_errno.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_errors(void **state)
{
	static const struct {
		int code, wanted;
	} codes[] = {{LIBUSB_SUCCESS, 0}, {5, 5}, {LIBUSB_ERROR_IO, -EIO},
		{LIBUSB_ERROR_INVALID_PARAM, -EINVAL}, {LIBUSB_ERROR_ACCESS, -EACCES},
		{LIBUSB_ERROR_NO_DEVICE, -ENODEV}, {LIBUSB_ERROR_NOT_FOUND, -ENOENT},
		{LIBUSB_ERROR_BUSY, -EBUSY}, {LIBUSB_ERROR_TIMEOUT, -ETIMEDOUT},
		{LIBUSB_ERROR_OVERFLOW, -EOVERFLOW}, {LIBUSB_ERROR_PIPE, -EPIPE},
		{LIBUSB_ERROR_INTERRUPTED, -EINTR}, {LIBUSB_ERROR_NO_MEM, -ENOMEM},
		{LIBUSB_ERROR_NOT_SUPPORTED, -EOPNOTSUPP}, {LIBUSB_ERROR_OTHER, -EIO},
		{-1000, -EIO}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(usb_errno(codes[i].code), codes[i].wanted);
}

static void test_transfers(void **state)
{
	static const struct {
		enum libusb_transfer_status status;
		int wanted;
	} codes[] = {{LIBUSB_TRANSFER_COMPLETED, 0}, {LIBUSB_TRANSFER_ERROR, -EIO},
		{LIBUSB_TRANSFER_TIMED_OUT, -ETIMEDOUT}, {LIBUSB_TRANSFER_CANCELLED, -ECANCELED},
		{LIBUSB_TRANSFER_STALL, -EPIPE}, {LIBUSB_TRANSFER_NO_DEVICE, -ENODEV},
		{LIBUSB_TRANSFER_OVERFLOW, -EOVERFLOW}};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(usb_transfer_errno(codes[i].status), codes[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_transfers),
	};

	return cmocka_run_group_tests_name("usb_errno", tests, NULL, NULL);
}
