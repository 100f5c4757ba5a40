/* SPDX-License-Identifier: Apache-2.0 */
/* The operation INFO: the kernel's info of an object, with the lists it points to. */
#include "core/bpfd/bpf/fd_object.h"
#include "core/bpfd/rpc/bpf_call.h"
#include "core/bpfd/rpc/operation.h"
#include "core/messages/bpf_abi.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct info_reply {
	char data[BPF_ABI_INFO_MAX] __attribute__((aligned(8)));
	size_t size;
	unsigned int count; /* lists that the client asks for */
	struct {
		uint16_t offset; /* of the pointer, in data */
		uint32_t room;	 /* bytes */
		void *data;
	} lists[BPF_ABI_NESTED];
};

static int read_info(struct info_reply *info, struct bytes_in *in, char sent[BPF_ABI_INFO_MAX])
{
	const void *data = rpc_get_bytes(in, &info->size);

	if (info->size > BPF_ABI_INFO_MAX)
		return -E2BIG;
	if (info->size)
		memcpy(sent, data, info->size);
	info->count = bytes_get_u8(in);
	if (info->count > BPF_ABI_NESTED)
		return -EBADMSG;
	for (unsigned int i = 0; i < info->count; i++) {
		info->lists[i].offset = bytes_get_u16(in);
		info->lists[i].room = bytes_get_u32(in);
	}
	return bytes_get_end(in) ? 0 : -EBADMSG;
}

int rpc_get_info(int fd, void *info, size_t *size)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = (uint32_t)*size;
	attr.info.info = (uintptr_t)info;
	err = (int)rpc_sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr,
		offsetof(union bpf_attr, info.info) + sizeof(attr.info.info));
	if (!err && attr.info.info_len < *size)
		*size = attr.info.info_len;
	return err;
}

/* Returns the type of a link, which decides about its lists. */
static uint32_t link_type(int fd)
{
	char info[BPF_ABI_INFO_MAX] __attribute__((aligned(8))) = {0};
	size_t size = sizeof(info);

	return rpc_get_info(fd, info, &size) ? UINT32_MAX : bpf_abi_get32(info, size, 0);
}

static const struct bpf_abi_nested *find_nested(
	const struct bpf_abi_nested *nested, size_t count, uint16_t offset)
{
	for (; count; nested++, count--)
		if (nested->offset == offset)
			return nested;
	return NULL;
}

/* Makes the buffer of a list. Only the lists' sizes of the client's info reach the kernel, so they
 * must be those of the buffers. */
static int make_list(struct info_reply *info, unsigned int i, const struct bpf_abi_nested *nested,
	const char sent[BPF_ABI_INFO_MAX])
{
	uint16_t offset = info->lists[i].offset;
	uint32_t room = info->lists[i].room;

	for (unsigned int j = 0; j < i; j++)
		if (info->lists[j].offset == offset)
			return -EBADMSG;
	if (bpf_abi_nested_room(nested, sent, info->size) != room ||
		offset + sizeof(uint64_t) > info->size)
		return -EBADMSG;
	info->lists[i].data = calloc(1, (size_t)room + BPF_GUARD);
	if (!info->lists[i].data)
		return -ENOMEM;
	bpf_abi_set64(info->data, info->size, offset, (uintptr_t)info->lists[i].data);
	return 0;
}

static void copy32(struct info_reply *info, const char sent[BPF_ABI_INFO_MAX], size_t offset)
{
	bpf_abi_set32(info->data, info->size, offset, bpf_abi_get32(sent, info->size, offset));
}

static int make_lists(struct info_reply *info, const struct bpf_abi_nested *nested, size_t count,
	const char sent[BPF_ABI_INFO_MAX])
{
	uint64_t room = 0;
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		copy32(info, sent, nested[i].count);
		if (!nested[i].unit)
			copy32(info, sent, nested[i].unit_field);
	}
	for (unsigned int i = 0; i < info->count && !err; i++) {
		const struct bpf_abi_nested *list =
			find_nested(nested, count, info->lists[i].offset);

		room += info->lists[i].room;
		if (!list)
			err = -EBADMSG;
		else
			err = room > RPC_INFO_MAX ? -E2BIG : make_list(info, i, list, sent);
	}
	return err;
}

static void put_info(struct bytes_out *out, struct info_reply *info, size_t size)
{
	for (unsigned int i = 0; i < info->count; i++)
		bpf_abi_set64(info->data, info->size, info->lists[i].offset, 0);
	bytes_put_u32(out, 0);
	rpc_put_bytes(out, info->data, size);
	for (unsigned int i = 0; i < info->count; i++)
		rpc_put_bytes(out, info->lists[i].data, info->lists[i].room);
}

/* Opens a link that its handle does not hold, see release_link(). */
static int open_link(const struct handle *handle)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_id = fd_object_id(handle->object);
	return (int)rpc_sys_bpf(BPF_LINK_GET_FD_BY_ID, &attr, sizeof(attr));
}

static int get_info(struct rpc *rpc, struct info_reply *info, const struct handle *handle,
	const char sent[BPF_ABI_INFO_MAX])
{
	unsigned int class = handle_abi_classes(handle);
	const struct bpf_abi_nested *nested;
	size_t count, size = info->size;
	int err, fd;

	if (!(class & (BPF_ABI_MAP | BPF_ABI_PROG | BPF_ABI_BTF | BPF_ABI_LINK)))
		return -EINVAL;
	fd = class == BPF_ABI_LINK && handle->fd < 0 ? open_link(handle) : handle->fd;
	if (fd < 0)
		return fd;
	nested = bpf_abi_nested(class, class == BPF_ABI_LINK ? link_type(fd) : 0, &count);
	err = make_lists(info, nested, count, sent);
	if (!err)
		err = rpc_get_info(fd, info->data, &size);
	if (fd != handle->fd)
		close(fd);
	if (!err)
		put_info(&rpc->out, info, size);
	return err;
}

int rpc_info(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in);
	const struct handle *handle = handle_any(rpc->bpfd->handles, number);
	char sent[BPF_ABI_INFO_MAX];
	struct info_reply info = {.size = 0};
	int err;

	err = read_info(&info, in, sent);
	if (!err)
		err = handle ? get_info(rpc, &info, handle, sent) : -EBADF;
	for (unsigned int i = 0; i < info.count && i < BPF_ABI_NESTED; i++)
		free(info.lists[i].data);
	return err;
}
