/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2): forwards calls to the board, or answers them from data read ahead. */
#include "core/base/log.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/calls/bpf_info.h"
#include "host-usb/run/calls/bpf_pack.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/calls/process.h"
#include "host-usb/run/calls/reply_check.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/remote.h"
#include "host-usb/run/objects/btf_list.h"
#include "host-usb/run/objects/key_walk.h"
#include "host-usb/run/objects/mirror.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/read_ahead.h"
#include "host-usb/run/objects/stacks.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

/* Reads the attributes. As in the kernel, bytes after the known attributes must be 0. */
static int read_attr(struct bpf_request *b, uint64_t user, uint64_t size)
{
	char rest[BPF_ATTR_MAX];
	int err;

	if (size > BPF_ATTR_MAX)
		return -E2BIG;
	b->user_attr = user;
	b->size = size < sizeof(b->attr) ? size : sizeof(b->attr);
	err = memory_read(b->call, user, b->attr, b->size);
	if (err || size <= b->size)
		return err;
	err = memory_read(b->call, user + b->size, rest, size - b->size);
	for (size_t i = 0; !err && i < size - b->size; i++)
		if (rest[i])
			err = -E2BIG;
	return err;
}

/* True if the kernel writes to the buffer of this pointer when the call returns `ret`. Most calls
 * write nothing when they fail. The tool's buffer then keeps its contents, whatever the board sends
 * for it. */
static bool is_written(const struct bpf_request *b, const struct bpf_abi_ptr *ptr, int64_t ret)
{
	if (ret >= 0 || bpf_abi_is_log(b->command, ptr))
		return true;
	switch (b->command->number) {
	case BPF_MAP_LOOKUP_BATCH:
	case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
		/* ENOENT: the end of the map. ENOSPC: a bucket does not fit. */
		return ret == -ENOENT || ret == -ENOSPC;
	case BPF_PROG_TEST_RUN:
	case BPF_TASK_FD_QUERY:
		return ret == -ENOSPC; /* the kernel copies what fits */
	default:
		return false;
	}
}

/* Copies the kernel's output from the reply into the tool's memory. */
static int unpack(struct bpf_request *b, struct bytes_in *reply, int64_t ret)
{
	const struct bpf_abi_ptr *ptr = b->command->ptrs;
	size_t size, attr_size;
	const char *attr = rpc_get_bytes(reply, &attr_size);
	int err = 0;

	if (!attr || attr_size != b->size || !reply_attr_is_possible(b, attr, ret))
		return -EIO;
	for (const struct bpf_abi_out *out = b->command->outs; !err && out->size; out++)
		if (out->offset + out->size <= b->size)
			err = memory_write(
				b->call, b->user_attr + out->offset, attr + out->offset, out->size);
	for (size_t i = 0; !err && ptr[i].size; i++) {
		const void *data;

		if (bpf_abi_direction(b->command, &ptr[i], b->map ? b->map->map_type : 0) !=
			BPF_ABI_OUT)
			continue;
		data = rpc_get_bytes(reply, &size);
		if (!reply_data_is_possible(b, i, data, size, ret))
			return -EIO;
		if (!is_written(b, &ptr[i], ret))
			continue;
		err = memory_write(
			b->call, bpf_abi_get64(b->attr, b->size, ptr[i].offset), data, size);
	}
	return err;
}

/* True if a new map has the type and sizes that the tool requested. They decide how much later
 * calls write into the tool's memory, so the board must not choose them. */
static bool is_map_asked_for(const struct bpf_request *b, const struct object *map)
{
	union bpf_attr attr = {.map_type = 0};
	struct bpf_map_info asked = {.type = 0};

	if (b->command->number != BPF_MAP_CREATE)
		return true;
	memcpy(&attr, b->attr, b->size < sizeof(attr) ? b->size : sizeof(attr));
	asked.type = attr.map_type;
	asked.key_size = attr.key_size;
	asked.value_size = attr.value_size;
	asked.max_entries = attr.max_entries;
	return object_is_map_of(map, &asked);
}

