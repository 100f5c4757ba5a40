/* SPDX-License-Identifier: Apache-2.0 */
/* Memory files that mirror mapped array maps of the board. */
#include "host-usb/run/objects/mirror.h"

#include "core/base/log.h"
#include "host-usb/run/client.h"
#include "host-usb/run/objects/objects.h"
#include "host-usb/run/run.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct mirror {
	struct object_part part;
	uint64_t *memory; /* the memory file, which the tool has mapped */
	uint64_t *known;  /* its contents after the last exchange */
	size_t size;	  /* bytes, a multiple of 8 */
	bool writable, failed;
};

static void mirror_free(struct object_part *part)
{
	struct mirror *mirror = (struct mirror *)part;

	if (mirror->memory)
		munmap(mirror->memory, mirror->size);
	free(mirror->known);
	free(mirror);
}

/* Adds the words that the tool has changed to the request. Returns their number. */
static uint32_t put_changes(struct mirror *mirror, struct bytes_out *out)
{
	uint32_t n = 0;

	for (size_t i = 0; mirror->writable && i < mirror->size / RPC_SYNC_WORD; i++) {
		uint64_t now = __atomic_load_n(&mirror->memory[i], __ATOMIC_RELAXED);

		if (now == mirror->known[i])
			continue;
		bytes_put_u32(out, (uint32_t)(i * RPC_SYNC_WORD));
		bytes_put_u64(out, now - mirror->known[i]);
		mirror->known[i] = now;
		n++;
	}
	return n;
}

/* Applies a change from the board as a difference, because the tool may have changed the word again
 * since the request. */
static void take_part(struct mirror *mirror, size_t offset, const char *data, size_t size)
{
	if (offset % RPC_SYNC_WORD || size % RPC_SYNC_WORD || offset > mirror->size ||
		size > mirror->size - offset) {
		mirror->failed = true;
		return;
	}
	for (size_t i = offset / RPC_SYNC_WORD; size;
		i++, data += RPC_SYNC_WORD, size -= RPC_SYNC_WORD) {
		uint64_t value;

		memcpy(&value, data, RPC_SYNC_WORD);
		__atomic_fetch_add(&mirror->memory[i], value - mirror->known[i], __ATOMIC_RELAXED);
		mirror->known[i] = value;
	}
}

static int64_t sync_one(struct object *object, bool whole)
{
	struct mirror *mirror = object->mirror;
	struct client *client = object->run->client;
	struct bytes_out *out = client_begin(client, RPC_MAP_SYNC);
	struct bytes_in reply;
	size_t count_at, size;
	uint32_t n;
	int64_t ret;

	bytes_put_u32(out, object->handle);
	bytes_put_u8(out, whole);
	count_at = out->size;
	bytes_put_u32(out, 0);
	n = whole ? 0 : put_changes(mirror, out);
	for (size_t i = 0; !out->failed && i < sizeof(n); i++)
		out->data[count_at + i] = (uint8_t)(n >> (8 * i));
	client_note(client, "%u %u changes", object->handle, n);
	ret = client_call(client, &reply);
	if (ret < 0)
		return ret;
	for (n = bytes_get_u32(&reply); n && !reply.failed && !mirror->failed; n--) {
		size_t offset = bytes_get_u32(&reply);
		const char *data = rpc_get_bytes(&reply, &size);

		if (data)
			take_part(mirror, offset, data, size);
	}
	return reply.failed || mirror->failed ? -EIO : ret;
}

int mirror_open(struct object *object, bool writable)
{
	uint64_t element = (object->value_size + RPC_SYNC_WORD - 1) / RPC_SYNC_WORD * RPC_SYNC_WORD;
	size_t size = element * object->max_entries;
	struct mirror *mirror;
	void *memory;
	int64_t ret;

	if (object->mirror) {
		object->mirror->writable |= writable;
		return 0;
	}
	if (!size || size > RPC_SYNC_MAX)
		return -E2BIG;
	mirror = calloc(1, sizeof(*mirror));
	if (!mirror)
		return -ENOMEM;
	mirror->size = size;
	mirror->known = calloc(1, size);
	if (!mirror->known || object_set_size(object->fd, size)) {
		mirror_free(&mirror->part);
		return -ENOMEM;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, object->fd, 0);
	if (memory == MAP_FAILED) {
		mirror_free(&mirror->part);
		return -ENOMEM;
	}
	mirror->memory = memory;
	object->mirror = mirror;
	ret = sync_one(object, true);
	if (ret < 0) {
		object->mirror = NULL;
		mirror_free(&mirror->part);
		return (int)ret;
	}
	object_add_part(object, &mirror->part, mirror_free);
	mirror->writable = writable;
	return 0;
}

bool mirrors_exist(const struct run *run)
{
	const struct object *object = object_next(run->objects, NULL);

	while (object && !object->mirror)
		object = object_next(run->objects, object);
	return object != NULL;
}

void mirrors_sync(struct run *run)
{
	struct object *object = object_next(run->objects, NULL);
	int64_t ret;

	for (; object; object = object_next(run->objects, object)) {
		/* Maps that neither user space nor programs may write never change. */
		if (!object->mirror || object->mirror->failed ||
			(object->frozen && object->map_flags & BPF_F_RDONLY_PROG))
			continue;
		ret = sync_one(object, false);
		if (ret >= 0)
			continue;
		object->mirror->failed = true;
		if (!client_dead(run->client))
			log_warning("map %u: its memory is no longer kept up to date: %s",
				object->handle, strerror((int)-ret));
	}
}

static void sync_others(struct object *object)
{
	mirrors_sync(object->run);
}

void mirrors_sync_at_end(struct object *object)
{
	object->at_end = sync_others;
}
