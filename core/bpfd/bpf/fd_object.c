/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that consist of a descriptor only, and the classes of all handles. */
#include "core/bpfd/bpf/fd_object.h"

#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/bpf/probe.h"
#include "core/bpfd/bpf/prog.h"
#include "core/bpfd/bpf/ring.h"
#include "core/messages/bpf_abi.h"

#include <stdlib.h>
#include <unistd.h>

struct fd_object {
	struct budget *budget;
	uint64_t bytes; /* taken from the budget */
	int fd;
	uint32_t id; /* if the object holds no descriptor */
};

static int object_close(void *object, int fd)
{
	fd_object_free(object);
	return 0;
}

const struct handle_class btf_class = {"btf", object_close};
const struct handle_class link_class = {"link", object_close};
const struct handle_class event_class = {"event", object_close};
const struct handle_class follow_class = {"followed file", object_close};
const struct handle_class other_class = {"other", object_close};

int fd_object_reserve(struct fd_object **object, uint64_t bytes, struct budget *budget)
{
	struct fd_object *o = budget_alloc(budget, bytes, sizeof(*o));

	if (!o)
		return -ENOMEM;
	*o = (struct fd_object){.budget = budget, .bytes = bytes, .fd = -1};
	*object = o;
	return 0;
}

void fd_object_adopt(struct fd_object *object, int fd)
{
	object->fd = fd;
}

void fd_object_set_id(struct fd_object *object, uint32_t id)
{
	object->id = id;
}

uint32_t fd_object_id(const struct fd_object *object)
{
	return object->id;
}

void fd_object_free(struct fd_object *object)
{
	if (!object)
		return;
	budget_close(object->budget, object->bytes, object->fd, BUDGET_BTF);
	free(object);
}

unsigned int handle_abi_classes(const struct handle *handle)
{
	static const struct {
		const struct handle_class *class;
		unsigned int classes;
	} known[] = {
		{&map_class, BPF_ABI_MAP},
		{&prog_class, BPF_ABI_PROG},
		{&btf_class, BPF_ABI_BTF},
		{&link_class, BPF_ABI_LINK},
		{&event_class, BPF_ABI_EVENT},
		{&ring_class, BPF_ABI_EVENT},
		{&probe_class, BPF_ABI_EVENT},
		{&other_class, BPF_ABI_OTHER},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (handle->class == known[i].class)
			return known[i].classes;
	return 0;
}

int handle_abi_fd(const struct handles *handles, int64_t number, unsigned int classes)
{
	const struct handle *handle = handle_any(handles, number);

	return handle && handle_abi_classes(handle) & classes ? handle->fd : -EBADF;
}
