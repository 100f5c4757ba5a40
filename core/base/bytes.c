/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors that write and read little-endian numbers. */
#include "core/base/bytes.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 4096 /* bytes: most messages need no second allocation */

void bytes_out_free(struct bytes_out *out)
{
	free(out->data);
	*out = (struct bytes_out){.data = NULL};
}

/* Doubles the room until `size` more bytes fit. Returns false if that fails. */
static bool bytes_grow(struct bytes_out *out, size_t size)
{
	size_t room = out->room ? out->room : FIRST_ROOM;
	uint8_t *data;

	if (out->is_fixed)
		return false;
	while (room - out->size < size && room <= SIZE_MAX / 2)
		room *= 2;
	data = room - out->size < size ? NULL : realloc(out->data, room);
	if (!data)
		return false;
	out->data = data;
	out->room = room;
	return true;
}

void *bytes_put_room(struct bytes_out *out, size_t size)
{
	if (out->failed)
		return NULL;
	if ((!out->data || out->room - out->size < size) && !bytes_grow(out, size)) {
		out->failed = true;
		return NULL;
	}
	out->size += size;
	return out->data + out->size - size;
}

static void put_number(struct bytes_out *out, uint64_t value, size_t size)
{
	uint8_t *to = bytes_put_room(out, size);

	if (to)
		put_le(to, value, size);
}

void bytes_put_u8(struct bytes_out *out, uint8_t value)
{
	put_number(out, value, 1);
}

void bytes_put_u16(struct bytes_out *out, uint16_t value)
{
	put_number(out, value, 2);
}

void bytes_put_u32(struct bytes_out *out, uint32_t value)
{
	put_number(out, value, 4);
}

void bytes_put_u64(struct bytes_out *out, uint64_t value)
{
	put_number(out, value, 8);
}

void bytes_put_u32_at(struct bytes_out *out, size_t at, uint32_t value)
{
	if (!out->failed)
		put_le(out->data + at, value, sizeof(value));
}

void bytes_put(struct bytes_out *out, const void *data, size_t size)
{
	void *to = bytes_put_room(out, size);

	if (to && size)
		memcpy(to, data, size);
}

const uint8_t *bytes_get(struct bytes_in *in, size_t size)
{
	const uint8_t *from = in->data;

	if (in->failed || size > in->size) {
		in->failed = true;
		return NULL;
	}
	in->data += size;
	in->size -= size;
	return from;
}

static uint64_t get_number(struct bytes_in *in, size_t size)
{
	const uint8_t *from = bytes_get(in, size);

	return from ? get_le(from, size) : 0;
}

uint8_t bytes_get_u8(struct bytes_in *in)
{
	return (uint8_t)get_number(in, 1);
}

uint16_t bytes_get_u16(struct bytes_in *in)
{
	return (uint16_t)get_number(in, 2);
}

uint32_t bytes_get_u32(struct bytes_in *in)
{
	return (uint32_t)get_number(in, 4);
}

uint64_t bytes_get_u64(struct bytes_in *in)
{
	return get_number(in, 8);
}
