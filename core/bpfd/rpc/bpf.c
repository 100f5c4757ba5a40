/* SPDX-License-Identifier: Apache-2.0 */
/* The operation BPF: calls bpf(2) for the client.
 *
 * The request holds the attributes and what their pointers point to. Handles become descriptors of
 * this process, pointers become addresses of buffers; after the call the results are packed. */
#include "core/bpfd/bpf/fd_object.h"
#include "core/bpfd/bpf/handle.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/prog.h"
#include "core/bpfd/bpf/translate.h"
#include "core/bpfd/files/tree.h"
#include "core/bpfd/rpc/bpf_call.h"
#include "core/bpfd/rpc/operation.h"
#include "core/bpfd/rpc/sync.h"
#include "core/messages/bpf_abi.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFER_MAX (RPC_MESSAGE_MAX - 4096) /* bytes of one buffer, and of all results together */

/* Attach types that LINK_CREATE accepts. Others have descriptors or pointers after attach_type that
 * the table does not know. */
static const uint32_t link_types[] = {
	0, /* a program that replaces another program's function has no attach type */
	BPF_TRACE_RAW_TP,
	BPF_TRACE_FENTRY,
	BPF_TRACE_FEXIT,
	BPF_MODIFY_RETURN,
	BPF_LSM_MAC,
	BPF_PERF_EVENT,
};

long rpc_sys_bpf(uint32_t number, void *attr, size_t size)
{
	long ret = syscall(SYS_bpf, number, attr, size);

	return ret < 0 ? -errno : ret;
}

static unsigned int count_ptrs(const struct bpf_abi_command *command)
{
	unsigned int n = 0;

	while (n < BPF_ABI_PTRS && command->ptrs[n].size != BPF_ABI_END)
		n++;
	return n;
}

static bool is_log(const struct bpf_call *call, const struct call_ptr *ptr)
{
	return bpf_abi_is_log(call->command, ptr->abi);
}

static void set_pointer(struct bpf_call *call, const struct call_ptr *ptr, uint64_t value)
{
	bpf_abi_set64(call->attr, sizeof(call->attr), ptr->abi->offset, value);
}

/* Reads the message. The later steps check the sizes of its parts. */
static int read_call(struct bpf_call *call, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in);
	const void *attr = rpc_get_bytes(in, &call->attr_size);

	call->command = bpf_abi_find(number);
	if (in->failed)
		return -EBADMSG;
	if (!call->command)
		return bpf_abi_name(number) ? -EOPNOTSUPP : -EINVAL;
	if (call->attr_size > BPF_ABI_ATTR_MAX)
		return -E2BIG;
	memcpy(call->attr, attr, call->attr_size);
	if (!bpf_abi_element_flags_known(call->command, call->attr, sizeof(call->attr)))
		return -EINVAL;
	call->ptr_count = count_ptrs(call->command);
	for (unsigned int i = 0; i < call->ptr_count; i++) {
		struct call_ptr *ptr = &call->ptrs[i];

		ptr->abi = &call->command->ptrs[i];
		ptr->present = bytes_get_u8(in);
		ptr->room = bytes_get_u32(in);
		ptr->in = rpc_get_bytes(in, &ptr->in_size);
		if (ptr->present && ptr->abi->offset + sizeof(uint64_t) > call->attr_size)
			return -EBADMSG;
	}
	return bytes_get_end(in) ? 0 : -EBADMSG;
}

/* Bytes after the known fields could be a pointer or a descriptor, so they must be 0. */
static int check_tail(const struct bpf_call *call)
{
	const char *attr = (const char *)call->attr;

	for (size_t i = call->command->end; i < call->attr_size; i++)
		if (attr[i])
			return -E2BIG;
	return 0;
}

/* A read-only session opens maps read-only in the kernel as well. */
static int check_policy(struct bpf_call *call)
{
	size_t flags = call->command->open_flags;

	if (!call->rpc->bpfd->config.read_only)
		return 0;
	if (!call->command->reads)
		return -EPERM;
	if (!flags)
		return 0;
	if (flags - 1 + sizeof(uint32_t) > call->attr_size)
		return -EPERM;
	bpf_call_set32(call, flags - 1, BPF_F_RDONLY);
	return 0;
}

static int find_map(struct bpf_call *call)
{
	const struct handle *handle;

	if (!call->command->map)
		return 0;
	handle = handle_get(call->rpc->bpfd->handles, bpf_call_get32(call, call->command->map - 1U),
		&map_class);
	if (!handle)
		return -EBADF;
	call->map = handle->object;
	return translate_key(map_type(call->map));
}

