/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps two daemons from using the same mounts and gadgets. */
#include "configfs/lock.h"

#include "configfs/attr.h"
#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES    20 /* a killed daemon releases it a little later */
#define LOCK_PAUSE_MS 50

/* Opens and locks ffs_dir. Returns the descriptor, -EAGAIN if the previous holder of the lock has
 * removed the directory meanwhile, or another negative errno. */
static int lock_once(const char *dir)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	struct stat ours, now;
	int fd, err = -EBUSY;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	for (int i = 0; err == -EBUSY && i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			err = 0;
		else if (errno != EWOULDBLOCK)
			err = -errno;
		else
			nanosleep(&pause, NULL);
	}
	if (err == 0 && (fstat(fd, &ours) < 0 || stat(dir, &now) < 0 || ours.st_dev != now.st_dev ||
				ours.st_ino != now.st_ino))
		err = -EAGAIN;
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

int lock_take(const struct gadget_options *options)
{
	int fd = -EAGAIN;

	for (int i = 0; fd == -EAGAIN && i < LOCK_TRIES; i++)
		fd = lock_once(options->ffs_dir);
	if (fd == -EBUSY)
		log_error("%s: another bpfd-gadget is running", options->ffs_dir);
	else if (fd < 0)
		log_error("%s: cannot make and lock: %s%s", options->ffs_dir, strerror(-fd),
			attr_hint(fd));
	return fd;
}

void lock_release(const struct gadget_options *options, int fd)
{
	rmdir(options->ffs_dir);
	close(fd);
}
