/* SPDX-License-Identifier: Apache-2.0 */
/* Converts libusb's codes to errnos: only the lane sees libusb's codes. */
#ifndef HOST_USB_USB_ERRNO_H
#define HOST_USB_USB_ERRNO_H

#include <libusb.h>

/* Converts the result of a libusb call: an error to a negative errno, other values unchanged. */
int usb_errno(int err);

/* Converts the status of a completed transfer to 0 or a negative errno. */
int usb_transfer_errno(enum libusb_transfer_status status);

#endif
