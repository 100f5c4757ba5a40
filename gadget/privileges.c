/* SPDX-License-Identifier: Apache-2.0 */
/* Drops the capabilities that the daemon and its worker no longer need. */
#include "gadget/privileges.h"

#include "core/base/caps.h"
#include "core/base/log.h"
#include "core/base/profile.h"

#include <string.h>

/* Unmounting FunctionFS needs CAP_SYS_ADMIN. A new worker needs CAP_DAC_OVERRIDE to open endpoints
 * that belong to another user, if the instance was mounted so. */
#define DAEMON_CAPS (CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_DAC_OVERRIDE))

static void keep(uint64_t caps)
{
	int err = caps_no_new_privileges();

	if (!err)
		err = caps_keep(caps, caps);
	if (err)
		log_warning("capabilities: %s; all are kept", strerror(-err));
}

void privileges_drop(void)
{
	keep(profile_start_caps() | DAEMON_CAPS);
}

void privileges_drop_worker(void)
{
	keep(profile_start_caps());
}
