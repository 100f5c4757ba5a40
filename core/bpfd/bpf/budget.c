/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a closed object stay taken until the kernel has freed it. */
#include "core/bpfd/bpf/budget.h"

#include <bpf/bpf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct budget_kept {
	struct budget_kept *next;
	uint64_t bytes;
	enum budget_kind kind;
	uint32_t id; /* the kernel reuses an id only after 2^31 others */
};

union info {
	struct bpf_map_info map;
	struct bpf_prog_info prog;
	struct bpf_btf_info btf;
};

static const struct {
	size_t id; /* offset of the id in the info */
	int (*next)(__u32 id, __u32 *next);
} kinds[] = {
	[BUDGET_MAP] = {offsetof(struct bpf_map_info, id), bpf_map_get_next_id},
	[BUDGET_PROG] = {offsetof(struct bpf_prog_info, id), bpf_prog_get_next_id},
	[BUDGET_BTF] = {offsetof(struct bpf_btf_info, id), bpf_btf_get_next_id},
};

/* The id of an object, or 0 if the kernel reports none. */
static uint32_t id_of(int fd, enum budget_kind kind)
{
	union info info;
	uint32_t size = sizeof(info), id;

	memset(&info, 0, sizeof(info));
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return 0;
	memcpy(&id, (const char *)&info + kinds[kind].id, sizeof(id));
	return id;
}

/* Returns 0: the object exists; -ENOENT: it is gone; or the errno of looking it up. This must not
 * open the object: the kernel empties a program array in a work item after its last close. If a
 * second close comes before that item runs, the kernel loses count of the references and keeps the
 * map forever. */
static int look_for(enum budget_kind kind, uint32_t id)
{
	__u32 next = 0;
	int err = kinds[kind].next(id - 1, &next);

	if (err)
		return err;
	return next == id ? 0 : -ENOENT;
}

void budget_close(struct budget *budget, uint64_t bytes, int fd, enum budget_kind kind)
{
	struct budget_kept *kept;
	uint32_t id;
	int err;

	if (fd < 0) {
		budget_give(budget, bytes);
		return;
	}
	id = bytes ? id_of(fd, kind) : 0;
	close(fd);
	err = id ? look_for(kind, id) : -EPERM;
	if (err == -ENOENT)
		budget_give(budget, bytes);
	if (err == -ENOENT || err == -EPERM)
		return;
	kept = malloc(sizeof(*kept));
	if (!kept) /* the bytes stay taken */
		return;
	*kept = (struct budget_kept){budget->kept, bytes, kind, id};
	budget->kept = kept;
}

static void reclaim(struct budget *budget)
{
	struct budget_kept **at = &budget->kept, *kept;

	while ((kept = *at)) {
		if (look_for(kept->kind, kept->id) != -ENOENT) {
			at = &kept->next;
			continue;
		}
		budget_give(budget, kept->bytes);
		*at = kept->next;
		free(kept);
	}
}

int budget_take(struct budget *budget, uint64_t bytes)
{
	if (bytes > budget->max - budget->used)
		reclaim(budget);
	if (bytes > budget->max - budget->used)
		return -ENOMEM;
	budget->used += bytes;
	return 0;
}

void *budget_alloc(struct budget *budget, uint64_t bytes, size_t size)
{
	void *object;

	if (budget_take(budget, bytes))
		return NULL;
	object = calloc(1, size);
	if (!object)
		budget_give(budget, bytes);
	return object;
}

void budget_free(struct budget *budget)
{
	struct budget_kept *kept;

	while ((kept = budget->kept)) {
		budget->kept = kept->next;
		free(kept);
	}
}
