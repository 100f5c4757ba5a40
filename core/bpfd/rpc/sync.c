/* SPDX-License-Identifier: Apache-2.0 */
/* Maps that can be mapped, mirrored: the host tells what it has added to words of the memory, and
 * gets the words that have changed. */
#include "core/bpfd/rpc/sync.h"
#include "core/bpfd/bpf/budget.h"
#include "core/bpfd/bpf/map.h"
#include "core/bpfd/rpc/operation.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WORD	   sizeof(uint64_t)
#define MIRROR_MAX (RPC_MESSAGE_MAX / 2) /* bytes: a reply may have to tell the whole, in parts */
#define MMAPABLE   (1U << 10)		 /* BPF_F_MMAPABLE, Linux 5.5 */

struct mirror {
	struct mirror *next;
	uint32_t handle;
	int fd;
	uint64_t *memory; /* NULL: not mapped at the moment */
	bool writable;
	size_t words;
	uint64_t *told; /* what the host knows */
	bool *changed;	/* words that the host has changed in this call: it is told of them */
	uint64_t bytes; /* taken from the budget */
};

static int mirror_map(struct mirror *mirror)
{
	size_t size = mirror->words * WORD;
	void *memory;

	if (mirror->memory)
		return 0;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, mirror->fd, 0);
	mirror->writable = memory != MAP_FAILED;
	if (memory == MAP_FAILED && (errno == EPERM || errno == EACCES)) /* it is frozen */
		memory = mmap(NULL, size, PROT_READ, MAP_SHARED, mirror->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	mirror->memory = memory;
	return 0;
}

static void unmap(struct mirror *mirror)
{
	if (mirror->memory)
		munmap(mirror->memory, mirror->words * WORD);
	mirror->memory = NULL;
}

static void mirror_free(struct rpc *rpc, struct mirror *mirror)
{
	unmap(mirror);
	budget_give(&rpc->bpfd->memory, mirror->bytes);
	free(mirror->told);
	free(mirror->changed);
	free(mirror);
}

static struct mirror **mirror_find(struct rpc *rpc, uint32_t handle)
{
	struct mirror **at = &rpc->mirrors;

	while (*at && (*at)->handle != handle)
		at = &(*at)->next;
	return at;
}

void mirror_unmap(struct rpc *rpc, uint32_t handle)
{
	struct mirror *mirror = *mirror_find(rpc, handle);

	if (mirror)
		unmap(mirror);
}

void mirror_close(struct rpc *rpc, uint32_t handle)
{
	struct mirror **at = mirror_find(rpc, handle), *mirror = *at;

	if (!mirror)
		return;
	*at = mirror->next;
	mirror_free(rpc, mirror);
}

void mirror_close_all(struct rpc *rpc)
{
	while (rpc->mirrors)
		mirror_close(rpc, rpc->mirrors->handle);
}

/* Makes the mirror of a map; the host then knows nothing. */
static int mirror_new(struct rpc *rpc, uint32_t handle, const struct map *map)
{
	uint64_t words = (map_value_size(map) + WORD - 1) / WORD * (uint64_t)map_max_entries(map);
	struct mirror *mirror;
	uint64_t bytes;
	int err;

	if (map_type(map) != BPF_MAP_TYPE_ARRAY || !(map_flags(map) & MMAPABLE))
		return -EINVAL;
	if (words > MIRROR_MAX / WORD)
		return -E2BIG;
	bytes = 3 * words * WORD; /* what is mapped, what was told and, roughly, `changed` */
	err = budget_take(&rpc->bpfd->memory, bytes);
	if (err)
		return err;
	mirror = calloc(1, sizeof(*mirror));
	if (!mirror) {
		budget_give(&rpc->bpfd->memory, bytes);
		return -ENOMEM;
	}
	*mirror = (struct mirror){
		.handle = handle, .fd = map_fd(map), .words = (size_t)words, .bytes = bytes};
	mirror->told = calloc(mirror->words, WORD);
	mirror->changed = calloc(mirror->words, sizeof(bool));
	err = mirror->told && mirror->changed ? mirror_map(mirror) : -ENOMEM;
	if (err) {
		mirror_free(rpc, mirror);
		return err;
	}
	mirror->next = rpc->mirrors;
	rpc->mirrors = mirror;
	return 0;
}

/* Adds what the host has added. All is checked before the first word is touched. */
static int apply(struct mirror *mirror, struct bytes_in *in, uint32_t count)
{
	struct bytes_in check = *in;

	if (count && !mirror->writable)
		return -EPERM;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t offset = bytes_get_u32(&check);

		bytes_get_u64(&check);
		if (offset % WORD || offset / WORD >= mirror->words)
			return -EINVAL;
	}
	for (uint32_t i = 0; i < count; i++) {
		size_t word = bytes_get_u32(in) / WORD;

		__atomic_fetch_add(&mirror->memory[word], bytes_get_u64(in), __ATOMIC_RELAXED);
		mirror->changed[word] = true;
	}
	return 0;
}

/* Looks at one word, notes it as told, and says whether the host must be told. */
static bool take_word(struct mirror *mirror, size_t word, bool whole)
{
	uint64_t now = __atomic_load_n(&mirror->memory[word], __ATOMIC_RELAXED);
	bool tell = whole || mirror->changed[word] || now != mirror->told[word];

	mirror->told[word] = now;
	mirror->changed[word] = false;
	return tell;
}

static void put_changes(struct bytes_out *out, struct mirror *mirror, bool whole)
{
	size_t counter = out->size, word = 0, run, size;
	uint32_t count = 0;

	bytes_put_u32(out, 0);
	while (word < mirror->words) {
		for (run = 0; word + run < mirror->words; run++)
			if (!take_word(mirror, word + run, whole))
				break;
		if (run) {
			bytes_put_u32(out, (uint32_t)(word * WORD));
			rpc_put_bytes(out, mirror->told + word, run * WORD);
			count++;
		}
		word += run + 1; /* the one behind it was looked at as well */
	}
	size = out->size;
	if (out->failed)
		return;
	out->size = counter;
	bytes_put_u32(out, count);
	out->size = size;
}

int rpc_map_sync(struct rpc *rpc, struct bytes_in *in)
{
	uint32_t number = bytes_get_u32(in), count;
	bool whole = bytes_get_u8(in);
	const struct handle *handle;
	struct mirror *mirror;
	int err = 0;

	count = bytes_get_u32(in);
	if (in->failed || in->size != (uint64_t)count * (sizeof(uint32_t) + WORD))
		return -EBADMSG;
	handle = handle_get(rpc->bpfd->handles, number, &map_class);
	if (!handle)
		return -EBADF;
	if (!*mirror_find(rpc, number))
		err = mirror_new(rpc, number, handle->object);
	mirror = *mirror_find(rpc, number);
	if (!err)
		err = mirror_map(mirror);
	if (!err)
		err = apply(mirror, in, count);
	if (err)
		return err;
	bytes_put_u32(&rpc->out, (uint32_t)(mirror->words * WORD));
	put_changes(&rpc->out, mirror, whole);
	return 0;
}
