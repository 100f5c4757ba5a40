/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's configuration file. A line is empty, a comment that starts with #, or NAME = VALUE,
 * where NAME is that of a long option which takes an argument. */
#ifndef GADGET_SETTINGS_H
#define GADGET_SETTINGS_H

#include "core/base/options.h"

#define SETTINGS_PATH	  "/etc/bpfd/gadget.conf"
#define SETTINGS_SIZE_MAX 65536 /* bytes */

/* Takes one setting. `value` stays valid as long as *text of settings_read(). Returns 0 or a
 * negative errno, after having said what is wrong. */
typedef int settings_take(void *arg, int id, char *value);

/* Hands each setting over, in the order of the file. Returns 0; -ENOENT: there is no such file
 * (nothing is said); or a negative errno, after FILE:LINE and what is wrong were logged. *text is
 * then what the values are in, to be freed by the caller when they are not needed any more; NULL
 * after a failure. */
int settings_read(const char *path, const struct option_spec *table, settings_take *take, void *arg,
	char **text);

#endif
