/* SPDX-License-Identifier: Apache-2.0 */
/* Exit statuses of bpfd-usb: up to STATUS_CORE_MAX that of the board's process. */
#ifndef HOST_USB_STATUS_H
#define HOST_USB_STATUS_H

enum status {
	STATUS_CORE_MAX = 249, /* 128 + N: the process was killed by signal N */
	STATUS_USAGE = 250,
	STATUS_PERMISSION = 251,
	STATUS_AMBIGUOUS = 252,
	STATUS_NO_BOARD = 253,
	STATUS_NO_LANE = 254,
	STATUS_LOST = 255, /* the link was lost, or the session did not end cleanly */
};

#endif
