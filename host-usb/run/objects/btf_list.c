/* SPDX-License-Identifier: Apache-2.0 */
/* BTF of the board's kernel and modules, fetched in one round trip. */
#include "host-usb/run/objects/btf_list.h"

#include "core/base/clock.h"
#include "core/base/printable.h"
#include "core/messages/bpf_abi.h"
#include "host-usb/run/client.h"
#include "host-usb/run/files/btf.h"
#include "host-usb/run/objects/objects.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define AGE_MS	      2000 /* modules are loaded and removed; a tool lists all in less time */
#define BTF_ENTRY_MIN 13   /* size of an entry with an empty name in the reply, bytes */

struct btf_list {
	uint64_t time_ms;
	size_t count;
	struct btf_entry {
		uint32_t id, size;
		bool kernel;
		char name[BTF_LIST_NAME_SIZE];
	} entries[];
};

void btf_list_free(struct btf_list *list)
{
	free(list);
}

static struct btf_list *unpack(struct bytes_in *reply)
{
	size_t room = reply->size / BTF_ENTRY_MIN + 1; /* + 1 for a truncated entry */
	struct btf_list *list = calloc(1, sizeof(*list) + room * sizeof(list->entries[0]));

	while (list && reply->size && !reply->failed) {
		struct btf_entry *entry = &list->entries[list->count++];

		entry->id = bytes_get_u32(reply);
		entry->size = bytes_get_u32(reply);
		entry->kernel = bytes_get_u8(reply);
		if (!rpc_get_string(reply, entry->name, sizeof(entry->name)) ||
			!printable_is_text(entry->name, strlen(entry->name)) ||
			entry->size > BTF_SIZE_MAX ||
			(list->count > 1 && entry->id <= entry[-1].id))
			reply->failed = true;
	}
	if (!reply->failed)
		return list;
	free(list);
	return NULL;
}

/* Returns a list that is no older than AGE_MS, or NULL if the board does not send one. */
static const struct btf_list *get(struct run *run)
{
	struct client *client = run->client;
	struct bytes_in reply;

	if (run->btf_list && clock_monotonic_ms() - run->btf_list->time_ms <= AGE_MS)
		return run->btf_list;
	btf_list_free(run->btf_list);
	run->btf_list = NULL;
	client_begin(client, RPC_BTF_LIST);
	if (client_call(client, &reply) < 0)
		return NULL;
	run->btf_list = unpack(&reply);
	if (run->btf_list)
		run->btf_list->time_ms = clock_monotonic_ms();
	return run->btf_list;
}

int64_t btf_list_next(struct run *run, uint32_t id, uint32_t *next)
{
	const struct btf_list *list = get(run);

	if (!list)
		return CALL_CONTINUE;
	for (size_t i = 0; i < list->count; i++) {
		if (list->entries[i].id <= id)
			continue;
		*next = list->entries[i].id;
		return 0;
	}
	return -ENOENT;
}

int64_t btf_list_object(struct run *run, uint32_t id, struct object **object)
{
	const struct btf_list *list = get(run);
	const struct btf_entry *entry = NULL;
	struct object *o;
	int err;

	for (size_t i = 0; list && i < list->count; i++)
		if (list->entries[i].id == id)
			entry = &list->entries[i];
	if (!entry || !entry->kernel)
		return CALL_CONTINUE;
	err = object_new(&o, run->objects, BPF_ABI_BTF, RPC_NO_HANDLE);
	if (err)
		return err;
	o->path = strdup(entry->name);
	o->btf_info = calloc(1, sizeof(*o->btf_info));
	if (!o->path || !o->btf_info) {
		object_end(o);
		return -ENOMEM;
	}
	o->btf_info->id = id;
	o->btf_info->btf_size = entry->size;
	o->btf_info->kernel_btf = 1;
	*object = o;
	return 0;
}

int64_t btf_list_handle(struct run *run, uint32_t id)
{
	struct bytes_out *out = client_begin(run->client, RPC_BPF);
	union bpf_attr attr;
	struct bytes_in reply;

	memset(&attr, 0, sizeof(attr));
	attr.btf_id = id;
	bytes_put_u32(out, BPF_BTF_GET_FD_BY_ID);
	rpc_put_bytes(out, &attr, offsetof(union bpf_attr, open_flags) + sizeof(attr.open_flags));
	client_note(run->client, "BTF_GET_FD_BY_ID %u", id);
	return client_call(run->client, &reply);
}

int btf_list_need_handle(struct object *object)
{
	int64_t ret;

	if (object->handle != RPC_NO_HANDLE)
		return 0;
	ret = btf_list_handle(object->run, object->btf_info->id);
	if (ret < 0)
		return (int)ret;
	object->handle = (uint32_t)ret;
	return 0;
}
