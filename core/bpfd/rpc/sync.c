/* SPDX-License-Identifier: Apache-2.0 */
/* The operation MAP_SYNC: mirrors the memory of a mapped map at the host.
 *
 * A request holds what the tool has added to words since the last one; the reply holds the words
 * that have changed. */
#include "core/bpfd/rpc/sync.h"

#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/rpc/operation.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct synced_map {
	struct synced_map *next;
	uint32_t handle;
	int fd;
	uint64_t *memory; /* NULL: not mapped now */
	bool is_writable;
	size_t words;
	uint64_t *sent; /* the words as the host has them */
	bool *added;	/* words that this request adds to: the reply must hold them */
	uint64_t bytes; /* taken from the budget */
};

static int map_memory(struct synced_map *synced)
{
	size_t size = synced->words * RPC_SYNC_WORD;
	void *memory;

	if (synced->memory)
		return 0;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, synced->fd, 0);
	synced->is_writable = memory != MAP_FAILED;
	if (memory == MAP_FAILED && (errno == EPERM || errno == EACCES)) /* the map is frozen */
		memory = mmap(NULL, size, PROT_READ, MAP_SHARED, synced->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	synced->memory = memory;
	return 0;
}

static void unmap_memory(struct synced_map *synced)
{
	if (synced->memory)
		munmap(synced->memory, synced->words * RPC_SYNC_WORD);
	synced->memory = NULL;
}

static void synced_map_free(struct rpc *rpc, struct synced_map *synced)
{
	unmap_memory(synced);
	budget_give(&rpc->bpfd->memory, synced->bytes);
	free(synced->sent);
	free(synced->added);
	free(synced);
}

static struct synced_map **synced_map_find(struct rpc *rpc, uint32_t handle)
{
	struct synced_map **at = &rpc->synced_maps;

	while (*at && (*at)->handle != handle)
		at = &(*at)->next;
	return at;
}

void synced_map_unmap(struct rpc *rpc, uint32_t handle)
{
	struct synced_map *synced = *synced_map_find(rpc, handle);

	if (synced)
		unmap_memory(synced);
}

void synced_map_close(struct rpc *rpc, uint32_t handle)
{
	struct synced_map **at = synced_map_find(rpc, handle), *synced = *at;

	if (!synced)
		return;
	*at = synced->next;
	synced_map_free(rpc, synced);
}

void synced_map_close_all(struct rpc *rpc)
{
	while (rpc->synced_maps)
		synced_map_close(rpc, rpc->synced_maps->handle);
}

/* Makes the synced map of a handle. The host has no words of it yet. */
static int synced_map_new(struct rpc *rpc, uint32_t handle, const struct map *map)
{
	uint64_t words = (map_value_size(map) + RPC_SYNC_WORD - 1) / RPC_SYNC_WORD *
			 (uint64_t)map_max_entries(map);
	struct synced_map *synced;
	uint64_t bytes;
	int err;

	if (map_type(map) != BPF_MAP_TYPE_ARRAY || !(map_flags(map) & BPF_F_MMAPABLE))
		return -EINVAL;
	if (words > RPC_SYNC_MAX / RPC_SYNC_WORD)
		return -E2BIG;
	bytes = 3 * words * RPC_SYNC_WORD; /* memory, sent and, generously, added */
	err = budget_take(&rpc->bpfd->memory, bytes);
	if (err)
		return err;
	synced = calloc(1, sizeof(*synced));
	if (!synced) {
		budget_give(&rpc->bpfd->memory, bytes);
		return -ENOMEM;
	}
	*synced = (struct synced_map){
		.handle = handle, .fd = map_fd(map), .words = (size_t)words, .bytes = bytes};
	synced->sent = calloc(synced->words, RPC_SYNC_WORD);
	synced->added = calloc(synced->words, sizeof(bool));
	err = synced->sent && synced->added ? map_memory(synced) : -ENOMEM;
	if (err) {
		synced_map_free(rpc, synced);
		return err;
	}
	synced->next = rpc->synced_maps;
	rpc->synced_maps = synced;
	return 0;
}

/* Adds what the tool has added. The whole request is checked before the first word changes. */
static int apply(struct synced_map *synced, struct bytes_in *in, uint32_t count)
{
	struct bytes_in check = *in;

	if (count && !synced->is_writable)
		return -EPERM;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t offset = bytes_get_u32(&check);

		bytes_get_u64(&check);
		if (offset % RPC_SYNC_WORD || offset / RPC_SYNC_WORD >= synced->words)
			return -EINVAL;
	}
	for (uint32_t i = 0; i < count; i++) {
		size_t word = bytes_get_u32(in) / RPC_SYNC_WORD;

		__atomic_fetch_add(&synced->memory[word], bytes_get_u64(in), __ATOMIC_RELAXED);
		synced->added[word] = true;
	}
	return 0;
}

/* Copies a word to `sent`. Returns whether the reply must hold it. */
static bool take_word(struct synced_map *synced, size_t word, bool whole)
{
	uint64_t now = __atomic_load_n(&synced->memory[word], __ATOMIC_RELAXED);
	bool is_new = whole || synced->added[word] || now != synced->sent[word];

	synced->sent[word] = now;
	synced->added[word] = false;
	return is_new;
}

static void put_changes(struct bytes_out *out, struct synced_map *synced, bool whole)
{
	size_t counter = out->size, word = 0, run;
	uint32_t count = 0;

	bytes_put_u32(out, 0);
	while (word < synced->words) {
		for (run = 0; word + run < synced->words; run++)
			if (!take_word(synced, word + run, whole))
				break;
		if (run) {
			bytes_put_u32(out, (uint32_t)(word * RPC_SYNC_WORD));
			rpc_put_bytes(out, synced->sent + word, run * RPC_SYNC_WORD);
			count++;
		}
		word += run + 1; /* the word after the run is unchanged */
	}
	bytes_put_u32_at(out, counter, count);
}

int rpc_map_sync(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in), count;
	bool whole = bytes_get_u8(in);
	const struct handle *handle;
	struct synced_map *synced;
	int err = 0;

	count = bytes_get_u32(in);
	if (in->failed || in->size != (uint64_t)count * (sizeof(uint32_t) + RPC_SYNC_WORD))
		return -EBADMSG;
	handle = handle_get(rpc->bpfd->handles, number, &map_class);
	if (!handle)
		return -EBADF;
	if (!*synced_map_find(rpc, number))
		err = synced_map_new(rpc, number, handle->object);
	synced = *synced_map_find(rpc, number);
	if (!err)
		err = map_memory(synced);
	if (!err)
		err = apply(synced, in, count);
	if (err)
		return err;
	bytes_put_u32(&rpc->out, (uint32_t)(synced->words * RPC_SYNC_WORD));
	put_changes(&rpc->out, synced, whole);
	return 0;
}
