/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2): packs the call by the table of core/messages/bpf_abi.h, and unpacks what the board
 * answers. */
#include "core/base/log.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/calls/bpf_info.h"
#include "host-usb/run/calls/memory.h"
#include "host-usb/run/calls/notify.h"
#include "host-usb/run/client.h"
#include "host-usb/run/objects/btf_list.h"
#include "host-usb/run/objects/mirror.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/objects/read_ahead.h"
#include "host-usb/run/objects/stacks.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#define ATTR_MAX 4096 /* what the kernel looks at */

/* More than any tool asks for: the verifier's log of 16 MiB, and the largest program. */
#define BEHIND_MAX (24U << 20)

/* One call on its way. */
struct bpf_call {
	const struct call *call;
	const struct bpf_abi_command *command;
	uint64_t user_attr; /* where the attributes are in the tool */
	size_t size;
	char attr[BPF_ABI_ATTR_MAX];   /* as the tool has them */
	char packed[BPF_ABI_ATTR_MAX]; /* with handles, without pointers */
	struct object *map;	       /* that the call is about, or NULL */
	uint64_t room[BPF_ABI_PTRS];   /* of pointers that the kernel writes to */
};

static void set32(void *attr, size_t offset, uint32_t value)
{
	memcpy((char *)attr + offset, &value, sizeof(value));
}

/* As the kernel does: attributes longer than those known must end in zeroes. */
static int read_attr(struct bpf_call *b, uint64_t user, uint64_t size)
{
	char rest[ATTR_MAX];
	int err;

	if (size > ATTR_MAX)
		return -E2BIG;
	b->user_attr = user;
	b->size = size < sizeof(b->attr) ? size : sizeof(b->attr);
	err = memory_read(b->call->tid, user, b->attr, b->size);
	if (err || size <= b->size)
		return err;
	err = memory_read(b->call->tid, user + b->size, rest, size - b->size);
	for (size_t i = 0; !err && i < size - b->size; i++)
		if (rest[i])
			err = -E2BIG;
	return err;
}

static uint32_t handle_of(const struct call *call, int fd, unsigned int classes)
{
	const struct object *object = object_of(call, fd, classes);

	return object ? object->handle : RPC_NO_HANDLE;
}

/* Puts handles where the tool has descriptors. What is none stays one that the board does not know,
 * so that its kernel says what kernels say. */
static void pack_fds(struct bpf_call *b)
{
	for (const struct bpf_abi_fd *fd = b->command->fds; fd->classes; fd++) {
		uint32_t number = bpf_abi_get32(b->attr, b->size, fd->offset);

		if (fd->offset + sizeof(number) > b->size || (fd->optional && !number))
			continue;
		set32(b->packed, fd->offset, handle_of(b->call, (int)number, fd->classes));
	}
}

/* A descriptor in the value of a map. */
static int pack_value(struct bpf_call *b, char *value, uint64_t size)
{
	uint32_t offset, classes = bpf_abi_value_classes(b->map->map_type, &offset);
	int32_t number;

	if (!classes || size < offset + sizeof(number))
		return 0;
	memcpy(&number, value + offset, sizeof(number));
	if (classes == UINT32_MAX) {
		run_unsupported(b->call, "a map of sockets or control groups");
		return -EOPNOTSUPP;
	}
	if (offset && number <= 0)
		return 0;
	set32(value, offset, handle_of(b->call, number, classes));
	return 0;
}

/* Maps may be named by an index into a table of descriptors. */
static int map_by_index(struct bpf_call *b, struct bpf_insn *insn)
{
	uint64_t table = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, fd_array));
	int32_t fd;
	int err;

	if (!table || insn->imm < 0)
		return -EINVAL;
	err = memory_read(b->call->tid, table + (uint64_t)insn->imm * sizeof(fd), &fd, sizeof(fd));
	if (err)
		return err;
	insn->src_reg =
		insn->src_reg == BPF_PSEUDO_MAP_IDX ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
	insn->imm = fd;
	return 0;
}

