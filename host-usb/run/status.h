/* SPDX-License-Identifier: Apache-2.0 */
/* Exit statuses of bpfd-run that are not the tool's, as env(1) and timeout(1) have them. */
#ifndef HOST_USB_RUN_STATUS_H
#define HOST_USB_RUN_STATUS_H

#define STATUS_FAILED	 125 /* bpfd-run itself failed */
#define STATUS_NOT_RUN	 126 /* the tool cannot be run */
#define STATUS_NOT_FOUND 127

#endif
