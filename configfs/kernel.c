/* SPDX-License-Identifier: Apache-2.0 */
/* Finds configfs, libcomposite and FunctionFS, and loads what is missing. */
#include "configfs/kernel.h"
#include "core/base/paths.h"

#include "configfs/attr.h"
#include "core/base/log.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIGFS_MAGIC 0x62656570 /* f_type of statfs(2); linux/magic.h does not have it */
#define MODPROBE       "/sbin/modprobe"

extern char **environ;

bool kernel_has_filesystem(const struct gadget_options *options, const char *name)
{
	char path[PATH_MAX], line[128], *word;
	bool found = false;
	FILE *file;

	if (path_format(path, "%s/filesystems", options->proc) < 0)
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	/* "nodev\tNAME", or "\tNAME" for a file system on a block device. */
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		word = strrchr(line, '\t');
		found = word && strcmp(word + 1, name) == 0;
	}
	fclose(file);
	return found;
}

/* Returns true if a line of modules.dep or modules.builtin starts with the path of the module. */
static bool names_module(const char *line, const char *name)
{
	const char *end = line + strcspn(line, ":\n"), *at = end;
	size_t len = strlen(name);

	while (at > line && at[-1] != '/')
		at--;
	return strncmp(at, name, len) == 0 && strncmp(at + len, ".ko", 3) == 0;
}

static bool list_names_module(const char *path, const char *name)
{
	char *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	while (!found && getline(&line, &size, file) > 0)
		found = names_module(line, name);
	free(line);
	fclose(file);
	return found;
}

bool kernel_has_module(const struct gadget_options *options, const char *name)
{
	char path[PATH_MAX];
	struct utsname uts;

	if (uname(&uts) < 0)
		return false;
	if (path_format(path, "%s/%s/modules.dep", options->modules, uts.release) == 0 &&
		list_names_module(path, name))
		return true;
	return path_format(path, "%s/%s/modules.builtin", options->modules, uts.release) == 0 &&
	       list_names_module(path, name);
}

bool kernel_has_module_list(const struct gadget_options *options)
{
	char path[PATH_MAX];
	struct utsname uts;

	return uname(&uts) == 0 &&
	       path_format(path, "%s/%s/modules.dep", options->modules, uts.release) == 0 &&
	       access(path, R_OK) == 0;
}

bool kernel_configfs_mounted(const struct gadget_options *options)
{
	struct statfs fs;

	return statfs(options->configfs, &fs) == 0 && fs.f_type == CONFIGFS_MAGIC;
}

bool kernel_has_gadgets(const struct gadget_options *options)
{
	char path[PATH_MAX];
	struct stat st;

	return path_format(path, "%s/usb_gadget", options->configfs) == 0 && stat(path, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* Returns no error: the module may be built in, or modprobe may be missing. The caller checks
 * whether the module is present. */
static void load_module(const struct gadget_options *options, const char *name)
{
	char *argv[] = {(char *)MODPROBE, (char *)"-q", (char *)name, NULL};
	posix_spawnattr_t attr;
	int status = 0, err;
	sigset_t none;
	pid_t pid;

	if (!options->may_load)
		return;
	sigemptyset(&none);
	if (posix_spawnattr_init(&attr) != 0)
		return;
	/* The daemon blocks the signals that it reads from a signalfd. */
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn(&pid, MODPROBE, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (err) {
		log_debug("%s: %s", MODPROBE, strerror(err));
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	log_debug("%s %s: status %d", MODPROBE, name, status);
}

static int mount_configfs(const struct gadget_options *options)
{
	int err;

	if (kernel_configfs_mounted(options))
		return 0;
	load_module(options, "configfs");
	if (!options->may_load) {
		log_error("%s: configfs is not mounted here; mount it", options->configfs);
		return -ENOENT;
	}
	if (mount("configfs", options->configfs, "configfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    NULL) == 0) {
		log_info("%s: mounted configfs", options->configfs);
		return 0;
	}
	err = -errno;
	if (err == -EPERM || err == -EACCES)
		log_error("%s: cannot mount configfs: not permitted; run it as root",
			options->configfs);
	else if (!kernel_has_filesystem(options, "configfs"))
		log_error("%s: the kernel has no configfs; install module configfs "
			  "(CONFIG_CONFIGFS_FS)",
			options->configfs);
	else
		log_error("%s: cannot mount configfs: %s", options->configfs, strerror(-err));
	return err;
}

int kernel_prepare(const struct gadget_options *options)
{
	int err;

	if (!kernel_has_gadgets(options)) {
		err = mount_configfs(options);
		if (err < 0)
			return err;
		if (!kernel_has_gadgets(options))
			load_module(options, "libcomposite");
	}
	if (!kernel_has_gadgets(options)) {
		log_error("%s/usb_gadget: not in the kernel; install module libcomposite "
			  "(CONFIG_USB_CONFIGFS)",
			options->configfs);
		return -ENOENT;
	}
	/* No error if it is still missing: the kernel may register the file system only with the
	 * first function ffs. */
	if (!kernel_has_filesystem(options, "functionfs"))
		load_module(options, "usb_f_fs");
	return 0;
}