/* Makes an object for the new handle and gives its descriptor to the tool. */
static int64_t give(struct bpf_request *b, uint32_t handle, struct bytes_in *reply)
{
	uint32_t class = bytes_get_u32(reply);
	struct object map = {.run = b->call->run, .class = class}, *object;
	int err;

	if (class == BPF_ABI_MAP) {
		map.map_type = bytes_get_u32(reply);
		map.key_size = bytes_get_u32(reply);
		map.value_size = bytes_get_u32(reply);
		map.max_entries = bytes_get_u32(reply);
		map.map_flags = bytes_get_u32(reply);
	}
	if (reply->failed || !(class & b->command->returns) || class & (class - 1) ||
		(class == BPF_ABI_MAP && !is_map_asked_for(b, &map))) {
		client_close_handle(b->call->run->client, handle);
		return -EIO;
	}
	err = object_new(&object, b->call->run->objects, class, handle);
	if (err)
		return err;
	object->map_type = map.map_type;
	object->key_size = map.key_size;
	object->value_size = map.value_size;
	object->max_entries = map.max_entries;
	object->map_flags = map.map_flags;
	if (class & (BPF_ABI_EVENT | BPF_ABI_LINK))
		mirrors_sync_at_end(object);
	return object_give(object, b->call, true);
}

static void note(struct bpf_request *b)
{
	struct client *client = b->call->run->client;
	union bpf_attr attr = {.map_type = 0};

	memcpy(&attr, b->attr, b->size < sizeof(attr) ? b->size : sizeof(attr));
	switch (b->command->number) {
	case BPF_MAP_CREATE:
		client_note(client, "MAP_CREATE %.16s type %u, key %u, value %u, %u entries",
			attr.map_name, attr.map_type, attr.key_size, attr.value_size,
			attr.max_entries);
		break;
	case BPF_PROG_LOAD:
		client_note(client, "PROG_LOAD %.16s type %u, %u instructions", attr.prog_name,
			attr.prog_type, attr.insn_cnt);
		break;
	case BPF_LINK_CREATE:
		client_note(client, "LINK_CREATE type %u", attr.link_create.attach_type);
		break;
	default:
		client_note(client, "%s %u", b->command->name, b->map ? b->map->handle : 0);
	}
}

/* Gets board handles for the BTF objects that the call names. This sends requests of its own, so it
 * runs before client_begin(). */
static int need_handles(const struct bpf_request *b)
{
	int err = 0;

	for (const struct bpf_abi_fd *fd = b->command->fds; !err && fd->classes; fd++) {
		uint32_t number = bpf_abi_get32(b->attr, b->size, fd->offset);
		struct object *btf = NULL;

		if (fd->classes & BPF_ABI_BTF && number)
			btf = object_of(b->call, (int)number, BPF_ABI_BTF);
		if (btf)
			err = btf_list_need_handle(btf);
	}
	return err;
}

static int64_t forward(struct bpf_request *b)
{
	struct client *client = b->call->run->client;
	struct bytes_out *out = client_begin(client, RPC_BPF);
	struct bytes_in reply;
	int64_t ret;
	int err;

	note(b);
	err = bpf_pack(b, out);
	if (err) {
		client_cancel(client);
		return err;
	}
	ret = client_call(client, &reply);
	if (client_dead(client) || ret == -EBADMSG)
		return ret;
	err = unpack(b, &reply, ret);
	/* If the board refused the request before the call, the reply ends after `ret`. */
	if (err == -EIO && ret >= 0)
		log_error("%s: the board's answer is malformed", b->command->name);
	if (ret < 0 || b->command->returns == BPF_ABI_NUMBER)
		return ret < 0 ? ret : err ? err : ret > 0 ? -EIO : 0;
	if (err) {
		client_close_handle(client, (uint32_t)ret);
		return err;
	}
	return give(b, (uint32_t)ret, &reply);
}

/* Answers a request for the next key or for a value from entries that were read ahead. Returns
 * CALL_CONTINUE if only the board can answer. */
static int64_t answer_ahead(struct bpf_request *b)
{
	uint64_t key_at = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, key));
	uint64_t to = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, value));
	uint64_t flags = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, flags));
	const void *found;
	char *key = NULL;
	int64_t ret;

	if (!b->map || b->map->key_size > BPF_ATTR_MAX || flags)
		return CALL_CONTINUE;
	if (key_at) {
		key = malloc(b->map->key_size + 1);
		if (!key)
			return -ENOMEM;
		ret = memory_read(b->call, key_at, key, b->map->key_size);
		if (ret)
			goto out_free;
	}
	ret = CALL_CONTINUE;
	if (b->command->number == BPF_MAP_GET_NEXT_KEY) {
		ret = read_ahead_next(b->map, key, &found);
		if (ret == 0)
			ret = memory_write(b->call, to, found, b->map->key_size);
		else if (ret == -EOPNOTSUPP)
			ret = CALL_CONTINUE;
	} else if (key && stacks_none(b->map, key)) {
		ret = -ENOENT;
	} else if (key) {
		found = read_ahead_value(b->map, key);
		if (!found)
			found = stacks_value(b->map, key);
		if (found)
			ret = memory_write(b->call, to, found, b->map->value_size);
	}
