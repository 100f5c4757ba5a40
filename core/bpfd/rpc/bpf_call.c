/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that bpf(2) makes: counted against the budget, owned, described. */
#include "core/bpfd/rpc/bpf_call.h"

#include "core/base/paths.h"
#include "core/bpfd/bpf/fd_object.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/prog.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/rpc/operation.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#define ATTR32(call, member) bpf_call_get32(call, offsetof(union bpf_attr, member))

uint32_t bpf_call_get32(const struct bpf_call *call, size_t offset)
{
	return bpf_abi_get32(call->attr, sizeof(call->attr), offset);
}

void bpf_call_set32(struct bpf_call *call, size_t offset, uint32_t value)
{
	bpf_abi_set32(call->attr, sizeof(call->attr), offset, value);
}

int bpf_call_reserve(struct bpf_call *call)
{
	struct budget *budget = &call->rpc->bpfd->memory;
	const struct map_spec spec = {.type = ATTR32(call, map_type),
		.key_size = ATTR32(call, key_size),
		.value_size = ATTR32(call, value_size),
		.max_entries = ATTR32(call, max_entries),
		.flags = ATTR32(call, map_flags)};

	switch (call->command->number) {
	case BPF_MAP_CREATE:
		return map_reserve(&call->new_map, &spec, budget);
	case BPF_PROG_LOAD:
		return prog_reserve(&call->new_prog, ATTR32(call, insn_cnt), budget);
	case BPF_BTF_LOAD:
		return fd_object_reserve(&call->new_object, ATTR32(call, btf_size), budget);
	default:
		return 0;
	}
}

/* Returns the class of a descriptor, from the name that the kernel gives its file; 0: unknown. */
static unsigned int class_of_fd(const struct paths *paths, int fd)
{
	static const struct {
		const char *word;
		unsigned int class;
	} words[] = {{"bpf-map", BPF_ABI_MAP}, {"bpf-prog", BPF_ABI_PROG}, {"btf", BPF_ABI_BTF},
		{"bpf_link", BPF_ABI_LINK}, {"bpf-link", BPF_ABI_LINK}};
	char path[PATH_MAX], name[64];
	ssize_t len;

	if (path_format(path, "%s/self/fd/%d", paths->proc, fd))
		return 0;
	len = readlink(path, name, sizeof(name) - 1);
	if (len < 0)
		return 0;
	name[len] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(name, words[i].word))
			return words[i].class;
	return 0;
}

/* Refuses pinned programs and links to a session that only observes: it could attach the one and
 * detach the other. */
static int check_pinned(const struct bpf_call *call, unsigned int class)
{
	bool is_pinned = call->command->number == BPF_OBJ_GET;

	return is_pinned && class != BPF_ABI_MAP && call->rpc->bpfd->config.only_observes ? -EPERM
											  : 0;
}

/* A read-only session holds no link: it would keep a program attached after its owner is gone. It
 * keeps the id, with which INFO opens the link for a moment. Returns the new *fd, -1. */
static int release_link(struct bpf_call *call, int *fd)
{
	struct bpf_link_info info;
	size_t size = sizeof(info);
	int err;

	memset(&info, 0, sizeof(info));
	err = rpc_get_info(*fd, &info, &size);
	if (err)
		return err;
	fd_object_set_id(call->new_object, info.id);
	close(*fd);
	*fd = -1;
	return 0;
}

/* Makes the object that will own a descriptor, unless it was reserved. */
static int make_object(struct bpf_call *call, unsigned int class, int fd)
{
	struct budget *budget = &call->rpc->bpfd->memory;

	if (call->new_map || call->new_prog || call->new_object)
		return 0;
	switch (class) {
	case BPF_ABI_MAP:
		return map_of_fd(&call->new_map, fd, budget);
	case BPF_ABI_PROG:
		return prog_reserve(&call->new_prog, 0, budget);
	case BPF_ABI_BTF:
	case BPF_ABI_LINK:
	case BPF_ABI_OTHER:
		return fd_object_reserve(&call->new_object, 0, budget);
	default:
		return -EOPNOTSUPP;
	}
}

static int add_object(struct bpf_call *call, unsigned int class, int fd)
{
	struct handles *handles = call->rpc->bpfd->handles;

	if (call->new_map) {
		map_adopt(call->new_map, fd);
		return handle_add(handles, &map_class, call->new_map, fd);
	}
	if (call->new_prog) {
		prog_adopt(call->new_prog, fd);
		return handle_add(handles, &prog_class, call->new_prog, fd);
	}
	fd_object_adopt(call->new_object, fd);
	return handle_add(handles,
		class == BPF_ABI_BTF	? &btf_class
		: class == BPF_ABI_LINK ? &link_class
					: &other_class,
		call->new_object, fd);
}

int bpf_call_own(struct bpf_call *call, int fd)
{
	unsigned int class = call->command->returns;
	int err;

	if (fd >= 0 && class & (class - 1)) /* the command can return several classes */
		class = class_of_fd(&call->rpc->bpfd->config.paths, fd);
	err = fd < 0 ? fd : check_pinned(call, class);
	if (!err)
		err = make_object(call, class, fd);
	if (!err && class == BPF_ABI_LINK && call->rpc->bpfd->config.read_only)
		err = release_link(call, &fd);
	if (!err) {
		err = add_object(call, class, fd);
		if (err >= 0)
			return err;
	} else if (fd >= 0) {
		close(fd);
	}
	map_free(call->new_map); /* closes the descriptor if it was adopted */
	prog_free(call->new_prog);
	fd_object_free(call->new_object);
	return err;
}

void bpf_call_put_object(struct bpf_call *call, uint32_t number)
{
	const struct handle *handle = handle_any(call->rpc->bpfd->handles, number);
	unsigned int class = handle_abi_classes(handle);
	struct bytes_out *out = &call->rpc->out;
	const struct map *map = handle->object;

	bytes_put_u32(out, class);
	if (class != BPF_ABI_MAP)
		return;
	bytes_put_u32(out, map_type(map));
	bytes_put_u32(out, (uint32_t)map_key_size(map));
	bytes_put_u32(out, (uint32_t)map_value_size(map));
	bytes_put_u32(out, map_max_entries(map));
	bytes_put_u32(out, map_flags(map));
}
