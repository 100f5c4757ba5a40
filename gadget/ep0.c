/* SPDX-License-Identifier: Apache-2.0 */
/* Opens ep0 and tells the kernel what the lane looks like. */
#include "gadget/ep0.h"

#include "core/log.h"
#include "gadget/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUSY_TRIES    40 /* the worker of a daemon that was killed closes its files a little later */
#define BUSY_PAUSE_MS 50

static int write_all(int fd, const uint8_t *data, size_t len)
{
	ssize_t n = write(fd, data, len);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Without OS descriptors the gadget still works everywhere but on Windows. */
static int write_descriptors(int ep0)
{
	static const enum os_descriptors attempts[] = {OS_DESC_0100, OS_DESC_0001, OS_DESC_NONE};
	uint8_t buffer[DESCRIPTORS_MAX];
	int err = -EINVAL;

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]) && err == -EINVAL; i++)
		err = write_all(ep0, buffer, descriptors_build(buffer, attempts[i]));
	if (err < 0)
		return err;
	return write_all(ep0, buffer, descriptors_build_strings(buffer));
}

int ep0_open_file(const char *dir, const char *name)
{
	char path[4096];
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
		log_error("%s: %s", path, strerror(-fd));
	}
	return fd;
}

int ep0_open(const char *dir)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000000L};
	int ep0, err;

	for (int tries = 1;; tries++) {
		ep0 = ep0_open_file(dir, "ep0");
		if (ep0 < 0)
			return ep0;
		err = write_descriptors(ep0);
		if (err == 0)
			return ep0;
		close(ep0);
		/* ESRCH: another program has written them, and serves the instance. */
		if (err != -ESRCH || tries == BUSY_TRIES)
			break;
		nanosleep(&pause, NULL);
	}
	if (err == -ESRCH)
		err = -EBUSY;
	log_error("%s/ep0: descriptors refused: %s", dir, strerror(-err));
	return err;
}
