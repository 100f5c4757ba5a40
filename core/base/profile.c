/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles of rights of a session, and the purpose of each right. */
#include "core/base/profile.h"

#include "core/base/caps.h"
#include "core/base/log.h"

#include <stddef.h>
#include <string.h>

#define MINIMAL (CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON))
#define TRACE                                                                               \
	(MINIMAL | CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYSLOG) | CAP_BIT(CAP_SYS_PTRACE) | \
		CAP_BIT(CAP_DAC_READ_SEARCH))

struct profile {
	const char *name;
	uint64_t caps;
	bool changes_names;
	bool only_observes;
};

/* The first one is the default. */
static const struct profile profiles[] = {
	{.name = "trace", .caps = TRACE, .changes_names = true},
	{.name = "minimal", .caps = MINIMAL, .only_observes = true},
};

/* What a session without a capability cannot do. Before Linux 5.8 CAP_SYS_ADMIN includes the two
 * capabilities of MINIMAL and is never missing. */
static const struct {
	int capability;
	const char *name, *what;
} losses[] = {
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
		"objects by id (bpftool prog, map, link, btf), programs that write to users' "
		"memory, uprobes of BPFD_RPC before Linux 6.13"},
	{CAP_SYSLOG, "CAP_SYSLOG",
		"addresses of kernel symbols (GET_KALLSYMS, GET_KSYM_*, kernel stacks), "
		"kernel log with kernel.dmesg_restrict"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
		"symbols and files of other processes (GET_USYM_*, /proc/PID/maps, root, exe)"},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
		"programs and libraries that their modes hide from root"},
};

#define NAME_CALLS "unlinkat, mkdirat"
#define NAMES	   "removing, making and renaming of files and directories in bpffs"

const struct profile *profile_find(const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		if (!name || !strcmp(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}

const char *profile_name(const struct profile *profile)
{
	return profile->name;
}

bool profile_only_observes(const struct profile *profile)
{
	return profile->only_observes;
}

uint64_t profile_caps(const struct profile *profile, bool has_cap_bpf)
{
	return has_cap_bpf ? profile->caps : (profile->caps & ~MINIMAL) | CAP_BIT(CAP_SYS_ADMIN);
}

bool profile_changes_names(const struct profile *profile)
{
	return profile->changes_names;
}

uint64_t profile_start_caps(void)
{
	/* To raise the limits of locked memory and descriptors, and to change the bounding set. */
	return TRACE | CAP_BIT(CAP_SYS_RESOURCE) | CAP_BIT(CAP_SETPCAP);
}

void profile_print_losses(const struct profile *profile, FILE *to)
{
	uint64_t caps = profile_caps(profile, true);

	if (caps == TRACE)
		return;
	fprintf(to, "\nWithout, in profile %s:\n", profile->name);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (!(caps & CAP_BIT(losses[i].capability)))
			fprintf(to, "  %-19s %s\n", losses[i].name, losses[i].what);
	if (!profile->changes_names)
		fprintf(to, "  %-19s %s\n", NAME_CALLS, NAMES);
	if (profile->only_observes)
		fputs("It also refuses pinned programs and links, and programs that deny "
		      "operations,\nchange return values, send signals, or call functions of the "
		      "kernel (kfuncs).\n",
			to);
}

void profile_log_losses(const struct profile *profile, uint64_t caps)
{
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (!(caps & CAP_BIT(losses[i].capability)))
			log_info("profile %s: without %s: no %s", profile->name, losses[i].name,
				losses[i].what);
	if (!profile->changes_names)
		log_info("profile %s: without %s: no %s", profile->name, NAME_CALLS, NAMES);
}
