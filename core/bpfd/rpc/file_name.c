/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that remove, make and change names in bpffs. */
#include "core/bpfd/files/tree.h"
#include "core/bpfd/rpc/operation.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Opens the directory of a path, or refuses, like tree_open_bpffs(). */
static int open_parent(const struct rpc *rpc, const char *path, const char **name)
{
	const struct bpfd_config *config = &rpc->bpfd->config;

	return config->bpffs_fixed ? -EPERM : tree_open_bpffs(&config->paths, path, name);
}

/* Writes the reply. Takes over the result of a system call and its errno. */
static int finish(struct rpc *rpc, long ret)
{
	if (ret < 0)
		return -errno;
	bytes_put_u32(&rpc->out, 0);
	return 0;
}

int rpc_file_remove(struct rpc *rpc, struct bytes_in *in)
{
	char path[PATH_MAX];
	const char *name;
	uint32_t flags;
	int fd, err;

	rpc_get_string(in, path, sizeof(path));
	flags = bytes_get_u32(in);
	if (!bytes_get_end(in))
		return -EBADMSG;
	if (flags & ~(uint32_t)RPC_RMDIR)
		return -EINVAL;
	fd = open_parent(rpc, path, &name);
	if (fd < 0)
		return fd;
	err = finish(rpc, unlinkat(fd, name, flags & RPC_RMDIR ? AT_REMOVEDIR : 0));
	close(fd);
	return err;
}

int rpc_file_mkdir(struct rpc *rpc, struct bytes_in *in)
{
	char path[PATH_MAX];
	const char *name;
	uint32_t mode;
	int fd, err;

	rpc_get_string(in, path, sizeof(path));
	mode = bytes_get_u32(in);
	if (!bytes_get_end(in))
		return -EBADMSG;
	if (mode & ~(uint32_t)07777)
		return -EINVAL;
	fd = open_parent(rpc, path, &name);
	if (fd < 0)
		return fd;
	err = finish(rpc, mkdirat(fd, name, (mode_t)mode));
	close(fd);
	return err;
}

/* The C library of an old system lacks renameat2(). */
int rpc_file_rename(struct rpc *rpc, struct bytes_in *in)
{
	char from[PATH_MAX], to[PATH_MAX];
	const char *name, *new_name;
	int source, target, err;
	uint32_t flags;

	rpc_get_string(in, from, sizeof(from));
	rpc_get_string(in, to, sizeof(to));
	flags = bytes_get_u32(in);
	if (!bytes_get_end(in))
		return -EBADMSG;
	source = open_parent(rpc, from, &name);
	if (source < 0)
		return source;
	target = open_parent(rpc, to, &new_name);
	if (target < 0) {
		close(source);
		return target;
	}
	err = finish(rpc, syscall(__NR_renameat2, source, name, target, new_name, flags));
	close(target);
	close(source);
	return err;
}
