/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the running kernel's configuration, if the kernel or the distribution provides it. */
#ifndef CONFIGFS_KCONFIG_H
#define CONFIGFS_KCONFIG_H

#include "configfs/options.h"

#include <stddef.h>

struct kconfig_option {
	const char *name;    /* including CONFIG_ */
	const char *without; /* what a board cannot do without it */
	char value;	     /* 'y', 'm' or 'n', set by kconfig_read() */
};

/* Sets the value of each option in the list, from the first of these files that can be opened:
 * <proc>/config.gz, <modules>/<release>/config, <boot>/config-<release>. Returns 0, or -ENOENT if
 * none can be opened; the list is then unchanged. */
int kconfig_read(const struct gadget_options *options, struct kconfig_option *list, size_t count);

#endif
