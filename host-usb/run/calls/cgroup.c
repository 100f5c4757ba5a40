/* SPDX-License-Identifier: Apache-2.0 */
/* name_to_handle_at(2): tools get the ids of control groups from it. */
#include "core/messages/file_tree.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/refused.h"
#include "host-usb/run/files/path.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define CGROUPS	 "/sys/fs/cgroup"
#define TYPE	 0xfe /* FILEID_KERNFS of the kernel */
#define NO_MOUNT 0    /* the id of no mount: the board's mounts have none here */

/* struct file_handle with the id of a control group. */
struct handle {
	uint32_t size; /* bytes of the id */
	int32_t type;
	uint64_t id;
};

/* True if the inode number of a control group is its id: on 64-bit kernels from 5.5 on. */
static bool has_ids(const struct rpc_hello *board)
{
	int major = 0, minor = 0;

	if (board->word_bits != 64 || sscanf(board->release, "%d.%d", &major, &minor) != 2)
		return false;
	return major > 5 || (major == 5 && minor >= 5);
}

static int64_t answer(const struct call *call, const char *path, bool follow)
{
	const int32_t mount = NO_MOUNT;
	uint32_t size;
	struct rpc_stat st;
	struct handle handle = {.size = sizeof(handle.id), .type = TYPE};
	int err = memory_read(call, call->args[2], &size, sizeof(size));

	if (err)
		return err;
	err = remote_stat(call->run->remote, path, follow, &st);
	if (err)
		return err;
	if (size < sizeof(handle.id)) { /* the tool asks for the size */
		err = memory_write(call, call->args[2], &handle.size, sizeof(handle.size));
		return err ? err : -EOVERFLOW;
	}
	handle.id = st.ino;
	err = memory_write(call, call->args[2], &handle, sizeof(handle));
	return err ? err : memory_write(call, call->args[3], &mount, sizeof(mount));
}

/* name_to_handle_at(dirfd, path, handle, mount, flags) */
int64_t sys_name_to_handle_at(const struct call *call)
{
	uint64_t flags = (uint32_t)call->args[4];
	char path[PATH_MAX];
	int ours = path_resolve_file(call, (int)call->args[0], call->args[1], path);

	if (ours <= 0)
		return ours ? ours : CALL_CONTINUE;
	if (!file_tree_below(path, CGROUPS) || !has_ids(&call->run->board) ||
		flags & ~(uint64_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return refused(call, path);
	return answer(call, path, flags & AT_SYMLINK_FOLLOW);
}
