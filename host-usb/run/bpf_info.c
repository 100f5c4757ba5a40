/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_OBJ_GET_INFO_BY_FD: what the kernel tells of an object has pointers in it that it follows. */
#include "host-usb/run/bpf_info.h"

#include "core/bpf_abi.h"
#include "host-usb/run/client.h"
#include "host-usb/run/memory.h"
#include "host-usb/run/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#define NESTED_MAX (16U << 20) /* of all that is behind the pointers */

struct info {
	const struct call *call;
	struct object *object;
	uint64_t user; /* where it is in the tool */
	size_t size;
	char data[BPF_ABI_INFO_MAX];
	const struct bpf_abi_nested *nested[BPF_ABI_NESTED]; /* the pointers that are set */
	uint64_t pointer[BPF_ABI_NESTED], room[BPF_ABI_NESTED];
	uint8_t count;
};

static void take_nested(struct info *info, const struct bpf_abi_nested *nested)
{
	uint64_t pointer = bpf_abi_get64(info->data, info->size, nested->offset);
	uint64_t unit = nested->unit ? nested->unit
				     : bpf_abi_get32(info->data, info->size, nested->unit_field);
	uint64_t room = bpf_abi_get32(info->data, info->size, nested->count) * unit;

	if (nested->offset + sizeof(pointer) > info->size)
		return;
	memset(info->data + nested->offset, 0, sizeof(pointer));
	if (!pointer || !room || room > NESTED_MAX)
		return;
	info->nested[info->count] = nested;
	info->pointer[info->count] = pointer;
	info->room[info->count++] = room;
}

static int64_t ask(struct info *info, struct rpc_in *reply)
{
	struct client *client = info->call->run->client;
	struct rpc_out *out = client_begin(client, RPC_INFO);

	rpc_put_u32(out, info->object->handle);
	rpc_put_bytes(out, info->data, info->size);
	rpc_put_u8(out, info->count);
	for (size_t i = 0; i < info->count; i++) {
		rpc_put_u16(out, info->nested[i]->offset);
		rpc_put_u32(out, (uint32_t)info->room[i]);
	}
	client_note(client, "%u", info->object->handle);
	return client_call(client, reply);
}

/* Which pointers a link has depends on its type, which the board knows. */
static int64_t learn_link_type(struct object *object, const struct call *call)
{
	struct info info = {.call = call, .object = object, .size = sizeof(struct bpf_link_info)};
	struct rpc_in reply;
	const void *data;
	int64_t ret;
	size_t size;

	if (object->class != BPF_ABI_LINK || object->link_type)
		return 0;
	ret = ask(&info, &reply);
	if (ret < 0)
		return ret;
	data = rpc_get_bytes(&reply, &size);
	object->link_type = data ? bpf_abi_get32(data, size, 0) : 0;
	return 0;
}

/* The tool's own pointers go back into it. */
static int unpack(struct info *info, struct rpc_in *reply, uint64_t user_attr)
{
	size_t size;
	const void *data = rpc_get_bytes(reply, &size);
	uint32_t length = (uint32_t)size;
	pid_t tid = info->call->tid;
	int err;

	if (!data || size > info->size)
		return -EIO;
	memcpy(info->data, data, size);
	for (size_t i = 0; i < info->count; i++)
		if (info->nested[i]->offset + sizeof(uint64_t) <= size)
			memcpy(info->data + info->nested[i]->offset, &info->pointer[i],
				sizeof(uint64_t));
	err = memory_write(tid, info->user, info->data, size);
	if (!err)
		err = memory_write(tid, user_attr + offsetof(union bpf_attr, info.info_len),
			&length, sizeof(length));
	for (size_t i = 0; !err && i < info->count; i++) {
		data = rpc_get_bytes(reply, &size);
		if (!data || size > info->room[i])
			return -EIO;
		err = memory_write(tid, info->pointer[i], data, size);
	}
	return err;
}

int64_t bpf_info(const struct call *call, const void *attr, size_t attr_size)
{
	struct info info = {.call = call};
	const struct bpf_abi_nested *nested;
	struct rpc_in reply;
	size_t count;
	int64_t ret;

	info.object = object_of(call,
		(int)bpf_abi_get32(attr, attr_size, offsetof(union bpf_attr, info.bpf_fd)),
		BPF_ABI_MAP | BPF_ABI_PROG | BPF_ABI_BTF | BPF_ABI_LINK);
	if (!info.object)
		return -EBADF;
	info.user = bpf_abi_get64(attr, attr_size, offsetof(union bpf_attr, info.info));
	info.size = bpf_abi_get32(attr, attr_size, offsetof(union bpf_attr, info.info_len));
	if (info.size > sizeof(info.data))
		return -E2BIG;
	ret = memory_read(call->tid, info.user, info.data, info.size);
	if (!ret)
		ret = learn_link_type(info.object, call);
	if (ret)
		return ret;
	nested = bpf_abi_nested(info.object->class, info.object->link_type, &count);
	for (size_t i = 0; i < count; i++)
		take_nested(&info, &nested[i]);
	ret = ask(&info, &reply);
	return ret < 0 ? ret : unpack(&info, &reply, call->args[1]);
}
