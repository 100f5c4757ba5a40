/* SPDX-License-Identifier: Apache-2.0 */
/* Opens ep0 and writes the descriptors of the lane. */
#include "gadget/ep0.h"

#include "core/base/log.h"
#include "core/base/paths.h"
#include "gadget/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OPEN_TRIES    40 /* after a daemon is killed, its worker closes the files a little later */
#define OPEN_PAUSE_MS 50

static int write_all(int fd, const uint8_t *data, size_t len)
{
	ssize_t n = write(fd, data, len);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Kernels reject OS descriptors with a bcdVersion that they do not know. Without OS descriptors the
 * gadget works everywhere except on Windows. */
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

/* Returns the descriptor or a negative errno. */
static int open_in(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd, err = path_format(path, "%s/%s", dir, name);

	if (err)
		return err;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ep0_open_file(const char *dir, const char *name)
{
	int fd = open_in(dir, name);

	if (fd < 0)
		log_error("%s/%s: %s", dir, name, strerror(-fd));
	return fd;
}

/* *refused: ep0 was opened, but the descriptors were not accepted. -EBUSY: another program serves
 * the instance, or has just closed it and the kernel still unbinds it. */
static int try_open(const char *dir, bool *refused)
{
	int ep0 = open_in(dir, "ep0"), err;

	*refused = ep0 >= 0;
	if (ep0 < 0)
		return ep0;
	err = write_descriptors(ep0);
	if (err == 0)
		return ep0;
	close(ep0);
	return err == -ESRCH || err == -EAGAIN || err == -EIDRM ? -EBUSY : err;
}

int ep0_open(const char *dir)
{
	const struct timespec pause = {.tv_nsec = OPEN_PAUSE_MS * 1000000L};
	int ep0 = -EBUSY;
	bool refused;

	for (int i = 0; i < OPEN_TRIES && ep0 == -EBUSY; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		ep0 = try_open(dir, &refused);
	}
	if (ep0 < 0)
		log_error("%s/ep0: %s%s", dir, refused ? "descriptors refused: " : "",
			strerror(-ep0));
	return ep0;
}
