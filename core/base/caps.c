/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and reduces the capabilities of this process. */
#include "core/base/caps.h"

#include "core/base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPS_MAX 64 /* bits of the sets */
#define WORDS	 _LINUX_CAPABILITY_U32S_3

/* Added in Linux 4.3; older headers lack them. */
#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT		 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

bool caps_known(int capability)
{
	return prctl(PR_CAPBSET_READ, capability) >= 0;
}

static int get(struct __user_cap_data_struct data[WORDS])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

int caps_permitted(uint64_t *set)
{
	struct __user_cap_data_struct data[WORDS];
	int err = get(data);

	if (!err)
		*set = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return err;
}

/* Without CAP_SETPCAP the bounding set stays as it is. That is harmless: once no_new_privs is set,
 * the programs that this process runs cannot gain what it lacks. */
static void drop_bounding(uint64_t keep)
{
	for (int i = 0; i < CAPS_MAX && caps_known(i); i++) {
		if (keep & CAP_BIT(i) || !prctl(PR_CAPBSET_READ, i))
			continue;
		if (prctl(PR_CAPBSET_DROP, i) < 0) {
			log_debug("bounding set of capabilities: %s", strerror(errno));
			return;
		}
	}
}

int caps_keep(uint64_t set, uint64_t bounding)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[WORDS];
	int err = get(data);

	if (err)
		return err;
	drop_bounding(bounding);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i < WORDS; i++) {
		data[i].permitted &= (uint32_t)(set >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int caps_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}