/* An instruction that loads a map, of which the next one is the second half. */
static int pack_load(struct bpf_call *b, struct bpf_insn *insn)
{
	int err = 0;

	if (insn->src_reg == BPF_PSEUDO_MAP_IDX || insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE)
		err = map_by_index(b, insn);
	if (!err && (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE))
		insn->imm = (int32_t)handle_of(b->call, insn->imm, BPF_ABI_MAP);
	return err;
}

/* The instructions are not aligned. */
static int pack_program(struct bpf_call *b, char *at, size_t count)
{
	struct bpf_insn insn;
	int err;

	for (; count; count--, at += sizeof(insn)) {
		memcpy(&insn, at, sizeof(insn));
		if (insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == BPF_PSEUDO_KFUNC_CALL &&
			insn.off) {
			run_unsupported(b->call, "a function of a kernel module");
			return -EOPNOTSUPP;
		}
		if (insn.code != (BPF_LD | BPF_IMM | BPF_DW) || count == 1)
			continue;
		err = pack_load(b, &insn);
		if (err)
			return err;
		memcpy(at, &insn, sizeof(insn));
		at += sizeof(insn);
		count--;
	}
	return 0;
}

/* What the tool has behind a pointer, with handles in it. */
static int pack_content(
	struct bpf_call *b, const struct bpf_abi_ptr *ptr, struct bytes_out *out, uint64_t size)
{
	uint64_t from = bpf_abi_get64(b->attr, b->size, ptr->offset);
	char *content;
	int err;

	bytes_put_u32(out, (uint32_t)size);
	content = bytes_put_room(out, size);
	if (!content)
		return -ENOMEM;
	err = memory_read(b->call->tid, from, content, size);
	if (err)
		return err;
	if (b->command->number == BPF_PROG_LOAD && ptr->offset == offsetof(union bpf_attr, insns))
		return pack_program(b, content, size / sizeof(struct bpf_insn));
	if (ptr->size == BPF_ABI_VALUE)
		return pack_value(b, content, size);
	for (uint64_t i = 0; ptr->size == BPF_ABI_VALUES && i < size; i += b->map->value_size) {
		err = pack_value(b, content + i, b->map->value_size);
		if (err)
			return err;
	}
	return 0;
}

static int pack_string(struct bpf_call *b, const struct bpf_abi_ptr *ptr, struct bytes_out *out)
{
	uint64_t from = bpf_abi_get64(b->attr, b->size, ptr->offset);
	char text[BPF_ABI_STRING_MAX];
	ssize_t n = memory_read_string(b->call->tid, from, text, sizeof(text));

	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	rpc_put_bytes(out, text, (size_t)n);
	return 0;
}

/* Logs may have more room than the kernel ever fills. */
static bool is_log(const struct bpf_call *b, const struct bpf_abi_ptr *ptr)
{
	return ptr->direction == BPF_ABI_OUT &&
	       (b->command->number == BPF_PROG_LOAD || b->command->number == BPF_BTF_LOAD);
}

static int pack_ptr(
	struct bpf_call *b, const struct bpf_abi_ptr *ptr, struct bytes_out *out, uint64_t *room)
{
	bool present = bpf_abi_get64(b->attr, b->size, ptr->offset) != 0;
	uint64_t size = 0;

	if (present)
		size = bpf_abi_ptr_size(b->command, ptr, b->attr, b->size,
			b->map ? b->map->key_size : 0, b->map ? b->map->value_size : 0);
	if (size > BEHIND_MAX && !is_log(b, ptr))
		return -E2BIG;
	if (size > BEHIND_MAX)
		size = BEHIND_MAX;
	*room = present && ptr->direction == BPF_ABI_OUT ? size : 0;
	bytes_put_u8(out, present);
	bytes_put_u32(out, (uint32_t)*room);
	if (!present || ptr->direction == BPF_ABI_OUT)
		rpc_put_bytes(out, NULL, 0);
	else if (ptr->size == BPF_ABI_STRING)
		return pack_string(b, ptr, out);
	else
		return pack_content(b, ptr, out, size);
	return 0;
}

