/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads the messages of the binary protocol. */
#include "core/messages/rpc.h"

#include <stdlib.h>

#define OUT_FIRST_ROOM 4096

const char *rpc_op_name(unsigned int op)
{
	switch (op) {
#define RPC_OP(number, name, help) \
	case number:               \
		return #name;
		RPC_OPS(RPC_OP)
#undef RPC_OP
	default:
		return NULL;
	}
}

static void put_le(uint8_t *to, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *from, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

void rpc_header_put(uint8_t to[RPC_HEADER_SIZE], const struct rpc_header *header)
{
	put_le(to, header->length, 4);
	put_le(to + 4, header->tag, 4);
	put_le(to + 8, header->op, 2);
	put_le(to + 10, header->flags, 2);
}

void rpc_header_get(const uint8_t from[RPC_HEADER_SIZE], struct rpc_header *header)
{
	header->length = (uint32_t)get_le(from, 4);
	header->tag = (uint32_t)get_le(from + 4, 4);
	header->op = (uint16_t)get_le(from + 8, 2);
	header->flags = (uint16_t)get_le(from + 10, 2);
}

void rpc_out_free(struct rpc_out *out)
{
	free(out->data);
	*out = (struct rpc_out){.data = NULL};
}

void *rpc_put_room(struct rpc_out *out, size_t size)
{
	size_t room = out->room ? out->room : OUT_FIRST_ROOM;
	uint8_t *data;

	if (out->failed)
		return NULL;
	while (room - out->size < size && room <= SIZE_MAX / 2)
		room *= 2;
	if (room != out->room) {
		data = room - out->size < size ? NULL : realloc(out->data, room);
		if (!data) {
			out->failed = true;
			return NULL;
		}
		out->data = data;
		out->room = room;
	}
	out->size += size;
	return out->data + out->size - size;
}

static void put_number(struct rpc_out *out, uint64_t value, size_t size)
{
	uint8_t *to = rpc_put_room(out, size);

	if (to)
		put_le(to, value, size);
}

size_t rpc_begin(struct rpc_out *out, unsigned int op, unsigned int flags, uint32_t tag)
{
	const struct rpc_header header = {.tag = tag, .op = (uint16_t)op, .flags = (uint16_t)flags};
	size_t start = out->size;
	uint8_t *to = rpc_put_room(out, RPC_HEADER_SIZE);

	if (to)
		rpc_header_put(to, &header);
	return start;
}

void rpc_end(struct rpc_out *out, size_t start)
{
	if (!out->failed)
		put_le(out->data + start, out->size - start - RPC_HEADER_SIZE, 4);
}

void rpc_put_u8(struct rpc_out *out, uint8_t value)
{
	put_number(out, value, 1);
}

void rpc_put_u16(struct rpc_out *out, uint16_t value)
{
	put_number(out, value, 2);
}

void rpc_put_u32(struct rpc_out *out, uint32_t value)
{
	put_number(out, value, 4);
}

void rpc_put_u64(struct rpc_out *out, uint64_t value)
{
	put_number(out, value, 8);
}

void rpc_put_bytes(struct rpc_out *out, const void *data, size_t size)
{
	void *to;

	rpc_put_u32(out, (uint32_t)size);
	to = rpc_put_room(out, size);
	if (!to || !size)
		return;
	if (data)
		memcpy(to, data, size);
	else
		memset(to, 0, size);
}

void rpc_put_string(struct rpc_out *out, const char *text)
{
	rpc_put_bytes(out, text, strlen(text));
}

static const uint8_t *get_raw(struct rpc_in *in, size_t size)
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

static uint64_t get_number(struct rpc_in *in, size_t size)
{
	const uint8_t *from = get_raw(in, size);

	return from ? get_le(from, size) : 0;
}

uint8_t rpc_get_u8(struct rpc_in *in)
{
	return (uint8_t)get_number(in, 1);
}

uint16_t rpc_get_u16(struct rpc_in *in)
{
	return (uint16_t)get_number(in, 2);
}

uint32_t rpc_get_u32(struct rpc_in *in)
{
	return (uint32_t)get_number(in, 4);
}

uint64_t rpc_get_u64(struct rpc_in *in)
{
	return get_number(in, 8);
}

const void *rpc_get_bytes(struct rpc_in *in, size_t *size)
{
	*size = rpc_get_u32(in);
	const void *from = get_raw(in, *size);

	if (!from)
		*size = 0;
	return from;
}

bool rpc_get_string(struct rpc_in *in, char *text, size_t size)
{
	size_t length;
	const void *from = rpc_get_bytes(in, &length);

	*text = 0;
	if (!from || length >= size || memchr(from, 0, length)) {
		in->failed = true;
		return false;
	}
	memcpy(text, from, length);
	text[length] = 0;
	return true;
}

void rpc_put_stat(struct rpc_out *out, const struct rpc_stat *stat)
{
	rpc_put_u32(out, stat->mode);
	rpc_put_u32(out, stat->nlink);
	rpc_put_u32(out, stat->uid);
	rpc_put_u32(out, stat->gid);
	rpc_put_u64(out, stat->ino);
	rpc_put_u64(out, stat->size);
	rpc_put_u64(out, stat->blocks);
	rpc_put_u32(out, stat->dev_major);
	rpc_put_u32(out, stat->dev_minor);
	rpc_put_u32(out, stat->rdev_major);
	rpc_put_u32(out, stat->rdev_minor);
	rpc_put_u32(out, stat->block_size);
	rpc_put_u64(out, (uint64_t)stat->atime_s);
	rpc_put_u64(out, (uint64_t)stat->mtime_s);
	rpc_put_u64(out, (uint64_t)stat->ctime_s);
	rpc_put_u32(out, stat->atime_ns);
	rpc_put_u32(out, stat->mtime_ns);
	rpc_put_u32(out, stat->ctime_ns);
}

void rpc_get_stat(struct rpc_in *in, struct rpc_stat *stat)
{
	stat->mode = rpc_get_u32(in);
	stat->nlink = rpc_get_u32(in);
	stat->uid = rpc_get_u32(in);
	stat->gid = rpc_get_u32(in);
	stat->ino = rpc_get_u64(in);
	stat->size = rpc_get_u64(in);
	stat->blocks = rpc_get_u64(in);
	stat->dev_major = rpc_get_u32(in);
	stat->dev_minor = rpc_get_u32(in);
	stat->rdev_major = rpc_get_u32(in);
	stat->rdev_minor = rpc_get_u32(in);
	stat->block_size = rpc_get_u32(in);
	stat->atime_s = (int64_t)rpc_get_u64(in);
	stat->mtime_s = (int64_t)rpc_get_u64(in);
	stat->ctime_s = (int64_t)rpc_get_u64(in);
	stat->atime_ns = rpc_get_u32(in);
	stat->mtime_ns = rpc_get_u32(in);
	stat->ctime_ns = rpc_get_u32(in);
}

/* The versions come first, and stay there in all versions. */
void rpc_put_hello(struct rpc_out *out, const struct rpc_hello *hello)
{
	rpc_put_u16(out, hello->major);
	rpc_put_u16(out, hello->minor);
	rpc_put_string(out, hello->program);
	rpc_put_u32(out, hello->message_max);
	rpc_put_u8(out, hello->big_endian);
	rpc_put_u8(out, hello->word_bits);
	rpc_put_u32(out, hello->page_size);
	rpc_put_u32(out, hello->possible_cpus);
	rpc_put_u32(out, hello->kprobe_type);
	rpc_put_u32(out, hello->uprobe_type);
	rpc_put_u64(out, hello->realtime_ns);
	rpc_put_u64(out, hello->monotonic_ns);
	rpc_put_u64(out, hello->boottime_ns);
	rpc_put_string(out, hello->sysname);
	rpc_put_string(out, hello->nodename);
	rpc_put_string(out, hello->release);
	rpc_put_string(out, hello->version);
	rpc_put_string(out, hello->machine);
	rpc_put_string(out, hello->boot_id);
	rpc_put_string(out, hello->online);
}

void rpc_get_hello(struct rpc_in *in, struct rpc_hello *hello)
{
	hello->major = rpc_get_u16(in);
	hello->minor = rpc_get_u16(in);
	rpc_get_string(in, hello->program, sizeof(hello->program));
	hello->message_max = rpc_get_u32(in);
	hello->big_endian = rpc_get_u8(in);
	hello->word_bits = rpc_get_u8(in);
	hello->page_size = rpc_get_u32(in);
	hello->possible_cpus = rpc_get_u32(in);
	hello->kprobe_type = rpc_get_u32(in);
	hello->uprobe_type = rpc_get_u32(in);
	hello->realtime_ns = rpc_get_u64(in);
	hello->monotonic_ns = rpc_get_u64(in);
	hello->boottime_ns = rpc_get_u64(in);
	rpc_get_string(in, hello->sysname, sizeof(hello->sysname));
	rpc_get_string(in, hello->nodename, sizeof(hello->nodename));
	rpc_get_string(in, hello->release, sizeof(hello->release));
	rpc_get_string(in, hello->version, sizeof(hello->version));
	rpc_get_string(in, hello->machine, sizeof(hello->machine));
	rpc_get_string(in, hello->boot_id, sizeof(hello->boot_id));
	rpc_get_string(in, hello->online, sizeof(hello->online));
}
