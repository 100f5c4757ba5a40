/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the session itself. */
#include "core/command.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CPU_LIST_SIZE 256

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

/* The kernel's list of the CPUs that are online, like "0-3,6". */
static void online_cpus(const struct paths *paths, char list[CPU_LIST_SIZE])
{
	char path[PATH_MAX];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/devices/system/cpu/online", paths->sysfs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, list, CPU_LIST_SIZE - 1);
		close(fd);
	}
	list[n > 0 ? n : 0] = 0;
	list[strcspn(list, " \n")] = 0;
	if (!*list)
		strcpy(list, "?");
}

void cmd_version(struct bpfd *bpfd, struct args *args)
{
	char cpus[CPU_LIST_SIZE];
	struct utsname uts;

	uname(&uts);
	online_cpus(&bpfd->config.paths, cpus);
	reply_printf(bpfd->reply, "%s %d %s %s %s", BPFD_USB_VERSION, BPFD_PROTOCOL, uts.release,
		uts.machine, cpus);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (feature_there(&bpfd->config.paths, &features[i]))
			reply_printf(bpfd->reply, " %s", features[i].word);
	reply_text(bpfd->reply, "\n");
}
