/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes attributes of configfs, sysfs and procfs. */
#include "configfs/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool attr_is_name(const char *text)
{
	return text[0] && !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
	       strlen(text) <= NAME_MAX;
}

int attr_read(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	value[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, value, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return (int)strlen(value);
}

int attr_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	/* An attribute's store function accepts the whole text or fails. */
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

const char *attr_hint(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return "; run it as root";
	case -EROFS:
		return "; the file system is mounted read-only, as in containers";
	default:
		return "";
	}
}
