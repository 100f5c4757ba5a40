/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers in byte buffers, by cursors whose errors stick. */
#ifndef CORE_BASE_BYTES_H
#define CORE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write the low `size` bytes (at most 8) of a number, and read such a number. */
static inline void put_le(uint8_t *to, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t get_le(const uint8_t *from, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

/* A writer. It starts as {0} and then allocates its memory, or as bytes_out_fixed(). When there is
 * no room or no memory, `failed` is set and later writes do nothing: check it once at the end. */
struct bytes_out {
	uint8_t *data;
	size_t size; /* bytes written */
	size_t room; /* bytes that data has room for */
	bool failed;
	bool is_fixed; /* data is the caller's memory and does not grow */
};

/* A writer into `room` bytes of the caller's. */
static inline struct bytes_out bytes_out_fixed(void *data, size_t room)
{
	return (struct bytes_out){.data = data, .room = room, .is_fixed = true};
}

/* Frees the allocated memory and makes the writer empty. Not for a fixed one. */
void bytes_out_free(struct bytes_out *out);

void bytes_put_u8(struct bytes_out *out, uint8_t value);
void bytes_put_u16(struct bytes_out *out, uint16_t value);
void bytes_put_u32(struct bytes_out *out, uint32_t value);
void bytes_put_u64(struct bytes_out *out, uint64_t value);

/* Overwrites the four bytes at offset `at`, which were written before. */
void bytes_put_u32_at(struct bytes_out *out, size_t at, uint32_t value);

/* Adds a copy of `size` bytes. */
void bytes_put(struct bytes_out *out, const void *data, size_t size);

/* Adds `size` bytes that the caller fills in. Returns NULL on failure. The pointer is valid until
 * the next write. */
void *bytes_put_room(struct bytes_out *out, size_t size);

/* A reader. Reading beyond the end sets `failed` and returns zeroes. */
struct bytes_in {
	const uint8_t *data;
	size_t size; /* bytes left */
	bool failed;
};

uint8_t bytes_get_u8(struct bytes_in *in);
uint16_t bytes_get_u16(struct bytes_in *in);
uint32_t bytes_get_u32(struct bytes_in *in);
uint64_t bytes_get_u64(struct bytes_in *in);

/* Skips `size` bytes and returns where they start, unaligned. Returns NULL on failure. */
const uint8_t *bytes_get(struct bytes_in *in, size_t size);

/* True if everything was read and nothing was missing. */
static inline bool bytes_get_end(const struct bytes_in *in)
{
	return !in->failed && in->size == 0;
}

#endif
