/* SPDX-License-Identifier: Apache-2.0 */
/* The running kernel's configuration, where the kernel or the distribution shows it. */
#ifndef CONFIGFS_KCONFIG_H
#define CONFIGFS_KCONFIG_H

#include "configfs/options.h"

#include <stddef.h>

struct kconfig_option {
	const char *name;    /* with CONFIG_ */
	const char *without; /* what a board cannot do without it */
	char value;	     /* by kconfig_read(): 'y', 'm' or 'n' */
};

/* Looks the options up in <proc>/config.gz, <modules>/<release>/config or <boot>/config-<release>.
 * Returns 0, or -ENOENT when none of them can be read. */
int kconfig_read(const struct gadget_options *options, struct kconfig_option *list, size_t count);

#endif