out_free:
	free(key);
	return ret;
}

static int64_t next_key(struct bpf_request *b)
{
	bool from_start = !bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, key));
	int64_t ret = answer_ahead(b);

	return key_walk(b->map, from_start, ret == CALL_CONTINUE ? forward(b) : ret);
}

static int64_t next_btf(const struct bpf_request *b)
{
	uint32_t next, id = bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, start_id));
	int64_t ret = btf_list_next(b->call->run, id, &next);
	size_t offset = offsetof(union bpf_attr, next_id);

	if (ret == 0 && b->size >= offset + sizeof(next))
		ret = memory_write(b->call, b->user_attr + offset, &next, sizeof(next));
	return ret;
}

static int64_t open_btf(const struct bpf_request *b)
{
	uint32_t id = bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, btf_id));
	struct object *object;
	int64_t ret;

	if (bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, open_flags)))
		return CALL_CONTINUE;
	ret = btf_list_object(b->call->run, id, &object);
	return ret ? ret : object_give(object, b->call, true);
}

/* True for links to many functions at once. Tools fall back to one link for each function. */
static bool is_multi(const struct bpf_request *b)
{
	uint32_t type =
		bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, link_create.attach_type));

	return b->command->number == BPF_LINK_CREATE &&
	       (type == BPF_TRACE_KPROBE_MULTI || type == BPF_ABI_TRACE_UPROBE_MULTI);
}

/* True if the call asks about a descriptor of a process that is not the board's. */
static bool is_of_tool(const struct bpf_request *b)
{
	uint32_t pid = bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, task_fd_query.pid));

	return b->command->number == BPF_TASK_FD_QUERY && (int)pid > 0 &&
	       !process_of_board(b->call, (int)pid);
}

/* Returns 0 if the board can be asked, else a negative errno, and reports what is not supported. */
static int refuse(const struct bpf_request *b, uint32_t number)
{
	if (!b->command) {
		/* libbpf asks for a token each time, and does without it. */
		if (bpf_abi_name(number) && number != BPF_ABI_TOKEN_CREATE)
			run_unsupported(b->call, bpf_abi_name(number));
		return -EINVAL;
	}
	if (is_multi(b))
		return -EOPNOTSUPP;
	if (!bpf_abi_element_flags_known(b->command, b->attr, b->size)) {
		run_unsupported(
			b->call, "BPF_F_CPU, BPF_F_ALL_CPUS and other new flags of elements");
		return -EINVAL;
	}
	if (is_of_tool(b)) {
		run_unsupported(b->call, "TASK_FD_QUERY of a process on this workstation");
		return -EOPNOTSUPP;
	}
	return 0;
}

int64_t sys_bpf(const struct call *call)
{
	uint32_t number = (uint32_t)call->args[0];
	struct bpf_request b = {.call = call, .command = bpf_abi_find(number)};
	int64_t ret;
	int err;

	err = read_attr(&b, call->args[1], (uint32_t)call->args[2]);
	if (err)
		return err;
	if (number == BPF_OBJ_GET_INFO_BY_FD)
		return bpf_info(call, b.attr, b.size);
	err = refuse(&b, number);
	if (err)
		return err;
	if (b.command->map) {
		b.map = object_of(call,
			(int)bpf_abi_get32(b.attr, b.size, (size_t)b.command->map - 1),
			BPF_ABI_MAP);
		if (!b.map)
			return -EBADF;
	}
	switch (number) {
	case BPF_MAP_GET_NEXT_KEY:
		return next_key(&b);
	case BPF_MAP_LOOKUP_ELEM:
		ret = answer_ahead(&b);
		break;
	case BPF_BTF_GET_NEXT_ID:
		ret = next_btf(&b);
		break;
	case BPF_BTF_GET_FD_BY_ID:
		ret = open_btf(&b);
		break;
	default:
		if (b.map) {
			read_ahead_changed(b.map);
			stacks_changed(b.map);
		}
		ret = need_handles(&b);
		ret = ret ? ret : CALL_CONTINUE;
	}
	if (ret != CALL_CONTINUE)
		return ret;
	ret = forward(&b);
	if (number == BPF_OBJ_PIN && call->run->remote)
		remote_changed(call->run->remote);
	if (number == BPF_MAP_FREEZE && ret == 0) {
		struct object *map =
			object_of(call, (int)bpf_abi_get32(b.attr, b.size, 0), BPF_ABI_MAP);

		if (map)
			map->frozen = true;
	}
	return ret;
}
