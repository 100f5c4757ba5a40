/* SPDX-License-Identifier: Apache-2.0 */
/* The operation BTF_LIST: all BTF of the kernel, in one reply. */
#include "core/bpfd/rpc/bpf_call.h"
#include "core/bpfd/rpc/operation.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NAME_ROOM 64   /* bytes of a module's name, with its NUL */
#define BTF_MAX	  4096 /* entries: the kernel, modules, programs with their own BTF */

static int by_id(uint32_t command, uint32_t id, uint32_t *next)
{
	union bpf_attr attr;
	int ret;

	memset(&attr, 0, sizeof(attr));
	attr.btf_id = id; /* start_id has the same offset */
	ret = (int)rpc_sys_bpf(
		command, &attr, offsetof(union bpf_attr, open_flags) + sizeof(attr.open_flags));
	*next = attr.next_id;
	return ret;
}

static int put_entry(int fd, uint32_t id, struct bytes_out *out)
{
	char name[NAME_ROOM] = "";
	struct bpf_btf_info info;
	size_t size = sizeof(info);
	int err;

	memset(&info, 0, sizeof(info));
	info.name = (uintptr_t)name;
	info.name_len = sizeof(name);
	err = rpc_get_info(fd, &info, &size);
	if (err)
		return err;
	bytes_put_u32(out, id);
	bytes_put_u32(out, info.btf_size);
	bytes_put_u8(out, info.kernel_btf != 0);
	rpc_put_string(out, name);
	return 0;
}

int rpc_btf_list(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t id = 0, count = 0, unused;
	int err = 0, fd;

	if (!bytes_get_end(in))
		return -EBADMSG;
	bytes_put_u32(&rpc->out, 0);
	while (!err) {
		err = by_id(BPF_BTF_GET_NEXT_ID, id, &id);
		if (err)
			break;
		if (++count > BTF_MAX)
			return -E2BIG;
		fd = by_id(BPF_BTF_GET_FD_BY_ID, id, &unused);
		if (fd == -ENOENT) /* freed meanwhile */
			continue;
		err = fd < 0 ? fd : put_entry(fd, id, &rpc->out);
		if (fd >= 0)
			close(fd);
	}
	return err == -ENOENT ? 0 : err;
}
