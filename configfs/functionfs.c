/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and unmounts FunctionFS instances, also those of a killed daemon. */
#include "configfs/functionfs.h"
#include "core/base/paths.h"
#include "core/link/link.h"

#include "configfs/attr.h"
#include "configfs/gadget_tree.h"
#include "core/base/log.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOUNTS_MAX	 64 /* leftovers of one call */
#define UNMOUNT_TRIES	 20 /* a killed process closes its files a little later */
#define OTHER_TRIES	 3  /* after an error other than EBUSY */
#define UNMOUNT_PAUSE_MS 50

int functionfs_mount(const char *instance, const char *dir)
{
	int err;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		err = -errno;
		log_error("%s: cannot make the directory: %s", dir, strerror(-err));
		return err;
	}
	/* Never use no_disconnect: with it the kernel deadlocks when ep0 is opened again. */
	if (mount(instance, dir, "functionfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	err = -errno;
	log_error("%s: cannot mount FunctionFS instance %s: %s", dir, instance, strerror(-err));
	rmdir(dir);
	return err;
}

/* Calls umount2(2) until it succeeds or the tries are used up. */
static int unmount(const char *dir)
{
	const struct timespec pause = {.tv_nsec = UNMOUNT_PAUSE_MS * 1000000L};
	int err = 0;

	for (int i = 1; umount2(dir, UMOUNT_NOFOLLOW) < 0; i++) {
		err = -errno;
		if (err == -EINVAL || err == -ENOENT) /* it is no mount point */
			return 0;
		if (i >= (err == -EBUSY ? UNMOUNT_TRIES : OTHER_TRIES))
			return err;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int functionfs_unmount(const char *dir)
{
	int err = unmount(dir);

	if (err == -EBUSY) {
		log_error(
			"%s: a process has its files open; stop the daemon and its processes", dir);
		return err;
	}
	if (err < 0) {
		log_error("%s: cannot unmount: %s", dir, strerror(-err));
		return err;
	}
	for (int i = 0; i < OTHER_TRIES; i++) {
		if (rmdir(dir) == 0 || errno == ENOENT)
			return 0;
		err = -errno;
	}
	log_error("%s: cannot remove the directory: %s", dir, strerror(-err));
	return err;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static bool is_ours(
	const struct gadget_options *options, const char *gadget, const struct mntent *mount)
{
	char path[PATH_MAX];
	struct stat st;
	int err;

	if (strcmp(mount->mnt_type, "functionfs") != 0)
		return false;
	if (is_below(mount->mnt_dir, options->ffs_dir))
		return true;
	err = path_format(path, "%s/usb_gadget/%s/functions/ffs.%s", options->configfs, gadget,
		mount->mnt_fsname);
	return err == 0 && attr_is_name(mount->mnt_fsname) &&
	       gadget_tree_is_lane(strrchr(path, '/') + 1, options->name) && stat(path, &st) == 0;
}

/* Returns the number of mounts found, or a negative errno. The caller frees dirs[]. */
static int find_leftovers(
	const struct gadget_options *options, const char *gadget, char *dirs[MOUNTS_MAX])
{
	char path[PATH_MAX], text[2 * PATH_MAX];
	struct mntent mount;
	int count = 0;
	FILE *file;

	if (path_format(path, "%s/self/mounts", options->proc) < 0)
		return -ENAMETOOLONG;
	file = setmntent(path, "re");
	if (!file) {
		int err = -errno;

		log_error("%s: %s", path, strerror(-err));
		return err;
	}
	while (count < MOUNTS_MAX && getmntent_r(file, &mount, text, sizeof(text))) {
		if (!is_ours(options, gadget, &mount))
			continue;
		dirs[count] = strdup(mount.mnt_dir);
		if (!dirs[count])
			break;
		count++;
	}
	endmntent(file);
	return count;
}

int functionfs_unmount_leftovers(const struct gadget_options *options, const char *gadget)
{
	char *dirs[MOUNTS_MAX], path[PATH_MAX];
	int count = find_leftovers(options, gadget, dirs), err = count < 0 ? count : 0;

	while (count > 0) {
		char *dir = dirs[--count];

		if (err == 0) {
			log_info("%s: unmounting what a killed daemon left", dir);
			err = functionfs_unmount(dir);
		}
		free(dir);
	}
	/* Directories of a daemon that was killed before it mounted the instance. */
	for (unsigned int i = 0; err == 0 && i < LANES_MAX; i++) {
		if (path_format(path, "%s/%s%u", options->ffs_dir, options->name, i) == 0)
			rmdir(path);
	}
	return err;
}
