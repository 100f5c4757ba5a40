/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the board that the tool has open. */
#ifndef HOST_USB_RUN_CALLS_DIRECTORY_H
#define HOST_USB_RUN_CALLS_DIRECTORY_H

#include <stdint.h>

struct call;

/* Answers the call with a descriptor of the board's directory `path`, opened with the flags of
 * open(2). Returns CALL_ANSWERED or a negative errno. */
int64_t directory_give(const struct call *call, const char *path, int flags);

#endif
