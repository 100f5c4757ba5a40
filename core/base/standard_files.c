/* SPDX-License-Identifier: Apache-2.0 */
/* Fills closed descriptors below 3. */
#include "core/base/standard_files.h"

#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int standard_files_open(int flags)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number is fd. */
		if (open("/dev/null", (fd == STDERR_FILENO ? O_RDWR : O_RDONLY) | flags) < 0) {
			int err = -errno;

			log_error("/dev/null: %s", strerror(-err));
			return err;
		}
	}
	return 0;
}
