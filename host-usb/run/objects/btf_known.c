/* SPDX-License-Identifier: Apache-2.0 */
/* BTF of programs and maps, as the board sent it first. */
#include "host-usb/run/objects/btf_known.h"

#include "core/base/log.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/calls/bpf_info.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/btf.h"
#include "host-usb/run/objects/btf_list.h"
#include "host-usb/run/objects/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (64U << 20) /* of all types */
#define COUNT_MAX 4096

struct btf_known {
	size_t count, bytes;
	struct known {
		uint32_t id;
		struct btf_types *types; /* NULL: a tool gets none */
	} entries[COUNT_MAX];
};

void btf_known_free(struct btf_known *known)
{
	for (size_t i = 0; known && i < known->count; i++)
		btf_free(known->entries[i].types);
	free(known);
}

static int fetch_by_id(struct run *run, uint32_t id, struct btf_types **types)
{
	struct object object = {.run = run, .class = BPF_ABI_BTF};
	int64_t ret = btf_list_handle(run, id);

	if (ret < 0)
		return (int)ret;
	object.handle = (uint32_t)ret;
	ret = bpf_info_types(&object, types);
	client_close_handle(run->client, object.handle);
	free(object.path);
	free(object.btf_info);
	return (int)ret;
}

const struct btf_types *btf_known_get(struct run *run, uint32_t id, struct object *object)
{
	struct btf_known *known = run->btf_known;
	struct btf_types *types = NULL;
	size_t size = 0;
	int err;

	if (!known)
		known = run->btf_known = calloc(1, sizeof(*known));
	for (size_t i = 0; known && i < known->count; i++)
		if (known->entries[i].id == id)
			return known->entries[i].types;
	if (!known || known->count == COUNT_MAX) {
		log_error("BTF %u: too many types are in use", id);
		return NULL;
	}
	err = object ? bpf_info_types(object, &types) : fetch_by_id(run, id, &types);
	if (!err)
		btf_data(types, &size);
	if (!err && size > BYTES_MAX - known->bytes) {
		btf_free(types);
		types = NULL;
		size = 0;
		err = -ENOMEM;
	}
	if (err && err != -EPERM && !client_dead(run->client))
		log_warning("BTF %u: %s; tools get none of these types", id, strerror(-err));
	known->bytes += size;
	known->entries[known->count++] = (struct known){id, types};
	return types;
}
