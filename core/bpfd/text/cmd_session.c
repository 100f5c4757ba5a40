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

/* Returns 1 or 0, or a negative errno if that cannot be found out now. */
static int has_feature(const struct paths *paths, const struct feature *feature)
{
	char path[PATH_MAX];
	int err;

	if (!feature->file) {
		err = file_tracefs(paths, NULL, path);
	} else {
		err = path_format(path, "%s/%s", paths->sysfs, feature->file);
		if (!err && access(path, F_OK))
			err = -errno;
	}
	return err == -ENOENT || err == -ENOTDIR || err == -EACCES ? 0 : err ? err : 1;
}

void cmd_version(struct bpfd *bpfd, struct args *args)
{
	int possible = libbpf_num_possible_cpus(), err = possible;
	int has[sizeof(features) / sizeof(features[0])];
	char cpus[FILE_CPUS_SIZE];
	struct utsname uts;

	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++) {
		has[i] = has_feature(&bpfd->config.paths, &features[i]);
		err = has[i] < 0 ? has[i] : err;
	}
	if (err < 0) {
		reply_ret(bpfd->reply, "bpfd_version", err);
		return;
	}
	uname(&uts);
	file_online_cpus(&bpfd->config.paths, cpus);
	reply_printf(bpfd->reply, "%s %d %s %s %s", BPFD_USB_VERSION, BPFD_PROTOCOL, uts.release,
		uts.machine, cpus);
	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++)
		if (has[i])
			reply_printf(bpfd->reply, " %s", features[i].word);
	reply_printf(bpfd->reply, " possible_cpus=%d rpc%s\n", possible,
		bpfd->config.read_only ? " read_only" : "");
}

void cmd_rpc(struct bpfd *bpfd, struct args *args)
{
	uint64_t version = args_unsigned(args, 1, 0, UINT32_MAX);

	if (args_wrong(args))
		return;
	bpfd->binary = version == RPC_MAJOR;
	reply_ret(bpfd->reply, "bpfd_rpc", bpfd->binary ? 0 : -EPROTONOSUPPORT);
}
