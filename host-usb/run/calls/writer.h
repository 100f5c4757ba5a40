/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the board that the tool writes. */
#ifndef HOST_USB_RUN_CALLS_WRITER_H
#define HOST_USB_RUN_CALLS_WRITER_H

#include "host-usb/run/run.h"

#include <stdint.h>

struct object;

/* Makes an object for a file of the board that the tool writes. Returns 0 or a negative errno. */
int writer_new(struct object **object, struct run *run, const char *path);

/* Opens the file for writing, with the flags of open(2), and gives the tool its descriptor. Returns
 * CALL_ANSWERED or a negative errno. */
int64_t writer_give(const struct call *call, const char *path, int flags);

#endif
