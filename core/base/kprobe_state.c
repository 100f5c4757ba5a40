/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the settings of the kernel that keep kprobes from running. */
#include "core/base/kprobe_state.h"

#include "core/base/paths.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

static bool is_zero(const char *dir, const char *name)
{
	char path[PATH_MAX], value = '1';
	int fd;

	if (path_format(path, "%s/%s", dir, name) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &value, 1) < 1)
		value = '1';
	close(fd);
	return value == '0';
}

const char *kprobe_obstacle(const char *proc, const char *sysfs)
{
	if (is_zero(sysfs, "kernel/debug/kprobes/enabled"))
		return "kprobes are disabled and do not run; write 1 to "
		       "/sys/kernel/debug/kprobes/enabled";
	/* Where kprobes use ftrace (x86, RISC-V, powerpc, s390), those at a function's start. */
	if (is_zero(proc, "sys/kernel/ftrace_enabled"))
		return "kernel.ftrace_enabled is 0, so kprobes at the start of functions may not "
		       "run; set it to 1 with sysctl";
	return NULL;
}