static void clear_pointers(struct bpf_call *b)
{
	static const size_t fd_array = offsetof(union bpf_attr, fd_array);

	for (const struct bpf_abi_ptr *ptr = b->command->ptrs; ptr->size; ptr++)
		for (size_t i = ptr->offset; i < ptr->offset + 8U && i < b->size; i++)
			b->packed[i] = 0;
	for (size_t i = fd_array; b->command->number == BPF_PROG_LOAD && i < fd_array + 8; i++)
		if (i < b->size)
			b->packed[i] = 0;
}

/* The log's size is cut with its room. */
static void cut_log(struct bpf_call *b)
{
	for (const struct bpf_abi_ptr *ptr = b->command->ptrs; ptr->size; ptr++)
		if (is_log(b, ptr) && bpf_abi_get32(b->packed, b->size, ptr->count) > BEHIND_MAX)
			set32(b->packed, ptr->count, BEHIND_MAX);
}

static int pack(struct bpf_call *b, struct bytes_out *out)
{
	const struct bpf_abi_ptr *ptr = b->command->ptrs;
	int err = 0;

	memcpy(b->packed, b->attr, sizeof(b->packed));
	clear_pointers(b);
	pack_fds(b);
	cut_log(b);
	bytes_put_u32(out, b->command->number);
	rpc_put_bytes(out, b->packed, b->size);
	for (size_t i = 0; !err && ptr[i].size; i++)
		err = pack_ptr(b, &ptr[i], out, &b->room[i]);
	return err;
}

/* Whether the kernel has written behind a pointer of a call that has returned this. What the board
 * sends of others is not the tool's: variables keep their values when a call fails. */
static bool is_written(const struct bpf_call *b, const struct bpf_abi_ptr *ptr, int64_t ret)
{
	if (ret >= 0 || is_log(b, ptr))
		return true;
	switch (b->command->number) {
	case BPF_MAP_LOOKUP_BATCH:
	case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
		/* The end; or less room than a bucket needs. */
		return ret == -ENOENT || ret == -ENOSPC;
	case BPF_PROG_TEST_RUN:
	case BPF_TASK_FD_QUERY:
		return ret == -ENOSPC; /* as much as fits */
	default:
		return false;
	}
}

/* Copies what the kernel has written into the tool. */
static int unpack(struct bpf_call *b, struct bytes_in *reply, int64_t ret)
{
	const struct bpf_abi_ptr *ptr = b->command->ptrs;
	size_t size, attr_size;
	const char *attr = rpc_get_bytes(reply, &attr_size);
	int err = 0;

	if (!attr || attr_size != b->size)
		return -EIO;
	/* The kernel never tells of more entries than there was room for. */
	if (b->command->map && b->command->outs[0].size &&
		bpf_abi_get32(attr, attr_size, b->command->outs[0].offset) >
			bpf_abi_get32(b->attr, b->size, b->command->outs[0].offset))
		return -EIO;
	for (const struct bpf_abi_out *out = b->command->outs; !err && out->size; out++)
		if (out->offset + out->size <= b->size)
			err = memory_write(
				b->call, b->user_attr + out->offset, attr + out->offset, out->size);
	for (size_t i = 0; !err && ptr[i].size; i++) {
		const void *data;

		if (ptr[i].direction != BPF_ABI_OUT)
			continue;
		data = rpc_get_bytes(reply, &size);
		if (!data || size > b->room[i])
			return -EIO;
		if (!is_written(b, &ptr[i], ret))
			continue;
		err = memory_write(
			b->call, bpf_abi_get64(b->attr, b->size, ptr[i].offset), data, size);
	}
	return err;
}

/* What the board says of a new map decides how much is written into the tool's memory: it has to be
 * what the tool has asked for. */
static bool is_map_asked_for(const struct bpf_call *b, const struct object *map)
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

/* Makes the object behind a new handle and gives its descriptor to the tool. */
static int64_t give(struct bpf_call *b, uint32_t handle, struct bytes_in *reply)
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

static void note(struct bpf_call *b)
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

/* Before the request is begun, as this is one of its own. */
static int need_handles(const struct bpf_call *b)
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

