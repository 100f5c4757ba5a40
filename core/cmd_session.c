/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the session itself. */
#include "core/command.h"
#include "core/file.h"
#include "core/rpc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

void cmd_exit(struct bpfd *bpfd, struct args *args)
{
	bpfd->finished = true;
}

/* The features that a client may want to know before it uses them, and the file below sysfs or
 * tracefs that shows each. */
static const struct feature {
	const char *word;
	size_t root; /* offset in struct paths */
	const char *file;
} features[] = {
	{"kprobe_pmu", offsetof(struct paths, sysfs), "bus/event_source/devices/kprobe/type"},
	{"uprobe_pmu", offsetof(struct paths, sysfs), "bus/event_source/devices/uprobe/type"},
	{"tracefs", offsetof(struct paths, tracefs), "events"},
	{"btf", offsetof(struct paths, sysfs), "kernel/btf/vmlinux"},
};

static bool feature_there(const struct paths *paths, const struct feature *feature)
{
	const char *root = *(const char *const *)((const char *)paths + feature->root);
	char path[PATH_MAX];
	int n;

	n = snprintf(path, sizeof(path), "%s/%s", root, feature->file);
	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

void cmd_version(struct bpfd *bpfd, struct args *args)
{
	char cpus[FILE_CPUS_SIZE];
	struct utsname uts;

	uname(&uts);
	file_online_cpus(&bpfd->config.paths, cpus);
	reply_printf(bpfd->reply, "%s %d %s %s %s", BPFD_USB_VERSION, BPFD_PROTOCOL, uts.release,
		uts.machine, cpus);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (feature_there(&bpfd->config.paths, &features[i]))
			reply_printf(bpfd->reply, " %s", features[i].word);
	reply_text(bpfd->reply, " rpc\n");
}

void cmd_rpc(struct bpfd *bpfd, struct args *args)
{
	uint64_t version = args_unsigned(args, 1, 0, UINT32_MAX);

	if (args_wrong(args))
		return;
	bpfd->binary = version == RPC_MAJOR;
	reply_ret(bpfd->reply, "bpfd_rpc", bpfd->binary ? 0 : -EPROTONOSUPPORT);
}
