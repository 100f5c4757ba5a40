/* SPDX-License-Identifier: Apache-2.0 */
/* What libusb returns, as errnos: its codes go no further than the lane. */
#ifndef HOST_USB_USB_ERRNO_H
#define HOST_USB_USB_ERRNO_H

#include <libusb.h>

/* Of a call: a negative errno for an error, else what it returned. */
int usb_errno(int err);

/* Of a transfer that came back: 0 or a negative errno. */
int usb_transfer_errno(enum libusb_transfer_status status);

#endif