/* Makes the buffer of a pointer, with the client's data in it. */
static int make_ptr(struct bpf_call *call, struct call_ptr *ptr)
{
	size_t key_size = call->map ? map_key_size(call->map) : 0;
	size_t value_size = call->map ? map_value_size(call->map) : 0;
	uint64_t size = bpf_abi_ptr_size(
		call->command, ptr->abi, call->attr, sizeof(call->attr), key_size, value_size);

	ptr->direction = (uint8_t)bpf_abi_direction(
		call->command, ptr->abi, call->map ? map_type(call->map) : 0);
	if (ptr->abi->size == BPF_ABI_STRING) {
		size = ptr->in_size;
		if (size >= BPF_ABI_STRING_MAX || (size && memchr(ptr->in, 0, (size_t)size)))
			return -EBADMSG;
	}
	if (!ptr->present)
		return ptr->room || ptr->in_size ? -EBADMSG : 0;
	if (size > BUFFER_MAX)
		return -E2BIG;
	if (ptr->in_size != (ptr->direction == BPF_ABI_IN ? size : 0) ||
		ptr->room != (ptr->direction == BPF_ABI_OUT ? size : 0))
		return -EBADMSG;
	if (is_log(call, ptr) && size > call->rpc->bpfd->config.limits.log_bytes)
		size = call->rpc->bpfd->config.limits.log_bytes;
	ptr->size = (size_t)size;
	ptr->data = calloc(1, ptr->size + BPF_GUARD);
	if (!ptr->data)
		return -ENOMEM;
	if (ptr->in_size)
		memcpy(ptr->data, ptr->in, ptr->in_size);
	return 0;
}

static int make_ptrs(struct bpf_call *call)
{
	uint64_t reply = 0;
	int err = 0;

	for (unsigned int i = 0; i < call->ptr_count && !err; i++) {
		err = make_ptr(call, &call->ptrs[i]);
		if (call->ptrs[i].direction == BPF_ABI_OUT)
			reply += call->ptrs[i].size;
	}
	return err || reply <= BUFFER_MAX ? err : -E2BIG;
}

static void free_ptrs(struct bpf_call *call)
{
	for (unsigned int i = 0; i < call->ptr_count; i++)
		free(call->ptrs[i].data);
}

static struct call_ptr *ptr_of(struct bpf_call *call, unsigned int size)
{
	for (unsigned int i = 0; i < call->ptr_count; i++)
		if (call->ptrs[i].abi->size == size && call->ptrs[i].present)
			return &call->ptrs[i];
	return NULL;
}

static int translate_values(struct bpf_call *call, unsigned int size)
{
	size_t value_size = map_value_size(call->map);
	struct call_ptr *values = ptr_of(call, size);
	int err = 0;

	for (size_t at = 0; values && value_size && !err && at < values->size; at += value_size)
		err = translate_value(call->rpc->bpfd->handles, map_type(call->map),
			(char *)values->data + at, value_size);
	return err;
}

static int prepare_program(struct bpf_call *call)
{
	uint32_t type = bpf_call_get32(call, offsetof(union bpf_attr, prog_type));
	size_t version = offsetof(union bpf_attr, kern_version);
	struct call_ptr *insns = &call->ptrs[0];
	int err = prog_check(call->rpc->bpfd->config.only_observes, type,
		bpf_call_get32(call, offsetof(union bpf_attr, expected_attach_type)), insns->data,
		insns->size / 8);

	if (err)
		return err;
	bpf_call_set32(call, version, prog_kern_version(type, bpf_call_get32(call, version)));
	if (bpf_abi_get64(call->attr, sizeof(call->attr), offsetof(union bpf_attr, fd_array)))
		return -EINVAL;
	if (!insns->present)
		return 0;
	return translate_program(call->rpc->bpfd->handles, insns->data, insns->size / 8);
}

static int prepare_link(const struct bpf_call *call)
{
	uint32_t type = bpf_call_get32(call, offsetof(union bpf_attr, link_create.attach_type));

	for (size_t i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++)
		if (link_types[i] == type)
			return 0;
	return -EOPNOTSUPP;
}

static int prepare_path(struct bpf_call *call)
{
	struct call_ptr *path = ptr_of(call, BPF_ABI_STRING);
	char real[PATH_MAX], *copy;
	int err;

	if (!path)
		return 0;
	err = tree_bpffs(&call->rpc->bpfd->config.paths, path->data, real);
	if (err)
		return err;
	copy = strdup(real);
	if (!copy)
		return -ENOMEM;
	free(path->data);
	path->data = copy;
	return 0;
}

/* Programs of type SYSCALL call bpf(2) themselves, as this process and with its descriptors. */
static bool makes_syscalls(const struct bpf_call *call)
{
	uint32_t number = bpf_call_get32(call, offsetof(union bpf_attr, test.prog_fd));
	int fd = handle_abi_fd(call->rpc->bpfd->handles, number, BPF_ABI_PROG);
	struct bpf_prog_info info;
	size_t size = sizeof(info);

	memset(&info, 0, sizeof(info));
	return rpc_get_info(fd, &info, &size) == 0 && info.type == BPF_PROG_TYPE_SYSCALL;
}

static int prepare_test(struct bpf_call *call)
{
	/* A size of 0 for output means any size to the kernel, so it must not get the buffer. */
	for (unsigned int i = 0; i < call->ptr_count; i++)
		if (call->ptrs[i].direction == BPF_ABI_OUT && !call->ptrs[i].size)
			call->ptrs[i].present = false;
	return makes_syscalls(call) ? -EOPNOTSUPP : 0;
}

