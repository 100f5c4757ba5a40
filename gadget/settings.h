/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's configuration file.
 *
 * A line is empty, a comment that starts with #, or NAME = VALUE, where NAME is a long option that
 * takes an argument. */
#ifndef GADGET_SETTINGS_H
#define GADGET_SETTINGS_H

#include "core/base/options.h"

#define SETTINGS_PATH	  "/etc/bpfd/gadget.conf"
#define SETTINGS_SIZE_MAX 65536 /* bytes */

/* Takes one setting. `value` is valid until *text of settings_read() is freed. Returns 0, or a
 * negative errno, logged. */
typedef int settings_take(void *arg, int id, char *value);

/* Passes each setting to `take`, in the order of the file. Returns 0; -ENOENT, not logged: there is
 * no such file; or a negative errno, logged with FILE:LINE. *text contains the values: the caller
 * frees it when they are no longer needed. It is NULL after a failure. */
int settings_read(const char *path, const struct option_spec *table, settings_take *take, void *arg,
	char **text);

#endif
