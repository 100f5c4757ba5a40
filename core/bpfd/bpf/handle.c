/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a session's handles. */
#include "core/bpfd/bpf/handle.h"

#include <errno.h>
#include <stdlib.h>

#define HANDLES_FIRST_ROOM 64

struct handles {
	struct handle *slots; /* slot 0 has number HANDLE_FIRST; class NULL: free */
	unsigned int room, max;
	unsigned int used; /* slots from this one on are free */
	unsigned int low;  /* slots below this one are taken */
};

int handles_new(struct handles **handles, unsigned int max)
{
	struct handles *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->max = max;
	*handles = h;
	return 0;
}

void handles_free(struct handles *handles)
{
	if (!handles)
		return;
	while (handles->used) {
		struct handle *slot = &handles->slots[--handles->used];

		if (slot->class)
			slot->class->close(slot->object, slot->fd);
	}
	free(handles->slots);
	free(handles);
}

static int handles_grow(struct handles *handles)
{
	unsigned int room = handles->room ? 2 * handles->room : HANDLES_FIRST_ROOM;
	struct handle *slots;

	if (handles->room >= handles->max)
		return -EMFILE;
	if (room > handles->max)
		room = handles->max;
	slots = realloc(handles->slots, room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	handles->slots = slots;
	handles->room = room;
	return 0;
}

int handle_add(struct handles *handles, const struct handle_class *class, void *object, int fd)
{
	unsigned int i = handles->low;
	int err;

	while (i < handles->used && handles->slots[i].class)
		i++;
	if (i == handles->room) {
		err = handles_grow(handles);
		if (err)
			return err;
	}
	handles->slots[i] = (struct handle){.class = class, .object = object, .fd = fd};
	handles->low = i + 1;
	if (i == handles->used)
		handles->used++;
	return HANDLE_FIRST + (int)i;
}

const struct handle *handle_any(const struct handles *handles, int64_t number)
{
	if (number < HANDLE_FIRST || number - HANDLE_FIRST >= handles->used)
		return NULL;
	return handles->slots[number - HANDLE_FIRST].class ? &handles->slots[number - HANDLE_FIRST]
							   : NULL;
}

const struct handle *handle_get(
	const struct handles *handles, int64_t number, const struct handle_class *class)
{
	const struct handle *handle = handle_any(handles, number);

	return handle && handle->class == class ? handle : NULL;
}

int handle_find(const struct handles *handles, const struct handle_class *class, const void *object)
{
	for (unsigned int i = 0; i < handles->used; i++)
		if (handles->slots[i].class == class && handles->slots[i].object == object)
			return HANDLE_FIRST + (int)i;
	return -ENOENT;
}

int handle_close(struct handles *handles, int64_t number, const struct handle_class *class)
{
	struct handle *slot, closed;

	if (!handle_get(handles, number, class))
		return -EBADF;
	slot = &handles->slots[number - HANDLE_FIRST];
	closed = *slot;
	slot->class = NULL;
	if (number - HANDLE_FIRST < handles->low)
		handles->low = (unsigned int)(number - HANDLE_FIRST);
	while (handles->used && !handles->slots[handles->used - 1].class)
		handles->used--;
	return closed.class->close(closed.object, closed.fd);
}
