/* SPDX-License-Identifier: Apache-2.0 */
/* Opens programs and libraries of this workstation, and nothing else. */
#include "host-usb/run/files/local.h"

#include "host-usb/run/files/real_path.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int local_open_regular(int place)
{
	struct stat st;
	char own[64];
	int fd;

	if (fstat(place, &st) == 0 && S_ISREG(st.st_mode)) {
		snprintf(own, sizeof(own), "/proc/self/fd/%d", place);
		fd = open(own, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* it may have a lease */
		fd = fd < 0 ? -errno : fd;
	} else {
		fd = -EACCES;
	}
	close(place);
	return fd;
}

/* Returns true for names in the directories where distributions install programs and libraries.
 * Elsewhere even a look at a name can have an effect, such as a mount. */
static bool is_of_system(const char *path)
{
	static const char *const directories[] = {"/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/",
		"/lib64/", "/libx32/", "/opt/", "/nix/store/", "/gnu/store/"};

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (strncmp(path, directories[i], strlen(directories[i])) == 0)
			return true;
	return false;
}

static bool is_elf(int fd)
{
	char start[SELFMAG];

	return pread(fd, start, sizeof(start), 0) == SELFMAG && memcmp(start, ELFMAG, SELFMAG) == 0;
}

int local_open_program(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	char real[PATH_MAX];
	int fd;

	if (!is_of_system(path) || strstr(path, "/../"))
		return -ENOENT;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (fd < 0)
		return -ENOENT;
	/* Links may lead elsewhere. */
	if (real_path_of(fd, real) || !is_of_system(real)) {
		close(fd);
		return -ENOENT;
	}
	fd = local_open_regular(fd);
	if (fd >= 0 && is_elf(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	return -ENOENT;
}