/* Does what only some commands need. */
static int prepare(struct bpf_call *call)
{
	switch (call->command->number) {
	case BPF_MAP_UPDATE_ELEM:
		return translate_values(call, BPF_ABI_VALUE);
	case BPF_MAP_UPDATE_BATCH:
		return translate_values(call, BPF_ABI_VALUES);
	case BPF_MAP_FREEZE:
		synced_map_unmap(call->rpc, bpf_call_get32(call, offsetof(union bpf_attr, map_fd)));
		return 0;
	case BPF_PROG_LOAD:
		return prepare_program(call);
	case BPF_LINK_CREATE:
		return prepare_link(call);
	case BPF_OBJ_PIN:
	case BPF_OBJ_GET:
		return prepare_path(call);
	case BPF_PROG_TEST_RUN:
		return prepare_test(call);
	default:
		return 0;
	}
}

/* Replaces handles by descriptors and pointers by addresses of buffers. An unknown handle becomes
 * an invalid descriptor, so that the kernel reports the error. */
static void fill_attr(struct bpf_call *call)
{
	for (const struct bpf_abi_fd *fd = call->command->fds; fd->classes; fd++) {
		uint32_t number = bpf_call_get32(call, fd->offset);
		int real;

		if (fd->optional && !number)
			continue;
		real = handle_abi_fd(call->rpc->bpfd->handles, number, fd->classes);
		bpf_call_set32(call, fd->offset, real < 0 ? UINT32_MAX : (uint32_t)real);
	}
	for (unsigned int i = 0; i < call->ptr_count; i++) {
		const struct call_ptr *ptr = &call->ptrs[i];

		set_pointer(call, ptr, ptr->present ? (uintptr_t)ptr->data : 0);
		if (ptr->present && is_log(call, ptr))
			bpf_call_set32(call, ptr->abi->count, (uint32_t)ptr->size);
	}
}

/* Removes descriptors and addresses of this process from the attributes. */
static void clear_attr(struct bpf_call *call)
{
	for (const struct bpf_abi_fd *fd = call->command->fds; fd->classes; fd++)
		bpf_call_set32(call, fd->offset, 0);
	for (unsigned int i = 0; i < call->ptr_count; i++) {
		const struct call_ptr *ptr = &call->ptrs[i];

		set_pointer(call, ptr, 0);
		if (ptr->present && is_log(call, ptr))
			bpf_call_set32(call, ptr->abi->count, ptr->room);
	}
}

static long make_call(struct bpf_call *call)
{
	/* Kernels before 4.12 do not accept NULL as the key before the first. */
	if (call->command->number == BPF_MAP_GET_NEXT_KEY && !call->ptrs[0].present &&
		call->ptrs[1].present)
		return map_first_key(call->map, call->ptrs[1].data);
	return rpc_sys_bpf(call->command->number, call->attr, sizeof(call->attr));
}

/* Returns how many bytes of a result the client needs. */
static size_t reply_size(const struct bpf_call *call, const struct call_ptr *ptr)
{
	uint32_t count = bpf_call_get32(call, offsetof(union bpf_attr, batch.count));
	size_t value_size = call->map ? map_value_size(call->map) : 0;
	size_t key_size = call->map ? map_key_size(call->map) : 0;
	uint64_t size = ptr->size;

	if (is_log(call, ptr))
		size = strnlen(ptr->data, ptr->size) + 1;
	else if (ptr->abi->size == BPF_ABI_KEYS)
		size = (uint64_t)count * key_size;
	else if (ptr->abi->size == BPF_ABI_VALUES)
		size = (uint64_t)count * value_size;
	return size < ptr->size ? (size_t)size : ptr->size;
}

static void put_reply(struct bpf_call *call, long ret)
{
	struct bytes_out *out = &call->rpc->out;

	clear_attr(call);
	bytes_put_u32(out, (uint32_t)ret);
	rpc_put_bytes(out, call->attr, call->attr_size);
	for (unsigned int i = 0; i < call->ptr_count; i++) {
		const struct call_ptr *ptr = &call->ptrs[i];

		if (ptr->direction == BPF_ABI_OUT)
			rpc_put_bytes(out, ptr->data, ptr->data ? reply_size(call, ptr) : 0);
	}
	if (call->command->returns != BPF_ABI_NUMBER && ret >= 0)
		bpf_call_put_object(call, (uint32_t)ret);
}

static long run_call(struct bpf_call *call)
{
	long ret = prepare(call);

	if (!ret)
		ret = bpf_call_reserve(call);
	if (ret)
		return ret;
	fill_attr(call);
	ret = make_call(call);
	return call->command->returns == BPF_ABI_NUMBER ? ret : bpf_call_own(call, (int)ret);
}

int rpc_bpf(struct rpc *rpc, struct bytes_in *in)
{
	struct bpf_call call = {.rpc = rpc};
	int err;

	err = read_call(&call, in);
	if (!err)
		err = check_tail(&call);
	if (!err)
		err = check_policy(&call);
	if (!err)
		err = find_map(&call);
	if (!err)
		err = make_ptrs(&call);
	if (!err)
		put_reply(&call, run_call(&call));
	free_ptrs(&call);
	return err;
}