static int64_t forward(struct bpf_call *b)
{
	struct client *client = b->call->run->client;
	struct bytes_out *out = client_begin(client, RPC_BPF);
	struct bytes_in reply;
	int64_t ret;
	int err;

	note(b);
	err = pack(b, out);
	if (err) {
		client_cancel(client);
		return err;
	}
	ret = client_call(client, &reply);
	if (client_dead(client) || ret == -EBADMSG)
		return ret;
	err = unpack(b, &reply, ret);
	/* A reply that ends early had no call behind it. */
	if (ret < 0 || b->command->returns == BPF_ABI_NUMBER)
		return ret < 0 ? ret : err ? err : ret > 0 ? -EIO : 0;
	if (err) {
		client_close_handle(client, (uint32_t)ret);
		return err;
	}
	return give(b, (uint32_t)ret, &reply);
}

/* The next key, or a value, of entries that were read ahead. Returns CALL_CONTINUE if the board has
 * to be asked. */
static int64_t read_ahead(struct bpf_call *b)
{
	uint64_t key_at = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, key));
	uint64_t to = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, value));
	uint64_t flags = bpf_abi_get64(b->attr, b->size, offsetof(union bpf_attr, flags));
	const void *found;
	char *key = NULL;
	int64_t ret;

	if (!b->map || b->map->key_size > ATTR_MAX || flags)
		return CALL_CONTINUE;
	if (key_at) {
		key = malloc(b->map->key_size + 1);
		if (!key)
			return -ENOMEM;
		ret = memory_read(b->call->tid, key_at, key, b->map->key_size);
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

static int64_t next_btf(const struct bpf_call *b)
{
	uint32_t next, id = bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, start_id));
	int64_t ret = btf_list_next(b->call->run, id, &next);
	size_t offset = offsetof(union bpf_attr, next_id);

	if (ret == 0 && b->size >= offset + sizeof(next))
		ret = memory_write(b->call, b->user_attr + offset, &next, sizeof(next));
	return ret;
}

static int64_t open_btf(const struct bpf_call *b)
{
	uint32_t id = bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, btf_id));
	struct object *object;
	int64_t ret;

	if (bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, open_flags)))
		return CALL_CONTINUE;
	ret = btf_list_object(b->call->run, id, &object);
	return ret ? ret : object_give(object, b->call, true);
}

/* Links of more than one function: the tools attach one by one then. */
static bool is_multi(const struct bpf_call *b)
{
	uint32_t type =
		bpf_abi_get32(b->attr, b->size, offsetof(union bpf_attr, link_create.attach_type));

	return b->command->number == BPF_LINK_CREATE && (type == 42 || type == 48);
}

int64_t sys_bpf(const struct call *call)
{
	uint32_t number = (uint32_t)call->args[0];
	struct bpf_call b = {.call = call, .command = bpf_abi_find(number)};
	int64_t ret;
	int err;

	err = read_attr(&b, call->args[1], (uint32_t)call->args[2]);
	if (err)
		return err;
	if (number == BPF_OBJ_GET_INFO_BY_FD)
		return bpf_info(call, b.attr, b.size);
	if (!b.command) {
		if (bpf_abi_name(number))
			run_unsupported(call, bpf_abi_name(number));
		return -EINVAL;
	}
	if (is_multi(&b))
		return -EOPNOTSUPP;
	if (b.command->map) {
		b.map = object_of(call,
			(int)bpf_abi_get32(b.attr, b.size, (size_t)b.command->map - 1),
			BPF_ABI_MAP);
		if (!b.map)
			return -EBADF;
	}
	switch (number) {
	case BPF_MAP_GET_NEXT_KEY:
	case BPF_MAP_LOOKUP_ELEM:
		ret = read_ahead(&b);
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
	if (number == BPF_MAP_FREEZE && ret == 0) {
		struct object *map =
			object_of(call, (int)bpf_abi_get32(b.attr, b.size, 0), BPF_ABI_MAP);

		if (map)
			map->frozen = true;
	}
	return ret;
}
