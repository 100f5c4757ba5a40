/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that calls of bpf(2) make: counted, owned, described. */
#include "core/bpfd/rpc/call.h"
#include "core/base/paths.h"

#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/object.h"
#include "core/bpfd/bpf/prog.h"
#include "core/bpfd/files/file.h"
#include "core/bpfd/rpc/operation.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(union bpf_attr, member)

static uint32_t get32(const struct call *call, size_t offset)
{
	return bpf_abi_get32(call->attr, sizeof(call->attr), offset);
}

int call_reserve(struct call *call)
{
	struct budget *budget = &call->rpc->bpfd->memory;
	const struct map_spec spec = {.type = get32(call, AT(map_type)),
		.key_size = get32(call, AT(key_size)),
		.value_size = get32(call, AT(value_size)),
		.max_entries = get32(call, AT(max_entries)),
		.flags = get32(call, AT(map_flags))};

	switch (call->command->number) {
	case BPF_MAP_CREATE:
		return map_reserve(&call->new_map, &spec, budget);
	case BPF_PROG_LOAD:
		return prog_reserve(&call->new_prog, get32(call, AT(insn_cnt)), budget);
	case BPF_BTF_LOAD:
		return object_reserve(&call->new_object, get32(call, AT(btf_size)), budget);
	default:
		return 0;
	}
}

/* Which class of object a descriptor is, as the kernel names its file. */
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

/* Makes the object of a descriptor, unless it was reserved. */
static int make_object(struct call *call, unsigned int class, int fd)
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
		return object_reserve(&call->new_object, 0, budget);
	default:
		return -EOPNOTSUPP;
	}
}

static int add_object(struct call *call, unsigned int class, int fd)
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
	object_adopt(call->new_object, fd);
	return handle_add(handles,
		class == BPF_ABI_BTF	? &btf_class
		: class == BPF_ABI_LINK ? &link_class
					: &other_class,
		call->new_object, fd);
}

int call_own(struct call *call, int fd)
{
	unsigned int class = call->command->returns;
	int err;

	if (fd >= 0 && class & (class - 1)) /* several are possible */
		class = class_of_fd(&call->rpc->bpfd->config.paths, fd);
	err = fd < 0 ? fd : make_object(call, class, fd);
	if (!err) {
		err = add_object(call, class, fd);
		if (err >= 0)
			return err;
	} else if (fd >= 0) {
		close(fd);
	}
	map_free(call->new_map); /* with the descriptor, if it was adopted */
	prog_free(call->new_prog);
	object_free(call->new_object);
	return err;
}

void call_put_object(struct call *call, uint32_t number)
{
	const struct handle *handle = handle_any(call->rpc->bpfd->handles, number);
	unsigned int class = object_classes(handle);
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
