/* SPDX-License-Identifier: Apache-2.0 */
/* Gives up the capabilities that the profile does not include. */
#include "core/bpfd/confine.h"

#include "core/base/caps.h"
#include "core/base/log.h"
#include "core/base/paths.h"
#include "core/base/profile.h"
#include "core/bpfd/files/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PARANOID_MAX 2 /* the highest kernel.perf_event_paranoid that kernel.org defines */

/* The address sanitizer reserves terabytes. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_IS_BOUNDED 0
#else
#define MEMORY_IS_BOUNDED 1
#endif

/* RLIMIT_DATA does not count shared mappings, such as rings and maps. The budget counts them. */
static void bound_memory(uint64_t bytes)
{
	const rlim_t max = bytes < RLIM_INFINITY ? (rlim_t)bytes : RLIM_INFINITY;
	const struct rlimit limit = {max, max};

	if (MEMORY_IS_BOUNDED && setrlimit(RLIMIT_DATA, &limit) < 0)
		log_debug("RLIMIT_DATA: %m");
}

/* Above 2, kernels of Debian, Ubuntu and Android reserve perf events for CAP_SYS_ADMIN. */
static void warn_of_paranoia(const struct paths *paths)
{
	char path[PATH_MAX], text[16];

	if (path_format(path, "%s/sys/kernel/perf_event_paranoid", paths->proc) ||
		file_read(path, text, sizeof(text)) < 0 || atoi(text) <= PARANOID_MAX)
		return;
	log_warning("kernel.perf_event_paranoid is %d: this kernel may refuse perf events without "
		    "CAP_SYS_ADMIN; set it to %d",
		atoi(text), PARANOID_MAX);
}

int confine_rights(const struct paths *paths, const struct profile *profile, uint64_t memory)
{
	uint64_t before, caps = profile_caps(profile, caps_known(CAP_BPF));
	int err;

	bound_memory(memory);
	err = caps_no_new_privileges();
	if (err)
		log_error("no_new_privs: %s", strerror(-err));
	if (!err) {
		err = caps_permitted(&before);
		if (!err)
			err = caps_keep(caps, 0);
		if (err)
			log_error("capabilities: %s", strerror(-err));
	}
	if (err)
		return err;
	log_debug("profile %s: capabilities %#llx", profile_name(profile),
		(unsigned long long)(caps & before));
	profile_log_losses(profile, caps);
	if (!(caps & CAP_BIT(CAP_SYS_ADMIN)))
		warn_of_paranoia(paths);
	return 0;
}
