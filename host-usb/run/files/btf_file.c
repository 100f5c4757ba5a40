/* SPDX-License-Identifier: Apache-2.0 */
/* Checks the board's files of BTF. */
#include "host-usb/run/files/btf_file.h"

#include "core/base/log.h"
#include "host-usb/run/files/btf.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns the contents of the file, to be unmapped, or NULL: it is empty or cannot be mapped. */
static void *map_file(int fd, size_t *size)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return NULL;
	*size = (size_t)st.st_size;
	data = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	return data == MAP_FAILED ? NULL : data;
}

/* Reads a file. Returns 0 and *types; or -EIO, -EPROTO or -ENOMEM with *why. */
static int read_file(
	int fd, const struct btf_types *base, struct btf_types **types, const char **why)
{
	size_t size = 0;
	void *data = map_file(fd, &size);
	int err;

	*why = "it is empty";
	if (!data)
		return -EIO;
	err = btf_read(types, data, size, base, why);
	munmap(data, size);
	return err;
}

/* A tool that has read one BTF of the kernel must not get another one: ids of modules continue its
 * ids. */
static int check_kernel(struct btf_files *files, int fd, const char **why)
{
	size_t size = 0;
	void *data;
	bool is_same;

	if (!files->kernel)
		return read_file(fd, NULL, &files->kernel, why);
	data = map_file(fd, &size);
	is_same = data && btf_is(files->kernel, data, size);
	if (data)
		munmap(data, size);
	*why = "it has changed during the session";
	return is_same ? 0 : -EIO;
}

static int check_module(struct btf_files *files, int fd, const char **why)
{
	struct btf_types *types = NULL;
	int err = 0, kernel;

	if (!files->kernel) {
		kernel = files->open_kernel(files->arg);
		/* Fetching it has checked it; a copy from an earlier run was not checked yet. */
		if (kernel >= 0 && !files->kernel)
			err = read_file(kernel, NULL, &files->kernel, why);
		if (kernel >= 0)
			close(kernel);
	}
	if (!err && !files->kernel) {
		*why = "that of the kernel cannot be read";
		err = -EIO;
	}
	if (!err)
		err = read_file(fd, files->kernel, &types, why);
	btf_free(types);
	return err;
}

int btf_file_check(struct btf_files *files, const char *path, int fd)
{
	const char *why = NULL;
	int err;

	if (strncmp(path, BTF_FILE_DIRECTORY, strlen(BTF_FILE_DIRECTORY)) != 0)
		return 0;
	if (strcmp(path, BTF_FILE_KERNEL) == 0)
		err = check_kernel(files, fd, &why);
	else
		err = check_module(files, fd, &why);
	if (err == -EIO || err == -EPROTO)
		log_error("%s: the board's types are malformed: %s", path, why);
	return err == -EPROTO ? -EIO : err;
}
