/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the session itself. */
#include "core/base/paths.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/text/command.h"
#include "core/messages/rpc.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

void cmd_exit(struct bpfd *bpfd, struct args *args)
{
	bpfd->finished = true;
}

/* The features that BPFD_VERSION lists. A feature exists if its file below sysfs does. */
static const struct feature {
	const char *word;
	const char *file; /* NULL: looks for tracefs instead */
} features[] = {
	{"kprobe_pmu", "bus/event_source/devices/kprobe/type"},
	{"uprobe_pmu", "bus/event_source/devices/uprobe/type"},
	{"tracefs", NULL},
	{"btf", "kernel/btf/vmlinux"},
};

static bool has_feature(const struct paths *paths, const struct feature *feature)
{
	char path[PATH_MAX];

	if (!feature->file)
		return file_tracefs(paths, NULL, path) == 0;
	return path_format(path, "%s/%s", paths->sysfs, feature->file) == 0 &&
	       access(path, F_OK) == 0;
}

void cmd_version(struct bpfd *bpfd, struct args *args)
{
	int possible = libbpf_num_possible_cpus();
	char cpus[FILE_CPUS_SIZE];
	struct utsname uts;

	uname(&uts);
	file_online_cpus(&bpfd->config.paths, cpus);
	reply_printf(bpfd->reply, "%s %d %s %s %s", BPFD_USB_VERSION, BPFD_PROTOCOL, uts.release,
		uts.machine, cpus);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (has_feature(&bpfd->config.paths, &features[i]))
			reply_printf(bpfd->reply, " %s", features[i].word);
	if (possible > 0)
		reply_printf(bpfd->reply, " possible_cpus=%d", possible);
	reply_printf(bpfd->reply, " rpc%s\n", bpfd->config.read_only ? " read_only" : "");
}

void cmd_rpc(struct bpfd *bpfd, struct args *args)
{
	uint64_t version = args_unsigned(args, 1, 0, UINT32_MAX);

	if (args_wrong(args))
		return;
	bpfd->binary = version == RPC_MAJOR;
	reply_ret(bpfd->reply, "bpfd_rpc", bpfd->binary ? 0 : -EPROTONOSUPPORT);
}
