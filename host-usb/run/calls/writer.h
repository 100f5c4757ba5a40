/* SPDX-License-Identifier: Apache-2.0 */
/* Writing files of the board. */
#ifndef HOST_USB_RUN_CALLS_WRITER_H
#define HOST_USB_RUN_CALLS_WRITER_H

#include "host-usb/run/run.h"

#include <stdint.h>

struct object;

/* Makes an object for a file of the board that is open for writing. Returns 0, -ENOMEM or another
 * negative errno. */
int writer_new(struct object **object, struct run *run, const char *path);

/* Answers the call with a descriptor of the board's file, opened for writing with the flags of
 * open(2). Returns CALL_ANSWERED or a negative errno: -EACCES: the flags have O_TRUNC, or the board
 * does not allow it. */
int64_t writer_give(const struct call *call, const char *path, int flags);

#endif
